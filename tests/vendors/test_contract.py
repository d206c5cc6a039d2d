"""What holds for every vendor: one suite, four shops, any input."""

from __future__ import annotations

import json
import types
import typing
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vendor_cases import CASES, KEYS, NOW, Case, delivery, every_vendor

from rules_engine.core.action import (
    Action,
    ActionKey,
    ActionKind,
    Done,
    NothingToDo,
    Request,
    Response,
)
from rules_engine.core.delivery import EventType
from rules_engine.core.errors import (
    AuthenticationError,
    CallError,
    NotPreparedError,
    SignatureError,
    TemporaryError,
)
from rules_engine.core.subject import Category, Product, ProductId, Snapshot, SubjectKind, SubjectRef, product
from rules_engine.vendors import VENDORS

NEEDS_TARGET = {ActionKind.ADD_TO_CATEGORY, ActionKind.REMOVE_FROM_CATEGORY, ActionKind.ASSIGN_BRAND}
UNSAFE = ["", " ", "a/b", "a?b", "a#b", ".."]

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["*", "NaN", "1e999"])
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "_id", "name", "en", "value", "price", "quantity"]), inner, max_size=3)
    ),
    max_leaves=6,
)
ANSWERS = st.binary() | st.builds(
    lambda value: json.dumps(value).encode(),
    JSON
    | st.fixed_dictionaries(
        {},
        optional={
            "success": SCALARS,
            "updateCount": SCALARS,
            "deleteCount": SCALARS,
            "_id": st.just("42") | SCALARS,
            "products": JSON | st.lists(st.fixed_dictionaries({"_id": st.sampled_from(["1", "2", "3", 4])})),
            "message": JSON,
            "error": JSON,
        },
    ),
)


def actions(kind: ActionKind, count: int, target: str = "42") -> list[Action]:
    return [Action(ActionKey(f"k-{n}"), kind, ProductId(str(n)), target) for n in range(1, count + 1)]


def writes(case: Case) -> list[Request]:
    """A call of every kind that the vendor knows, for three products."""
    kinds = sorted(case.vendor.CAPABILITIES.actions)
    return [request for kind in kinds for request in case.vendor.prepare(actions(kind, 3))]


def shown(case: Case, item: object) -> tuple[Snapshot, ...]:
    """The snapshots that the vendor makes of a product: read where it can be, else from a delivery."""
    vendor = case.vendor
    if not vendor.CAPABILITIES.can_read:
        body = json.dumps({"type": "product.updated", "data": item}).encode()
        events = vendor.normalise(delivery(body, {"webhook-timestamp": "1772366400"})).events
        return tuple(event.snapshot for event in events if event.snapshot)
    (request,) = vendor.read([product(str(case.sample["id"]))])
    return vendor.parse(request, Response(200, NOW, {}, json.dumps(item).encode())).snapshots


def fits(value: object, hint: Any) -> bool:
    """Whether a value has the type that a TypedDict says."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True
    if origin in (types.UnionType, typing.Union):
        return any(fits(value, one) for one in inner)
    if origin is list:
        return isinstance(value, list) and all(fits(one, inner[0]) for one in value)
    if origin is dict:
        return isinstance(value, dict) and all(fits(k, inner[0]) and fits(v, inner[1]) for k, v in value.items())
    if typing.is_typeddict(hint):
        hints = typing.get_type_hints(hint)
        return isinstance(value, dict) and all(key in hints and fits(one, hints[key]) for key, one in value.items())
    allowed = (int, float) if hint is float else hint  # as for type checkers: an int is a float
    return isinstance(value, allowed) and (hint is bool or not isinstance(value, bool))


def test_the_list_of_vendors_uses_their_own_words() -> None:
    assert [(word, kind.NAME) for word, kind in VENDORS.items()] == [(name, name) for name in map(str, CASES)]


@every_vendor
def test_a_vendor_says_what_it_is_and_can(case: Case) -> None:
    vendor = case.vendor
    assert vendor.TITLE
    assert vendor.base_url.startswith("https://")
    assert vendor.CAPABILITIES.actions
    assert vendor.CAPABILITIES.rate > 0
    assert vendor.CAPABILITIES.burst >= 1
    assert vendor.CAPABILITIES.batch >= 1
    assert not {name for name in vendor.HEADERS_TO_KEEP if name != name.lower() or "auth" in name or "sign" in name}


def test_the_documented_limits_and_traps_are_known() -> None:
    able = {name: kind.CAPABILITIES for name, kind in VENDORS.items()}
    assert (able["ecwid"].rate, able["ecwid"].burst) == (10, 600), "600 a minute for each token"
    assert (able["zid"].rate, able["zid"].burst, able["zid"].batch) == (1, 60, 50), "60 a minute, a leaky bucket"
    assert (able["ecwid"].promotes_to, able["ecwid"].has_one_door) == ("0", True), "the top level; one URL for an app"
    assert [name for name, one in able.items() if one.empties_whole] == ["zid"]
    assert [name for name, one in able.items() if one.proves_by_answer] == ["zave", "axim"]
    assert able["zid"].busy_status == 429, "which does not count as a failure of the webhook"


@every_vendor
def test_fields_are_named_as_rules_name_them(case: Case) -> None:
    ours = {f"product.{name}" for name in Product.__annotations__} | {f"category.{n}" for n in Category.__annotations__}
    assert case.vendor.FIELDS <= case.vendor.fields <= ours
    assert {"product.id", "product.sku", "product.stock", "product.published"} <= case.vendor.FIELDS


@every_vendor
def test_the_documented_product_fills_every_field(case: Case) -> None:
    (seen,) = shown(case, case.sample)
    missing = {name for name in case.vendor.FIELDS if name.startswith("product.")} - {
        f"product.{f}" for f in seen.fields
    }
    assert not missing
    assert seen.fields["raw"] == case.sample
    assert seen.fields["sku"] == "A-1"
    assert seen.fields["stock"] == 3
    assert seen.fields["published"] is True


@every_vendor
@given(edits=st.data())
def test_whatever_a_product_holds_its_snapshot_has_the_types_of_its_fields(case: Case, edits: st.DataObject) -> None:
    changes = edits.draw(st.dictionaries(st.sampled_from(sorted(case.sample)), JSON, max_size=4))
    removed = edits.draw(st.sets(st.sampled_from(sorted(case.sample)), max_size=3))
    item = {name: value for name, value in {**case.sample, **changes}.items() if name not in removed}
    try:
        snapshots = shown(case, item)
    except CallError:
        return
    for seen in snapshots:
        wrong = {name: value for name, value in seen.fields.items() if not fits(value, PRODUCT_HINTS[name])}
        assert not wrong
        assert seen.ref == product(seen.fields["id"])
        assert seen.ref.id not in ("", "*")


PRODUCT_HINTS = typing.get_type_hints(Product)


@every_vendor
@given(body=st.binary() | st.builds(lambda v: json.dumps(v).encode(), JSON), edits=st.data())
def test_no_bytes_are_too_strange(case: Case, body: bytes, edits: st.DataObject) -> None:
    signed = case.sign(case.updated, case.sample, case.secrets[0], NOW)
    names = st.sampled_from([*signed.headers, "authorization", "x-ecwid-webhook-signature"])
    texts = st.text() | st.sampled_from(["Basic", "Basic !", "v1,", "v1,=", "v1", "1772366400", "9" * 99, "٣", *KEYS])
    headers = {**signed.headers, **edits.draw(st.dictionaries(names, texts, max_size=3))}
    query = edits.draw(st.dictionaries(st.sampled_from(["event", "token", "eventtype"]), texts, max_size=2))
    strange = delivery(edits.draw(st.sampled_from([body, signed.body, signed.body[:-1]])), headers, query)
    try:
        case.vendor.verify(strange, case.vendor.settings.webhook_secrets)
    except SignatureError as error:
        assert str(error)  # noqa: PT017 - any other error fails the test by itself
    said = case.vendor.normalise(strange)
    assert said.duplicate_key
    assert said.events or not said.is_readable
    assert said.reason or all(event.subject for event in said.events)


@every_vendor
def test_each_of_two_rotated_secrets_is_accepted_and_no_other(case: Case) -> None:
    settings = case.vendor.settings
    for secret in case.secrets[:2]:
        case.vendor.verify(case.sign(case.updated, case.sample, secret, NOW), settings.webhook_secrets)
    with pytest.raises(SignatureError):
        case.vendor.verify(case.sign(case.updated, case.sample, case.secrets[2], NOW), settings.webhook_secrets)


@every_vendor
@pytest.mark.parametrize("secrets", [(), ("",), ("  ",)], ids=["none", "empty", "blank"])
def test_a_store_without_a_secret_takes_nothing(case: Case, secrets: tuple[str, ...]) -> None:
    signed = case.sign(case.updated, case.sample, case.secrets[0], NOW)
    with pytest.raises(SignatureError):
        case.vendor.verify(signed, secrets)


@every_vendor
@pytest.mark.parametrize("age", [timedelta(hours=26), timedelta(hours=-1)], ids=["old", "in the future"])
def test_a_stale_delivery_is_refused_where_the_shop_signs_its_time(case: Case, age: timedelta) -> None:
    stale = case.sign(case.updated, case.sample, case.secrets[0], NOW - age)
    if case.is_timed:
        with pytest.raises(SignatureError):
            case.vendor.verify(stale, case.vendor.settings.webhook_secrets)


@every_vendor
def test_an_update_names_its_product_and_repeats_its_duplicate_key(case: Case) -> None:
    first, again = (case.sign(case.updated, case.sample, secret, NOW) for secret in case.secrets[:2])
    (event,) = case.vendor.normalise(first).events
    assert event.type is EventType.PRODUCT_UPDATED
    assert event.subject == product(str(case.sample.get("_id", case.sample.get("id"))))
    assert case.vendor.normalise(first).duplicate_key == case.vendor.normalise(again).duplicate_key


@every_vendor
def test_an_unknown_type_is_an_event_with_a_reason(case: Case) -> None:
    said = case.vendor.normalise(case.sign("order.created", case.sample, case.secrets[0], NOW))
    assert [event.type for event in said.events] == [EventType.UNKNOWN]
    assert said.is_readable
    assert said.reason


@every_vendor
@pytest.mark.parametrize("kind", ActionKind)
def test_calls_hold_every_action_once_and_no_more_than_a_batch(case: Case, kind: ActionKind) -> None:
    asked = actions(kind, 250)
    if kind not in case.vendor.CAPABILITIES.actions:
        with pytest.raises(NotPreparedError):
            case.vendor.prepare(asked)
        return
    requests = case.vendor.prepare(asked)
    assert max(len(request.actions) for request in requests) <= case.vendor.CAPABILITIES.batch
    assert sorted(action.key for request in requests for action in request.actions) == sorted(a.key for a in asked)
    assert case.vendor.prepare([]) == ()


@every_vendor
@pytest.mark.parametrize("id_", UNSAFE)
def test_an_id_that_would_change_the_call_is_refused_before_a_call_is_built(case: Case, id_: str) -> None:
    for kind in case.vendor.CAPABILITIES.actions:
        with pytest.raises(NotPreparedError):
            case.vendor.prepare([Action(ActionKey("k"), kind, ProductId(id_), "42")])
        if kind in NEEDS_TARGET and kind is not ActionKind.ASSIGN_BRAND:
            with pytest.raises(NotPreparedError):
                case.vendor.prepare([Action(ActionKey("k"), kind, ProductId("1"), id_)])
    if ActionKind.ASSIGN_BRAND in case.vendor.CAPABILITIES.actions and not id_.strip():
        with pytest.raises(NotPreparedError):
            case.vendor.prepare([Action(ActionKey("k"), ActionKind.ASSIGN_BRAND, ProductId("1"), id_)])


@every_vendor
@given(status=st.integers(0, 999) | st.sampled_from([200, 201, 204, 302, 404]), body=ANSWERS)
def test_every_answer_gives_every_action_one_outcome(case: Case, status: int, body: bytes) -> None:
    for request in writes(case):
        outcomes = case.vendor.interpret(request, Response(status, NOW, {}, body)).outcomes
        assert [outcome.action for outcome in outcomes] == [action.key for action in request.actions]
        if not 200 <= status < 300:
            assert not [outcome for outcome in outcomes if isinstance(outcome.verdict, Done | NothingToDo)]


@every_vendor
@given(status=st.integers(0, 999), body=ANSWERS)
def test_every_answer_to_a_read_is_a_reading_or_an_error_of_ours(case: Case, status: int, body: bytes) -> None:
    for request in reads(case):
        try:
            case.vendor.parse(request, Response(status, NOW, {}, body))
        except CallError as error:
            assert str(error)  # noqa: PT017 - any other error fails the test by itself


def reads(case: Case) -> list[Request]:
    """The reads of a product, a category and a brand, as far as the vendor knows them; and one that it does not."""
    found = [Request("GET", "https://shop.example/", subjects=(product("1"),))] if str(case) in ("zave", "axim") else []
    for ref in (product("1"), SubjectRef(SubjectKind.CATEGORY, "2"), SubjectRef(SubjectKind.BRAND, "3")):
        try:
            found += case.vendor.read([ref])
        except NotPreparedError:
            continue
    return found


@every_vendor
@pytest.mark.parametrize("status", [301, 302, 401, 403])
def test_a_refusal_or_a_redirect_is_about_our_credentials(case: Case, status: int) -> None:
    answer = Response(status, NOW, {"location": "https://shop.example/login"}, b"<html>")
    for request in writes(case):
        verdicts = [outcome.verdict for outcome in case.vendor.interpret(request, answer).outcomes]
        assert all(isinstance(verdict, AuthenticationError) for verdict in verdicts)
    for request in reads(case):
        with pytest.raises(AuthenticationError):
            case.vendor.parse(request, answer)


@every_vendor
@pytest.mark.parametrize("status", [408, 409, 429, 449, 500, 503])
def test_a_busy_shop_is_called_again_when_it_says(case: Case, status: int) -> None:
    for request in writes(case):
        for outcome in case.vendor.interpret(request, Response(status, NOW, {"retry-after": "7"})).outcomes:
            assert isinstance(outcome.verdict, TemporaryError)
            assert outcome.verdict.delay == 7


@every_vendor
def test_secrets_stand_in_headers_only(case: Case) -> None:
    secrets = [str(value) for value in case.settings.values() if str(value).startswith("secret_")]
    assert secrets
    for request in [*writes(case), *reads(case)]:
        for secret in secrets:
            assert secret not in request.url
            assert secret.encode() not in (request.body or b"")
        for outcome in case.vendor.interpret(request, Response(500, NOW)).outcomes:
            assert not [secret for secret in secrets if secret in str(outcome.verdict)]
