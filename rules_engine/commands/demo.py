"""`rules-engine demo`: the engine and four sandbox shops play a story, and stay up for more."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from rules_engine import logs
from rules_engine.sandbox import Answered, AximShop, EcwidShop, ZaveShop, ZidShop
from rules_engine.sandbox.story import Scene, members_without, scenes, shown
from rules_engine.settings import LogFormat, LogLevel

from .output import FINDINGS, AsJson, complain, in_plain_words, say_json, visible
from .rules import count
from .stage import Event, Members, Ruled, Stage, members, open_stage

Once = Annotated[bool, typer.Option("--once", help="End after the story: with 0, or 1 if a shop did not end as told.")]

_WORD = 9
"""The width of the words before what is told: webhook, rule, call, now."""


def demo(*, once: Once = False, as_json: AsJson = False) -> None:
    """Play a story with four sandbox shops.

    It starts the engine on SQLite and the shops on loopback, with real HTTP between them, and plays what shops'
    days are made of: products sell out and return, a brand is cleared, a category is unpublished, a line ends. It
    prints each step as it happens, and then stays up until Ctrl-C, for you to play on. Nothing leaves this computer,
    and nothing is left on it.

    With --json it plays once, prints what each shop got, and ends like --once.
    """
    logs.configure(LogFormat.TEXT, LogLevel.WARNING)
    teller = Teller(Console(highlight=False, soft_wrap=True, quiet=as_json))
    with in_plain_words(as_json=as_json):
        fared = asyncio.run(_run(teller, stays=not (once or as_json)))
    if as_json and fared:
        say_json({"stores": {alias: shop.fields() for alias, shop in fared.items()}})
    if (once or as_json) and not (fared and all(shop.is_as_expected for shop in fared.values())):
        raise typer.Exit(FINDINGS)


@dataclass(frozen=True, slots=True)
class Fared:
    """How a shop fared. `problems` are sentences."""

    deliveries: int
    calls: Sequence[Mapping[str, object]]
    problems: Sequence[str]

    @property
    def is_as_expected(self) -> bool:
        """Whether it ended as the story says."""
        return not self.problems

    def fields(self) -> dict[str, object]:
        """As JSON shows it."""
        return {"deliveries": self.deliveries, "calls": self.calls, "ended_as_expected": self.is_as_expected}


async def _run(teller: Teller, *, stays: bool) -> dict[str, Fared]:
    """Play, and stay up if wished. Gives how each shop fared, or nothing when it was stopped before the end."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows has no such signals for loops
            loop.add_signal_handler(number, stop.set)
    async with open_stage(teller.tell) as stage:
        playing = asyncio.create_task(_play(stage, teller))
        if not await _goes_on(playing, stop):
            return {}
        fared = playing.result()
        if stays:
            teller.say_how_to_play_on(stage)
            await _goes_on(asyncio.create_task(stage.keep_playing()), stop)
    return fared


async def _goes_on(task: asyncio.Task[object], stop: asyncio.Event) -> bool:
    """Wait for the task, and cancel it when we are to stop before its end; then False. Raises what the task raises."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task.done():
        task.result()
        return True
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return False


async def _play(stage: Stage, teller: Teller) -> dict[str, Fared]:
    """Play the story. What comes after a scene that failed is left out, for its shop only."""
    teller.say_where(stage)
    story = _story(stage)
    problems: dict[str, list[str]] = {alias: [] for alias in stage.shops}
    for number, (scene, wanted) in enumerate(story, start=1):
        if problems[scene.store]:
            continue
        teller.begin(number, scene, stage)
        problem = await stage.play(scene, wanted)
        if problem:
            problems[scene.store].append(f"{scene.title}: {problem}.")
        teller.end(scene, stage, problem)
    last = {scene.store: wanted for scene, wanted in story}
    for alias, shop in stage.shops.items():
        if not problems[alias] and members(shop) != last[alias]:
            problems[alias].append("Something changed after its last scene.")
        if await stage.has_dead_letters(alias):
            problems[alias].append("The engine gave up a call.")
    fared = {alias: _fared(stage, alias, found) for alias, found in problems.items()}
    teller.say_end(fared)
    return fared


def _story(stage: Stage) -> list[tuple[Scene, Members]]:
    """Every scene with what it must end in, by how the shops are at the beginning."""
    web, ksa, b2b, brands = (stage.shops[alias] for alias in ("web", "ksa", "b2b", "brands"))
    match web, ksa, b2b, brands:
        case EcwidShop(), ZidShop(), ZaveShop(), AximShop():
            told = scenes(web, ksa, b2b, brands)
        case _:
            raise TypeError("the sandbox shops stand behind other aliases")
    return [(scene, members_without(stage.shops[scene.store], scene.away)) for scene in told]


def _fared(stage: Stage, alias: str, problems: Sequence[str]) -> Fared:
    shop = stage.shops[alias]
    return Fared(
        deliveries=sum(answered.status == 200 for answered in shop.answered),
        calls=[
            {"method": call.method, "path": call.path, "body": call.body, "status": call.status} for call in shop.writes
        ],
        problems=problems,
    )


@dataclass(slots=True)
class Teller:
    """Prints the story as it happens: in colour on a terminal, plain elsewhere."""

    console: Console
    _is_alone: bool = field(default=True, init=False)
    """Whether no scene is played, so that a line has to say which store it is about."""

    def say_where(self, stage: Stage) -> None:
        """Say where the engine and the shops are."""
        self._line(Text(f"The engine listens on {stage.engine_url} and remembers in a new SQLite file. Its shops:"))
        for alias, shop in stage.shops.items():
            self._line(Text(f"  {alias:<8}{shop.NAME:<7}{stage.base_urls[alias]}"))

    def begin(self, number: int, scene: Scene, stage: Stage) -> None:
        """Say what happens in the shop."""
        self._is_alone = False
        where = f"{scene.store} ({stage.shops[scene.store].NAME})"
        self._line(Text())
        self._line(Text.assemble((f"{number:>2}  {where}", "bold cyan"), (f"  {scene.title}", "bold")))

    def tell(self, event: Event) -> None:
        """Tell one thing that happened."""
        alone = f"{event.store}: " if self._is_alone else ""
        if isinstance(event, Ruled):
            self._told("rule", f"{alone}{event.rule}, {event.subject}: {event.text}", "magenta")
        elif isinstance(event.event, Answered):
            answered = event.event
            self._told("webhook", f"{alone}{answered.outgoing.event} → {answered.status or 'no answer'}", "blue")
        elif event.event.is_write:
            call = event.event
            body = "" if call.body is None else " " + json.dumps(call.body, ensure_ascii=False)
            self._told("call", f"{alone}{call.method} {call.path}{body} → {call.status}", "yellow")

    def end(self, scene: Scene, stage: Stage, problem: str) -> None:
        """Say what has become of it."""
        self._is_alone = True
        for category in scene.shows:
            name, products = shown(stage.shops[scene.store], category)
            self._told("now", f"{name}: {', '.join(products) or '(empty)'}", "green")
        if problem:
            self._told("FAILED", f"{problem}.", "bold red")

    def say_end(self, fared: Mapping[str, Fared]) -> None:
        """Say how every shop fared."""
        self._line(Text())
        for alias, shop in fared.items():
            counts = f"{count(shop.deliveries, 'webhook')} taken, {count(len(shop.calls), 'call')} made"
            end = "ended as expected" if shop.is_as_expected else "did NOT end as expected"
            style = "green" if shop.is_as_expected else "bold red"
            self._line(Text.assemble(f"{alias:<8}{counts}: ", (end, style)))
            for problem in shop.problems:
                complain(f"{alias}: {problem}")

    def say_how_to_play_on(self, stage: Stage) -> None:
        """Say what is up, and what to try."""
        web, engine = stage.base_urls["web"], stage.engine_url
        self._line(Text("\nAll stays up until Ctrl-C, and what happens is told here. Be the shopkeeper:"))
        for command, meaning in (
            ("""-d '{"do": "sell_out", "with": [37208345]}' """ + f"{web}/__sandbox/edit", "Hill Walker sells out"),
            ("""-d '{"do": "restock", "with": [37208345, 9]}' """ + f"{web}/__sandbox/edit", "and returns"),
            (f"{web}/__sandbox/state", "the shop's whole catalogue; every shop has these two"),
            (f"{engine}/readyz", "how the engine is"),
        ):
            self._line(Text.assemble(f"  curl {command}", (f"    # {meaning}", "dim")))

    def _told(self, word: str, text: str, style: str) -> None:
        self._line(Text.assemble("    ", (f"{word:<{_WORD}}", style), visible(text)))

    def _line(self, line: Text) -> None:
        self.console.print(line)
