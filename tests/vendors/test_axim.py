"""Axim: products in deliveries, brands given and taken, and a success that the body must say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import Action, ActionKey, ActionKind, Done, LookAgain, Reading, Response, Verdict
from rules_engine.core.delivery import Delivery, DeliveryId, EventType, Normalised, StoreAlias
from rules_engine.core.errors import AuthenticationError, NotPreparedError, PermanentError, TemporaryError
from rules_engine.core.subject import ALL, ProductId, Snapshot, SubjectRef, brand, category, product
from rules_engine.vendors.axim import Axim, AximStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACME = "663a0cbe516313e5bc94aa87"
SETTINGS: dict[str, Any] = {
    "vendor": "axim",
    "base_url": "https://axim.example",
    "token": "token-1",
    "webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "names": {"brands": {"Acme": ACME}},
}
PRODUCT: dict[str, Any] = {
    "id": 7,
    "sku": "A-1",
    "name": "Shoe",
    "brand": {"id": ACME, "name": "ACME Ltd"},
    "stock": 3,
    "published": True,
    "price": "10.50",
    "tags": ["end-of-line"],
    "updated_at": "2026-03-01T10:00:00Z",
}
ASSIGN, UNASSIGN = ActionKind.ASSIGN_BRAND, ActionKind.UNASSIGN_BRAND


def axim(**more: Any) -> Axim:
    return Axim(AximStore.model_validate({**SETTINGS, **more}))


def said(item: object, type_: str = "product.updated", vendor: Axim | None = None) -> Normalised:
    body = json.dumps({"type": type_, "timestamp": "2026-03-01T12:00:00Z", "data": item}).encode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1772366400"}
    return (vendor or axim()).normalise(Delivery(DeliveryId("d"), StoreAlias("brands"), NOW, body, headers))


def fields(vendor: Axim | None = None, **changes: Any) -> dict[str, Any]:
    """The snapshot of a delivery with the product as changed; `...` leaves a key out."""
    item = {key: value for key, value in {**PRODUCT, **changes}.items() if value is not ...}
    (event,) = said(item, vendor=vendor).events
    assert event.snapshot
    return dict(event.snapshot.fields)


def actions(kind: ActionKind, *products: str, target: str = ACME) -> list[Action]:
    return [Action(ActionKey(f"{kind}-{one}"), kind, ProductId(one), target) for one in products]


def verdicts(answer: object, status: int = 200) -> list[Verdict]:
    (request,) = axim().prepare(actions(UNASSIGN, "p-1", "p-2"))
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return [outcome.verdict for outcome in axim().interpret(request, Response(status, NOW, {}, body)).outcomes]


def reading(answer: object, status: int = 200) -> Reading:
    (request,) = axim().read([brand(ACME)])
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return axim().parse(request, Response(status, NOW, {}, body))


def test_the_default_shape_is_our_own_words() -> None:
    seen = fields()
    assert seen.pop("raw") == PRODUCT
    assert seen == {
        "id": "7",
        "sku": "A-1",
        "name": "Shoe",
        "brand": "Acme",  # the name that stores.yaml gives goes first
        "brand_id": ACME,
        "stock": 3,
        "tracks_stock": True,
        "in_stock": True,
        "can_be_ordered": True,
        "published": True,
        "price": 10.5,
        "tags": ["end-of-line"],
        "updated_at": "2026-03-01T10:00:00+00:00",
    }


@pytest.mark.parametrize("none", [None, "", " ", {"id": None, "name": None}, {"id": "", "name": " "}, {}])
def test_no_brand_is_known_to_be_none(none: object) -> None:
    seen = fields(brand=none)
    assert (seen["brand"], seen["brand_id"]) == (None, None)


@pytest.mark.parametrize("odd", [..., 7, [], {"slug": "acme"}, {"id": [], "name": {}}])
def test_a_brand_that_cannot_be_told_is_unknown(odd: object) -> None:
    assert not {"brand", "brand_id"} & fields(brand=odd).keys()


@pytest.mark.parametrize(
    ("given_", "name", "id_"),
    [
        ({"id": ACME}, "Acme", ACME),
        ({"name": "acme"}, "acme", ACME),
        ("Acme", "Acme", ACME),
        ({"id": 5, "name": "Globex"}, "Globex", "5"),
        ({"id": "5"}, None, "5"),
        ("Globex", "Globex", None),
    ],
)
def test_a_brand_has_a_name_and_an_id_as_far_as_they_are_known(given_: object, name: object, id_: object) -> None:
    seen = fields(brand=given_)
    assert (seen.get("brand"), seen.get("brand_id")) == (name, id_)
    assert None not in (seen.get("brand", ""), seen.get("brand_id", ""))


def test_in_our_own_words_a_null_stock_is_unlimited_and_an_absent_one_unknown() -> None:
    assert (fields(stock=None)["stock"], fields(stock=None)["tracks_stock"]) == (None, False)
    assert fields(stock=None)["can_be_ordered"] is True
    assert not {"stock", "tracks_stock", "in_stock"} & fields(stock=...).keys()


def test_a_deletion_needs_no_more_than_the_id() -> None:
    (event,) = said({"id": 7}, "product.deleted").events
    assert (event.type, event.subject, event.snapshot) == (EventType.PRODUCT_DELETED, product("7"), None)


def test_a_call_is_a_post_for_one_brand_with_its_products() -> None:
    (request,) = axim().prepare(actions(UNASSIGN, "p-1", "p-2"))
    assert (request.method, request.url) == ("POST", "https://axim.example/brands/unassign-products")
    assert json.loads(request.body or b"") == {"id": ACME, "productIds": ["p-1", "p-2"]}
    assert request.headers["accessToken"] == "token-1"
    assert axim().prepare(actions(ASSIGN, "p-1"))[0].url == "https://axim.example/brands/assign-products"


@pytest.mark.parametrize("prefix", ["Bearer", "Bearer "])
def test_the_token_may_have_a_prefix(prefix: str) -> None:
    (request,) = axim(token_prefix=prefix).prepare(actions(UNASSIGN, "p-1"))
    assert request.headers["accessToken"] == "Bearer token-1"


@pytest.mark.parametrize("kind", ActionKind)
def test_no_action_deletes_a_brand(kind: ActionKind) -> None:
    if kind in (ASSIGN, UNASSIGN):
        assert {request.method for request in axim().prepare(actions(kind, "p-1"))} == {"POST"}
    else:
        with pytest.raises(NotPreparedError):
            axim().prepare(actions(kind, "p-1"))


def test_an_unknown_brand_is_never_unassigned() -> None:
    with pytest.raises(NotPreparedError, match="brand is empty"):
        axim().prepare(actions(UNASSIGN, "p-1", target=""))


@pytest.mark.parametrize("more", [{}, {"data": {"brandId": "x", "unassignedCount": 0}}, {"data": None}])
def test_success_true_is_done_whatever_else_is_said(more: dict[str, object]) -> None:
    assert verdicts({"success": True, "message": "ok", **more}) == [Done(is_shown=True)] * 2


@pytest.mark.parametrize("answer", [{"success": False, "message": "Busy"}, {}, {"success": "true"}, [], b"", b"<html>"])
def test_a_200_that_does_not_say_success_is_tried_again(answer: object) -> None:
    assert all(isinstance(verdict, TemporaryError) for verdict in verdicts(answer))


def test_the_shops_own_words_are_kept() -> None:
    assert 'did not say that it succeeded: "Busy"' in str(verdicts({"success": False, "message": "Busy"})[0])


def test_a_404_asks_for_the_brand_to_be_read() -> None:
    assert [(type(one), getattr(one, "subjects", ())) for one in verdicts({"success": True}, 404)] == [
        (LookAgain, (brand(ACME),))
    ] * 2


@pytest.mark.parametrize(("status", "kind"), [(400, PermanentError), (401, AuthenticationError), (500, TemporaryError)])
def test_a_documented_status_has_its_meaning(status: int, kind: type[Exception]) -> None:
    assert {type(verdict) for verdict in verdicts({"success": True}, status)} == {kind}


def test_a_brand_can_be_read_and_nothing_else() -> None:
    (request,) = axim().read([brand(ACME), brand(ACME)])
    assert (request.method, request.url) == ("GET", f"https://axim.example/brands/{ACME}")
    assert request.subjects == (brand(ACME),)
    for ref in (product("7"), category("7"), brand(ALL), brand(""), brand("../products")):
        with pytest.raises(NotPreparedError):
            axim().read([ref])


def test_a_brand_that_is_read_has_its_name() -> None:
    found = {"id": ACME, "name": "Acme", "productCount": 3}
    expected = Snapshot(SubjectRef(brand("").kind, ACME), {"id": ACME, "name": "Acme", "raw": found})
    assert reading({"success": True, "data": found}) == Reading((expected,))


def test_a_404_for_a_brand_says_that_it_is_missing() -> None:
    assert reading({"success": False}, 404) == Reading(missing=(brand(ACME),))


@pytest.mark.parametrize(
    "answer", [{}, {"success": True, "data": {"id": "other"}}, b"", {"success": False, "data": {}}]
)
def test_another_answer_about_a_brand_proves_nothing(answer: object) -> None:
    with pytest.raises(TemporaryError):
        reading(answer)


@given(st.dictionaries(st.sampled_from(["brandId", "unassignedCount", "success"]), st.booleans() | st.integers()))
def test_the_block_of_counts_is_never_computed_with(block: dict[str, object]) -> None:
    assert verdicts({"success": True, "data": block}) == [Done(is_shown=True)] * 2
