"""What editors of rule files need: `schema`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from rules_engine.rulebook.schema import FOLDER, SchemaKind, schema_text
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

from .output import FINDINGS, AsJson, complain, in_plain_words, say, say_json

KindArgument = Annotated[
    SchemaKind | None, typer.Argument(help="Of rule files (the default), of stores.yaml, or of files of tests.")
]
WriteOption = Annotated[
    bool, typer.Option("--write", help="Write it below RULES instead of printing it; all three when none is named.")
]

_NAMED_BY = {
    SchemaKind.RULES: ("rule files", f"{FOLDER}/{SchemaKind.RULES}.json"),
    SchemaKind.STORES: ("stores.yaml", f"{FOLDER}/{SchemaKind.STORES}.json"),
    SchemaKind.TESTS: ("tests/*.yaml", f"../{FOLDER}/{SchemaKind.TESTS}.json"),
}
"""Which files name each schema in their first line, and how."""


def schema(kind: KindArgument = None, *, write: WriteOption = False, as_json: AsJson = False) -> None:
    """Print the JSON Schema by which editors complete, explain and underline rule files.

    An editor that understands YAML, such as VS Code with its YAML extension, finds it by the first line of a file:
    `# yaml-language-server: $schema=schema/rules.json`. The schemas that are shipped are those of this release;
    `--write` brings those in `schema` below RULES up to it.
    """
    if not write:
        typer.echo(schema_text(kind or SchemaKind.RULES, VENDORS), nl=False)
        return
    with in_plain_words(as_json=as_json):
        settings = Settings.from_environment({"RULES": os.environ.get("RULES", "")})
    folder = settings.rules / FOLDER
    kinds = [kind] if kind else list(SchemaKind)
    try:
        written = [_write(folder, each) for each in kinds]
    except OSError as error:
        said = f"{error.filename or folder} cannot be written: {error.strerror or type(error).__name__}."
        complain(said)
        if as_json:
            say_json({"error": said})
        raise typer.Exit(FINDINGS) from None
    if as_json:
        say_json({"written": [str(file) for file in written]})
        return
    for file in written:
        say(f"wrote {file}")
    say("An editor finds them by the first line of a file:")
    for files, name in map(_NAMED_BY.__getitem__, kinds):
        say(f"  {files:<14}# yaml-language-server: $schema={name}")


def _write(folder: Path, kind: SchemaKind) -> Path:
    """Write one schema into a folder of rules that is there. Raises `OSError`."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{kind}.json"
    file.write_text(schema_text(kind, VENDORS), encoding="utf-8", newline="\n")
    return file
