"""What a person types is found by id, SKU, variant's SKU or name, in every store that knows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from rules_engine.core.action import Aspect, SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import CategoryEntry, Directory
from rules_engine.core.plan import Case
from rules_engine.core.subject import ProductId, Snapshot, SubjectRef, category, product
from rules_engine.database import ledger
from rules_engine.preview.why_find import Found, find
from rules_engine.preview.why_words import Clock, SlotWords, read_time

WEB, KSA = StoreAlias("web"), StoreAlias("ksa")
NOW = datetime(2026, 11, 20, 14, 3, 20, tzinfo=UTC)
RIYADH = ZoneInfo("Asia/Riyadh")


def see(connection: sa.Connection, store: StoreAlias, ref: SubjectRef, *, is_gone: bool = False, **fields: Any) -> None:
    snapshot = Snapshot(ref, {"id": ref.id, **fields}) if fields else None
    ledger.save_case(connection, store, Case(ref), Case(ref, snapshot, 1, NOW, is_gone=is_gone), now=NOW)


@pytest.fixture
def catalogue(connection: sa.Connection) -> sa.Connection:
    variants = [{"id": "v1", "sku": "B-1-42"}, {"id": "v2", "sku": None}, {"id": "v3"}]
    see(connection, WEB, product("10"), sku="N-1", name="s-2")
    see(connection, WEB, product("17"), sku="B-1", name="Boot", names=["Boot", "Stiefel"], variants=variants)
    see(connection, WEB, product("18"), sku="17", name="Shoe")
    see(connection, WEB, product("19"), sku="S-2", name="shoe")
    see(connection, WEB, product("20"), is_gone=True)
    see(connection, WEB, category("9"), name="Boots", path="Home / Boots")
    see(connection, KSA, product("x-1"), sku="b-1", name="حذاء")
    return connection


def refs(connection: sa.Connection, what: str) -> list[str]:
    found = find(connection, what, [WEB, KSA])
    return [f"{match.store} {match.ref}" for match in found.matches]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("B-1", ["web product:17", "ksa product:x-1"]),
        (" b-1 ", ["web product:17", "ksa product:x-1"]),
        ("b-1-42", ["web product:17"]),
        ("STIEFEL", ["web product:17"]),
        ("حذاء", ["ksa product:x-1"]),
        ("17", ["web product:17"]),
        ("20", ["web product:20"]),
        ("S-2", ["web product:19"]),
        ("shoe", ["web product:18", "web product:19"]),
        ("Boots", ["web category:9"]),
        ("home / boots", ["web category:9"]),
        ("category:9", ["web category:9"]),
        ("product:9", []),
        ("v1", []),
    ],
)
def test_what_is_typed_is_found(catalogue: sa.Connection, what: str, expected: list[str]) -> None:
    assert refs(catalogue, what) == expected


def test_two_of_one_name_in_a_store_are_not_clear(catalogue: sa.Connection) -> None:
    assert not find(catalogue, "shoe", [WEB, KSA]).is_clear
    assert find(catalogue, "B-1", [WEB, KSA]).is_clear


def test_what_was_probably_meant_is_named(catalogue: sa.Connection) -> None:
    assert find(catalogue, "Stifel", [WEB]) == Found(near="Stiefel", is_any_known=True)


def test_only_the_stores_that_are_asked_about_are_searched(catalogue: sa.Connection) -> None:
    assert not find(catalogue, "B-1-42", [KSA]).matches
    assert find(catalogue, "B-1", [StoreAlias("other")]) == Found()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-20 14:00", "2026-11-20T11:00+00:00"),
        ("2026-11-20", "2026-11-19T21:00+00:00"),
        ("2026-11-20T14:00:30", "2026-11-20T11:00:30+00:00"),
        ("2026-11-20T14:00Z", "2026-11-20T14:00+00:00"),
        ("2026-11-20T14:00+01:00", "2026-11-20T13:00+00:00"),
        ("9:30", "2026-11-20T06:30+00:00"),
        ("yesterday 14:00", "2026-11-19T11:00+00:00"),
        ("Tomorrow 00:15", "2026-11-20T21:15+00:00"),
        ("Now", "2026-11-20T14:03:20+00:00"),
        ("2 hours ago", "2026-11-20T12:03:20+00:00"),
        ("in 1 hour 30 minutes", "2026-11-20T15:33:20+00:00"),
    ],
)
def test_a_time_is_read_in_the_zone_of_the_store(text: str, expected: str) -> None:
    assert read_time(text, NOW, RIYADH) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "25:00",
        "2026-13-01",
        "x ago",
        "in",
        "20.11.2026",
        "3660 weeks ago",
        "14",
        "9999-12-31",
        "0001-01-01",
    ],
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_time(text, NOW, RIYADH) is None


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (timedelta(milliseconds=300), "14:03, now"),
        (timedelta(seconds=59), "14:02, 59 seconds ago"),
        (timedelta(seconds=119), "14:01, 1 minute ago"),
        (timedelta(minutes=100), "12:23, 1 hour 40 minutes ago"),
        (timedelta(hours=30), "19 November 08:03, 1 day 6 hours ago"),
        (timedelta(days=3, hours=5), "17 November 09:03, 3 days ago"),
        (timedelta(days=400), "16 October 2025 14:03, 400 days ago"),
        (timedelta(minutes=-9), "14:12, in 9 minutes"),
    ],
)
def test_times_are_said_as_seen_from_now(span: timedelta, expected: str) -> None:
    assert Clock(NOW, UTC).both(NOW - span) == expected


def test_days_are_those_of_the_store_s_zone() -> None:
    late = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)
    assert Clock(late, RIYADH).at(datetime(2026, 11, 20, 20, 30, tzinfo=UTC)) == "20 November 23:30"
    assert Clock(late, UTC).at(datetime(2026, 11, 20, 20, 30, tzinfo=UTC)) == "20:30"


@pytest.mark.parametrize(
    ("aspect", "value", "expected"),
    [
        ("membership", True, ("is in F (1)", "keeps it in F (1)", "put it into F (1)", "it goes back into F (1)")),
        (
            "membership",
            False,
            ("is not in F (1)", "keeps it out of F (1)", "take it out of F (1)", "it leaves F (1) again"),
        ),
        ("visibility", True, ("is shown", "keeps it shown", "show it", "it is shown again")),
        ("visibility", False, ("is hidden", "keeps it hidden", "hide it", "it is hidden again")),
        (
            "brand",
            None,
            ("has no brand", "keeps it without a brand", "take the brand off it", "it loses its brand again"),
        ),
        (
            "brand",
            "b",
            ("has the brand B", "keeps the brand B on it", "give it the brand B", "it gets the brand B back"),
        ),
    ],
)
def test_a_slot_is_said_in_words(aspect: str, value: bool | str | None, expected: tuple[str, ...]) -> None:
    slot = SlotRef(ProductId("17"), Aspect(aspect), "1" if aspect == "membership" else "")
    words = SlotWords(slot, {"brand_names": {"b": "B"}}, Directory({"1": CategoryEntry("1", ("F",))}))
    said = (words.is_so(value), words.keeps(value, "it"), words.make(value, "it"), words.returns(value, "it"))
    assert tuple(text.replace('"', "") for text in said) == expected


def test_the_top_level_is_called_by_the_name_that_a_rule_may_write() -> None:
    slot = SlotRef(ProductId("17"), Aspect.MEMBERSHIP, "0")
    directory = Directory({"0": CategoryEntry("0", ("Store front page",))})
    assert SlotWords(slot, {}, directory).make(True, "it") == "put it into Store front page (0)"
    assert SlotWords(slot, {}, Directory()).make(True, "it") == "put it into category 0"
