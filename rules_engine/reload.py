"""The rule files on disk: put in force at start and whenever they are saved, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog
from watchfiles import awatch

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.errors import DatabaseError, RulebookError
from rules_engine.core.problem import Problem
from rules_engine.core.rule import Rulebook
from rules_engine.database.engine import Database
from rules_engine.lane.rules import Compile, Rules, put_in_force
from rules_engine.rulebook import read_rule_texts

log = structlog.stdlib.get_logger(__name__)

LOOK_EVERY = 5.0
"""Seconds between looks at the files where nothing says that they changed: a network disk tells of no change."""
SETTLED_AFTER = 0.2
"""Files that two reads so many seconds apart show alike are not being written."""
READS = 50
"""So often they are read until then; what is still being written after ten seconds is taken as it is."""


@dataclass(frozen=True, slots=True)
class Saved:
    """The rule files as they were read: texts by path, or what kept them from being read."""

    texts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


@dataclass(slots=True)
class RuleFiles:
    """Puts the rule files of `folder` in force, for these stores.

    What says that something changed is only a bell: the files are read, and only if they are others than before does
    anything happen. So rules that `rules-engine release` put in force from elsewhere stay until somebody saves a file
    here. `on_change` is called for every store when other rules are in force.
    """

    folder: Path
    stores_file: Path
    stores: Sequence[StoreAlias]
    compile: Compile
    database: Database
    rules: Rules
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    on_change: Callable[[StoreAlias], None]
    _seen: Saved | None = field(default=None, init=False)
    _accepted: Saved | None = field(default=None, init=False)
    _stores_text: bytes | None = field(default=None, init=False)

    async def adopt(self, reason: str) -> bool:
        """Make the files the active rules if they are valid; else say why, and let the last good rules run on."""
        self._stores_text = await asyncio.to_thread(_bytes_of, self.stores_file)
        return await self._take(await asyncio.to_thread(_read, self.folder), reason)

    async def watch(self, changes: AsyncGenerator[object, None]) -> None:
        """Take what is saved, each time that `changes` gives anything."""
        async with aclosing(changes):
            async for _ in changes:
                await self.look()

    async def look(self) -> None:
        """Read the files, and take them if they are others than at the last look."""
        saved = await asyncio.to_thread(_read, self.folder)
        if saved != self._seen:
            saved = await self._settled(saved)
        if saved != self._seen:
            await self._take(saved, "saved")
        stores_text = await asyncio.to_thread(_bytes_of, self.stores_file)
        if stores_text not in (None, self._stores_text):
            self._stores_text = stores_text
            log.warning("stores.yaml was saved: restart to apply it", file=str(self.stores_file))

    async def _settled(self, saved: Saved) -> Saved:
        """The files once nobody is writing them: an editor, or a copy, may take a while."""
        for _ in range(READS):
            await self.sleep(SETTLED_AFTER)
            again = await asyncio.to_thread(_read, self.folder)
            if again == saved:
                break
            saved = again
        return saved

    async def _take(self, saved: Saved, reason: str) -> bool:
        self._seen = saved
        if saved == self._accepted:
            self.rules.refused = ""
            log.info("the rule files are as they were; their rules run on")
            return True
        compiled = await asyncio.to_thread(self._compiled, saved)
        if not isinstance(compiled, Rulebook):
            self._refuse(compiled)
            return False
        return await self._put_in_force(saved, compiled, reason)

    def _compiled(self, saved: Saved) -> Rulebook | tuple[Problem, ...]:
        if saved.problems:
            return saved.problems
        try:
            return self.compile(saved.texts)
        except RulebookError as error:
            return error.problems

    async def _put_in_force(self, saved: Saved, rulebook: Rulebook, reason: str) -> bool:
        put = partial(put_in_force, rulebook=rulebook, stores=self.stores, now=self.now(), reason=reason)
        try:
            activated = await self.database.write(put)
        except DatabaseError as error:
            self._seen = None  # the next look tries again
            self.rules.refused = f"the rules could not be stored: {error}"
            log.error("the rules could not be stored; the last good ones run on", reason=str(error))
            return False
        self._accepted = saved
        self.rules.refused = ""
        for sentence in activated.sentences():
            log.warning(sentence)
        if activated.is_new:
            log.info("new rules are in force", rulebook=rulebook.hash[:12], rules=len(rulebook.rules), reason=reason)
            for store in self.stores:
                self.on_change(store)
        return True

    def _refuse(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        self.rules.refused = f"{first.place}: {first.message} ({RulebookError(problems)})"
        log.error("the rule files are refused; the last good rules run on", problems=len(problems))
        for problem in problems:
            log.error(
                "a problem in the rule files",
                place=str(problem.place),
                problem=problem.message,
                help=problem.help,
                code=problem.code,
            )


def _read(folder: Path) -> Saved:
    try:
        return Saved(texts=read_rule_texts(folder))
    except RulebookError as error:
        return Saved(problems=error.problems)


def _bytes_of(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


async def disk_changes(folder: Path, *, look_every: float = LOOK_EVERY) -> AsyncGenerator[None, None]:
    """Rings whenever something below the folder was written, and every few seconds in any case.

    The folder may vanish and come back, as another one: a deployment may swap it.
    """
    has_warned = False
    while True:
        watched = _identity(folder)
        try:
            bell = awatch(folder, watch_filter=None, rust_timeout=int(look_every * 1000), yield_on_timeout=True)
            async with aclosing(bell):
                async for _ in bell:
                    yield None
                    if _identity(folder) != watched:
                        break
        except OSError as error:
            if watched is not None and not has_warned:  # the system may have no watches left
                has_warned = True
                log.warning("the rule files are looked at every few seconds only", reason=str(error))
            await asyncio.sleep(look_every)
        yield None


def _identity(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except OSError:
        return None
