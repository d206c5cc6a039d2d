"""The command line: `rules-engine`, one file for each family of commands."""

from __future__ import annotations

from typing import Annotated

import typer

from rules_engine import __version__

from . import (
    check,
    dead_letters,
    demo,
    holds,
    letting_go,
    note,
    pause,
    plan,
    questions,
    reconcile,
    record,
    repair,
    sandbox,
    schema,
    serve,
    test,
    undo,
    why,
)

app = typer.Typer(
    name="rules-engine",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # the richer tracebacks are longer than a log line should be
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Rules for shops' catalogues: a webhook says *look*, the engine reads the product, decides by "
    "the rules, and makes the fewest calls.\n\n"
    "It takes its settings from the environment, its stores from rules/stores.yaml and its rules from rules/*.yaml. "
    "Commands end with 0 when all is fine, 1 when they found something or something failed, 2 when they were used "
    "wrongly.",
    epilog="Start with `rules-engine demo`, then `rules-engine check` and `rules-engine serve`. "
    "`rules-engine COMMAND --help` tells more and shows an example.",
)


def _say_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def start(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=lambda wanted: _say_version(wanted=wanted), help="Print the version."
        ),
    ] = False,
) -> None:
    """Options of the command itself."""


def _example(text: str) -> str:
    return f"Example: `rules-engine {text}`"


RUNNING, RULES, REPAIR = "Running", "Rules", "When something went wrong"
PEOPLE = "What rules hold, and stopping them"

app.command(rich_help_panel=RUNNING, epilog=_example("demo --once"))(demo.demo)
app.command(rich_help_panel=RUNNING, epilog=_example("sandbox"))(sandbox.sandbox)
app.command(rich_help_panel=RUNNING, epilog=_example("serve"))(serve.serve)
app.command(rich_help_panel=RUNNING, epilog=_example("worker"))(serve.worker)
app.command(rich_help_panel=RUNNING, epilog=_example("migrate"))(serve.migrate)
app.command(rich_help_panel=RUNNING, epilog=_example("release --json"))(serve.release)
app.command(rich_help_panel=RULES, epilog=_example("check --format github"))(check.check)
app.command(rich_help_panel=RULES, epilog=_example("plan --against main"))(plan.plan)
app.command(rich_help_panel=RULES, epilog=_example("why LAPTOP-15 --store web"))(why.why)
app.command(rich_help_panel=RULES, epilog=_example("note --since 24h"))(note.note)
app.command("test", rich_help_panel=RULES, epilog=_example("test --junit report.xml"))(test.play_tests)
app.command(rich_help_panel=RULES, epilog=_example("schema --write"))(schema.schema)
app.command("record", rich_help_panel=RULES, epilog=_example("record c11e0ef384be48d7b764e9dcc6c40a25 --write"))(
    record.record_delivery
)
app.command(rich_help_panel=REPAIR, epilog=_example("deliveries --store web --state 'set aside'"))(repair.deliveries)
app.command(rich_help_panel=REPAIR, epilog=_example("replay c11e0ef384be48d7b764e9dcc6c40a25"))(repair.replay)
app.command(rich_help_panel=REPAIR, epilog=_example("probe ksa"))(repair.probe)
app.command(rich_help_panel=REPAIR, epilog=_example("reconcile web --dry-run"))(reconcile.reconcile)
app.command("holds", rich_help_panel=PEOPLE, epilog=_example("holds --rule sold-out-leaves-featured"))(holds.holds)
app.command(rich_help_panel=PEOPLE, epilog=_example("forget LAPTOP-15 --store web"))(letting_go.forget)
app.command("release-hold", rich_help_panel=PEOPLE, epilog=_example("release-hold sold-out-leaves-featured LAPTOP-15"))(
    letting_go.release_hold
)
app.command(rich_help_panel=PEOPLE, epilog=_example("undo sold-out-leaves-featured --since 2h"))(undo.undo)
app.command(rich_help_panel=PEOPLE, epilog=_example('pause sold-out-leaves-featured --because "the stock is wrong"'))(
    pause.pause
)
app.command(rich_help_panel=PEOPLE, epilog=_example("resume sold-out-leaves-featured"))(pause.resume)
app.add_typer(dead_letters.app, rich_help_panel=REPAIR)
app.add_typer(questions.app, rich_help_panel=REPAIR)


def main() -> None:
    """The console script `rules-engine`: run the command that the arguments name, and exit."""
    app(prog_name="rules-engine")  # also as `python -m rules_engine`
