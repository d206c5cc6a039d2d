"""`python -m benchmarks.sweep`: what walking over 100,000 products costs on this machine. Loopback only.

`--products 2000` runs it smaller. The sandbox shop is asked without its limit of 600 calls a minute: with it, 1,000
products a second is the most that there can be, and nothing else would be measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import uvloop
from rich.console import Console
from rich.table import Table

from benchmarks.shop import FIRST_PRODUCT
from benchmarks.stage import HERE, RULES, StageError, describe_shop, end_of, first_line, running
from rules_engine import logs
from rules_engine.app import Engine, build, utc_now
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.subject import product
from rules_engine.core.sweep import Sweep, SweepKind, SweepState
from rules_engine.database.engine import Database
from rules_engine.database.sweeps import find_sweep, open_sweeps, request_sweep
from rules_engine.settings import LogFormat, LogLevel, Settings
from rules_engine.vendors.ecwid import Ecwid

WEB = StoreAlias("web")
ONE_BY_ONE = "one by one"
SINGLE_READS = 1000
"""Products that are read alone, to compare with; more of them take as long each."""
LONGEST = 3600.0
"""Seconds in which a walk has to be at its end."""


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk came to. `resumed` is in how many seconds its first page was committed; `megabytes` at most used.

    `busy` are the seconds in which the walk's process had a processor: what else runs on the machine adds little to it.
    """

    seconds: float
    busy: float
    products: int
    calls: int
    resumed: float
    megabytes: float

    @property
    def per_second(self) -> float:
        """Products a second."""
        return self.products / self.seconds

    @property
    def per_busy_second(self) -> float:
        """Products for each second of a processor, all threads of the process together."""
        return self.products / self.busy


# The process that walks.


async def work(kind: str) -> Walked:
    """Walk once, in this process, over the shop and the database of the environment."""
    Ecwid.CAPABILITIES = replace(Ecwid.CAPABILITIES, rate=100_000, burst=100_000)
    logs.configure(LogFormat.JSON, LogLevel.ERROR)
    engine = build(Settings.from_environment(), runs_lanes=False)
    try:
        async with engine.network:
            await engine.adopt_rules()
            if kind == ONE_BY_ONE:
                return await read_one_by_one(engine)
            return await sweep(engine, SweepKind(kind))
    finally:
        engine.database.close()


async def sweep(engine: Engine, kind: SweepKind) -> Walked:
    """Go on with the open sweep, or ask for one of this kind, and run the lane to its end."""
    opened = [each for each in await engine.database.read(partial(open_sweeps, store=WEB)) if each.kind is kind]
    ask = partial(request_sweep, store=WEB, kind=kind, now=utc_now(), reason="measured")
    id_ = opened[0].id if opened else await engine.database.write(ask)
    before = await _find(engine.database, id_)
    started, busy = time.monotonic(), time.process_time()
    resumed = asyncio.create_task(_first_page(engine.database, id_, before.seen, started))
    async with engine.dispatch.exclusive(WEB) as tenure:
        if tenure is None:
            raise StageError("somebody else has the lane")
        while (await _find(engine.database, id_)).state.is_open and time.monotonic() - started < LONGEST:
            await engine.run_lane(tenure)
    seconds, busy = time.monotonic() - started, time.process_time() - busy
    after = await _find(engine.database, id_)
    if after.state is not SweepState.DONE:
        raise StageError(f"the walk did not end: {after}")
    return Walked(seconds, busy, after.seen - before.seen, after.calls - before.calls, await resumed, _megabytes())


async def _first_page(database: Database, id_: int, seen: int, started: float) -> float:
    while True:
        sweep = await _find(database, id_)
        if sweep.seen != seen or not sweep.state.is_open:
            return time.monotonic() - started
        await asyncio.sleep(0.02)


async def _find(database: Database, id_: int) -> Sweep:
    found = await database.read(partial(find_sweep, id_=id_))
    if found is None:
        raise StageError("the sweep is gone")
    return found


async def read_one_by_one(engine: Engine) -> Walked:
    """Read products as an engine would that reads one for each product, and does nothing else."""
    vendor, started, busy = engine.lanes[WEB].vendor, time.monotonic(), time.process_time()
    for number in range(SINGLE_READS):
        [request] = vendor.read([product(str(FIRST_PRODUCT + number))])
        vendor.parse(request, await engine.network.send(request))
    busy = time.process_time() - busy
    return Walked(time.monotonic() - started, busy, SINGLE_READS, SINGLE_READS, 0, _megabytes())


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# The process that measures.


async def measure(folder: Path, console: Console, products: int) -> None:
    """Walk for the first time, again, killed half-way, and from memory; and read products one by one beside it."""
    arguments = ["-m", "benchmarks.shop", "--products", str(products), "--windows", "0"]
    async with running(arguments, log=folder / "shop.log") as shop:
        describe_shop(folder / "stores.yaml", await first_line(shop, folder / "shop.log"))
        rows = [
            ("one read for each product, nothing kept", await _walk(folder, ONE_BY_ONE)),
            ("learning: everything is new", await _walk(folder, SweepKind.LEARNING)),
            ("a night in which nothing changed", await _walk(folder, SweepKind.NIGHTLY)),
            ("the same, killed half-way: what was left", await _killed(folder, products)),
            ("new rules, decided from memory", await _walk(folder, SweepKind.RULES)),
        ]
    console.print(table(rows, products))


def table(rows: Sequence[tuple[str, Walked]], products: int) -> Table:
    """The walks, beside reading products one by one."""
    shown = Table(
        title=f"A catalogue of {products:,} products",
        caption=(
            "the ratio is to the first line; a busy second is one of a processor, whatever else runs beside the walk; "
            "for each walk a new process, whose most memory is given"
        ),
        title_justify="left",
    )
    shown.add_column("what")
    for heading in ("products", "calls", "seconds", "a second", "ratio", "a busy second", "first page after", "MB"):
        shown.add_column(heading, justify="right")
    for title, walked in rows:
        shown.add_row(
            title,
            f"{walked.products:,}",
            f"{walked.calls:,}",
            f"{walked.seconds:.1f}",
            f"{walked.per_second:,.0f}",
            f"{walked.per_second / rows[0][1].per_second:.1f}",
            f"{walked.per_busy_second:,.0f}",
            f"{walked.resumed:.2f} s" if walked.resumed else "–",
            f"{walked.megabytes:.0f}",
        )
    return shown


def _environment(folder: Path) -> dict[str, str]:
    return {
        "RULES": str(RULES),
        "STORES": str(folder / "stores.yaml"),
        "DATABASE_URL": f"sqlite:///{folder / 'engine.db'}",
    }


async def _walk(folder: Path, kind: str) -> Walked:
    log = folder / "walk.log"
    arguments = ["-m", "benchmarks.sweep", "--walk", kind]
    async with running(arguments, log=log, environment=_environment(folder)) as child:
        assert child.stdout is not None
        line = await asyncio.wait_for(child.stdout.readline(), LONGEST)
    if not line:
        raise StageError(f"a walk did not end: {end_of(log)}")
    return Walked(**json.loads(line))


async def _killed(folder: Path, products: int) -> Walked:
    """Kill a walk when half of it is done, and give what the next process has left."""
    database = Database.from_url(f"sqlite:///{folder / 'engine.db'}")
    try:
        arguments = ["-m", "benchmarks.sweep", "--walk", SweepKind.ASKED.value]
        async with running(arguments, log=folder / "killed.log", environment=_environment(folder)) as child:
            until = time.monotonic() + LONGEST
            while time.monotonic() < until and child.returncode is None:
                half = [
                    each for each in await database.read(partial(open_sweeps, store=WEB)) if each.seen * 2 > products
                ]
                if half:
                    break
                await asyncio.sleep(0.01)
            child.kill()
            await child.wait()
    finally:
        database.close()
    return await _walk(folder, SweepKind.ASKED)


def main() -> None:
    """Measure, or walk once for the process that measures."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--products", type=int, default=100_000)
    wanted.add_argument("--walk", help=argparse.SUPPRESS)
    given = wanted.parse_args()
    if given.walk:
        sys.stdout.write(json.dumps(asdict(uvloop.run(work(given.walk)))) + "\n")
        return
    console = Console(width=None if sys.stdout.isatty() else 130)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=HERE) as place:
        try:
            uvloop.run(measure(Path(place), console, given.products))
        except StageError as error:
            console.print(f"The benchmark could not be run to its end: {error}", style="red")
            sys.exit(1)


if __name__ == "__main__":
    main()
