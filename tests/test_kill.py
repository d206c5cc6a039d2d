"""`kill -9` at any moment, with webhooks flowing: nothing accepted is lost, and every shop ends as expected."""

from __future__ import annotations

import os
from pathlib import Path

from command_house import House
from crash_run import crash_run

KILLS = int(os.environ.get("KILLS", "12"))
SEED = int(os.environ.get("KILL_SEED", "20261121"))


def test_an_engine_that_is_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    with crash_run(House(tmp_path), SEED) as run:
        for _ in range(KILLS):
            run.live_until_killed()
        run.settle()
        taken = sum(len(yard.accepted) for yard in run.yards.values())
        print(  # noqa: T201 - shown by pytest -s, and when the test fails
            f"seed {SEED}: {KILLS} kills ({run.kills_in_flight} during a call), {taken} webhooks taken, "
            f"{run.calls()} calls of which {run.unknown_outcomes()} were cut off"
        )
        assert not run.faults
        assert not run.unplanned()
        assert not run.dead_letters()
        assert not [lost for yard in run.yards.values() for lost in yard.state()["lost"]]
        for alias, yard in run.yards.items():
            assert (alias, yard.members()) == (alias, yard.expected())
        # The run would prove little if no kill had come between a call and the note of its outcome.
        assert run.unknown_outcomes() >= KILLS // 6
