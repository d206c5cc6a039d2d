"""The demo, run as a newcomer runs it, and its stage when a scene goes wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from rules_engine.commands.stage import Event, members, open_stage
from rules_engine.sandbox import EcwidShop
from rules_engine.sandbox.story import RUNNER, Scene, members_without

COMMAND = [str(Path(sys.executable).with_name("rules-engine")), "demo"]
LONGEST = 60
"""Seconds that a run may take on a busy machine; on a quiet one it takes about five."""

FEATURED, ACME, GLOBEX = 9691094, 9691097, 9691098


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """The object that `demo --once --json` prints."""
    ran = subprocess.run([*COMMAND, "--once", "--json"], capture_output=True, text=True, timeout=LONGEST, check=False)
    assert ran.returncode == 0, ran.stderr
    assert not ran.stderr
    assert ran.stdout.count("\n") == 1
    said: dict[str, Any] = json.loads(ran.stdout)
    return said


def calls(told: dict[str, Any], alias: str) -> list[tuple[str, str, Any]]:
    made = told["stores"][alias]["calls"]
    assert {call["status"] for call in made} == {200}
    assert all(call.keys() == {"method", "path", "body", "status"} for call in made)
    return [(call["method"], call["path"], call["body"]) for call in made]


def test_every_shop_ends_as_expected(told: dict[str, Any]) -> None:
    assert told.keys() == {"stores"}
    assert {alias: shop["ended_as_expected"] for alias, shop in told["stores"].items()} == dict.fromkeys(
        ("web", "ksa", "b2b", "brands"), True
    )


def test_every_shop_sends_its_webhooks_and_their_echoes(told: dict[str, Any]) -> None:
    # At Ecwid: four edits, one of them sent twice, and two echoes for each of the four calls.
    assert {alias: shop["deliveries"] for alias, shop in told["stores"].items()} == {
        "web": 5 + 8,
        "ksa": 2 + 8,
        "b2b": 2 + 2,
        "brands": 4 + 2,
    }


def test_ecwid_gets_the_fewest_calls(told: dict[str, Any]) -> None:
    base = "/api/v3/1003/categories"
    assert calls(told, "web") == [
        ("POST", f"{base}/{FEATURED}/unassignProducts", {"productIds": [37208339]}),
        ("POST", f"{base}/{FEATURED}/assignProducts", {"productIds": [37208339]}),
        ("POST", f"{base}/{ACME}/unassignProducts", {"productIds": [37208340]}),
        ("POST", f"{base}/{GLOBEX}/unassignProducts", {"productIds": [37208340]}),
    ]


def test_zid_gets_one_call_for_the_whole_category_and_each_member_back(told: dict[str, Any]) -> None:
    whole, *back = calls(told, "ksa")
    assert whole == ("DELETE", "/v1/managers/store/categories/540/products/delete", None)
    returned = {re.fullmatch(r"/v1/products/([^/]+)/categories/", path) for _, path, _ in back}
    assert None not in returned
    assert len(returned) == 4
    assert all((method, body) == ("POST", {"id": 540}) for method, _, body in back)


def test_zave_gets_bare_arrays(told: dict[str, Any]) -> None:
    base = "/v2/product/category/collection-id-1/products"
    assert calls(told, "b2b") == [("PUT", f"{base}/remove", ["laptop-1"]), ("PUT", f"{base}/add", ["laptop-1"])]


def test_axim_gets_one_call_for_both_products(told: dict[str, Any]) -> None:
    body = {"id": "663a0cbe516313e5bc94aa87", "productIds": ["drill-1", "drill-2"]}
    assert calls(told, "brands") == [("POST", "/brands/unassign-products", body)]


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            yield demo
        finally:
            demo.kill()


def read_until(demo: subprocess.Popen[str], words: str) -> str:
    """The output up to the line that has the words in it."""
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if words in line:
            return "".join(lines)
    raise AssertionError(f"{words!r} was never said in:\n{''.join(lines)}")


def test_people_see_each_step_and_play_on_until_ctrl_c() -> None:
    with running() as demo:
        story = read_until(demo, "Ctrl-C")
        web = re.findall(r"web +ecwid +(http://\S+)", story)[0]
        engine = re.findall(r"engine listens on (http://\S+)", story)[0]
        assert httpx.get(f"{engine}/readyz").status_code == 200
        httpx.post(f"{web}/__sandbox/edit", json={"do": "sell_out", "with": [37208345]})
        played = read_until(demo, "unassignProducts")
        demo.send_signal(signal.SIGINT)
        _, complaints = demo.communicate(timeout=LONGEST)
    assert (demo.returncode, complaints) == (0, "")
    assert "\x1b" not in story
    assert len(re.findall(r"^ *\d+  (?:web|ksa|b2b|brands) \(", story, re.MULTILINE)) == 12
    assert story.count("ended as expected") == 4
    for words in (
        "webhook  product.updated → 200",
        "rule     sold-out-leaves-featured, product 37208339: its condition began to hold",
        "call     DELETE /v1/managers/store/categories/540/products/delete → 200",
        "now      Summer: (empty)",
        "now      Summer: Linen shirt, Straw hat, عطر العود, Voucher",
        "now      Acme: Saw",
        "the same webhook is delivered again",
        "echoes the engine's own call",
    ):
        assert words in story
    assert "rule     web: sold-out-leaves-featured, product 37208345" in played


def test_ctrl_c_in_the_middle_of_the_story_ends_it_with_0() -> None:
    with running() as demo:
        read_until(demo, "leaves Featured")
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=LONGEST)
    assert demo.returncode == 0


@pytest.mark.anyio
async def test_a_scene_that_does_not_end_as_told_is_said() -> None:
    events: list[Event] = []
    async with open_stage(events.append) as stage:
        shop = stage.shops["web"]
        assert isinstance(shop, EcwidShop)
        scene = Scene("web", "it sells out", calls=1, shows=[], edit=lambda: shop.sell_out(RUNNER))
        stage.patience = 0.5
        stays = members(shop)
        assert await stage.play(scene, stays) == "it did not come to its end within 0.5 seconds"
        stage.patience = LONGEST
        again = replace(scene, edit=lambda: shop.restock(RUNNER, 1), calls=2)
        assert await stage.play(again, stays) == "the shop got 1 calls that write, not 2"
        assert not await stage.has_dead_letters("web")
    assert events
    assert members_without(shop, {FEATURED: [RUNNER]}) != stays
