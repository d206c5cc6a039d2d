"""Zave: products in deliveries, and writes that the answer must prove."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rules_engine.core.action import Action, ActionKey, ActionKind, Done, Interpretation, Request, Response
from rules_engine.core.delivery import Delivery, DeliveryId, EventType, Normalised, StoreAlias
from rules_engine.core.errors import NotPreparedError, PermanentError, TemporaryError
from rules_engine.core.subject import ProductId, product
from rules_engine.vendors.zave import Zave, ZaveStore

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SETTINGS: dict[str, Any] = {
    "vendor": "zave",
    "base_url": "https://zave.example/",
    "auth_header": "Authorization",
    "auth_value": "Key abc\n",
    "tenant": "tenant-id-1",
    "webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "names": {"categories": {"Featured": "collection-id-1"}},
}
PRODUCT: dict[str, Any] = {
    "_id": "p-1",
    "sku": "0123",
    "name": "Router",
    "stock": 0,
    "stock_status": "20 in rest",
    "shop_enabled": True,
    "status": {"active": True, "deleted": False},
    "categories": ["collection-id-1", "collection-id-2"],
    "tenant": "tenant-id-1",
    "type": "hardware",
    "subscription": False,
    "currency": {"code": "NOK"},
    "country": {"code": "NO"},
    "created": "2026-01-01T10:00:00.000Z",
    "updated": "2026-03-01T10:00:00.000Z",
    "products": [{"price": 499, "subscription_term": None, "payment_period": None, "amount": 1}],
}
ADD, REMOVE = ActionKind.ADD_TO_CATEGORY, ActionKind.REMOVE_FROM_CATEGORY


def zave(**more: Any) -> Zave:
    return Zave(ZaveStore.model_validate({**SETTINGS, **more}))


def said(item: object, type_: str = "product.updated", vendor: Zave | None = None) -> Normalised:
    body = json.dumps({"type": type_, "timestamp": "2026-03-01T12:00:00Z", "data": item}).encode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": "1772366400"}
    return (vendor or zave()).normalise(Delivery(DeliveryId("d"), StoreAlias("b2b"), NOW, body, headers))


def fields(**changes: Any) -> dict[str, Any]:
    """The snapshot of a delivery with the product as changed; `...` leaves a key out."""
    item = {key: value for key, value in {**PRODUCT, **changes}.items() if value is not ...}
    (event,) = said(item).events
    assert event.snapshot
    return dict(event.snapshot.fields)


def actions(kind: ActionKind, *products: str, target: str = "collection-id-1") -> list[Action]:
    return [Action(ActionKey(f"{kind}-{one}"), kind, ProductId(one), target) for one in products]


def answered(kind: ActionKind, asked: list[str], answer: object, status: int = 200) -> Interpretation:
    (request,) = zave().prepare(actions(kind, *asked))
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return zave().interpret(request, Response(status, NOW, {}, body))


def collection(*products: object) -> dict[str, object]:
    return {"_id": "collection-id-1", "name": "Featured", "products": list(products)}


def test_the_documented_product_in_our_words() -> None:
    seen = fields()
    assert seen.pop("raw") == PRODUCT
    assert seen == {
        "id": "p-1",
        "sku": "0123",
        "name": "Router",
        "stock": 0,
        "tracks_stock": True,
        "in_stock": False,
        "can_be_ordered": False,
        "published": True,
        "price": 499,
        "currency": "NOK",
        "category_ids": ["collection-id-1", "collection-id-2"],
        "category_names": {"collection-id-1": ["Featured"], "collection-id-2": ["collection-id-2"]},
        "categories": ["Featured", "collection-id-2"],
        "created_at": "2026-01-01T10:00:00+00:00",
        "updated_at": "2026-03-01T10:00:00+00:00",
    }


def test_a_subscription_without_stock_can_be_ordered() -> None:
    seen = fields(subscription=True)
    assert (seen["stock"], seen["tracks_stock"], seen["in_stock"], seen["can_be_ordered"]) == (None, False, True, True)


@pytest.mark.parametrize("stock", [None, ..., "many", True])
def test_a_stock_that_is_no_number_is_unknown_and_never_nothing(stock: object) -> None:
    assert not {"stock", "tracks_stock", "in_stock", "can_be_ordered"} & fields(stock=stock).keys()


@pytest.mark.parametrize(
    ("changes", "published"),
    [
        ({}, True),
        ({"shop_enabled": False}, False),
        ({"status": {"active": False, "deleted": False}}, False),
        ({"status": {"active": True, "deleted": True}}, False),
        ({"status": {"deleted": True}, "shop_enabled": ...}, False),
        ({"status": ...}, None),
        ({"status": {"active": True}}, None),
        ({"shop_enabled": ...}, None),
    ],
)
def test_a_product_is_published_when_all_three_flags_say_so(changes: dict[str, Any], published: bool | None) -> None:
    assert fields(**changes).get("published") is published


@pytest.mark.parametrize("lines", [[], [{"price": 1}, {"price": 2}], [{}], None, ...])
def test_a_price_is_known_only_from_a_single_price_line(lines: object) -> None:
    assert "price" not in fields(products=lines)


def test_categories_may_come_as_objects() -> None:
    seen = fields(categories=[{"_id": "collection-id-1", "name": "featured now"}, {"_id": 7, "name": "Sale"}])
    assert seen["category_ids"] == ["collection-id-1", "7"]
    assert seen["categories"] == ["Featured", "Sale"]
    assert seen["category_names"]["collection-id-1"] == ["Featured", "featured now"]


def test_no_categories_are_known_to_be_none_and_absent_ones_are_unknown() -> None:
    assert fields(categories=[])["categories"] == []
    assert not {"categories", "category_ids"} & fields(categories=...).keys()


def test_the_version_is_the_products_own_time_or_else_the_deliverys() -> None:
    (own,), (delivered,) = said(PRODUCT).events, said({**PRODUCT, "updated": None}).events
    assert own.version == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert delivered.version == NOW


def test_a_time_without_an_offset_is_in_the_stores_zone() -> None:
    item = {**PRODUCT, "updated": "2026-03-01T10:00:00"}
    (event,) = said(item, vendor=zave(time_zone="Europe/Oslo")).events
    assert event.version == datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_javascripts_milliseconds_are_a_time() -> None:
    (event,) = said({**PRODUCT, "updated": 1772366400123}).events
    assert event.version == NOW.replace(microsecond=123000)


def test_another_tenants_product_is_ignored() -> None:
    ignored = said({**PRODUCT, "tenant": "tenant-id-2"})
    assert [event.type for event in ignored.events] == [EventType.UNKNOWN]
    assert "tenant" in ignored.reason
    assert said({**PRODUCT, "tenant": None}).events[0].type is EventType.PRODUCT_UPDATED


def test_a_deletion_needs_no_more_than_the_id() -> None:
    (event,) = said({"_id": "p-1"}, "product.deleted").events
    assert (event.type, event.subject, event.snapshot) == (EventType.PRODUCT_DELETED, product("p-1"), None)


@pytest.mark.parametrize("id_", [None, "", "  ", "*", True, [], {}])
def test_a_product_without_an_id_is_ignored(id_: object) -> None:
    ignored = said({**PRODUCT, "_id": id_})
    assert [event.type for event in ignored.events] == [EventType.UNKNOWN]
    assert ignored.reason


def test_a_call_is_a_put_with_a_bare_array() -> None:
    (request,) = zave().prepare(actions(REMOVE, "p-1", "p-2"))
    assert (request.method, request.body) == ("PUT", b'["p-1", "p-2"]')
    assert request.url == "https://zave.example/v2/product/category/collection-id-1/products/remove"
    assert request.headers["Authorization"] == "Key abc"
    assert request.headers["Content-Type"] == "application/json"


def test_each_collection_and_direction_has_its_own_call() -> None:
    requests = zave().prepare(
        [*actions(ADD, "p-1"), *actions(REMOVE, "p-1", target="c 2"), *actions(ADD, "p-2")][::2]
        + actions(REMOVE, "p-1", target="c2")
    )
    assert [(request.url.rsplit("/", 3)[1:], len(request.actions)) for request in requests] == [
        (["collection-id-1", "products", "add"], 2),
        (["c2", "products", "remove"], 1),
    ]


def test_what_zave_cannot_do_is_refused() -> None:
    with pytest.raises(NotPreparedError, match="hide"):
        zave().prepare(actions(ActionKind.HIDE, "p-1"))
    with pytest.raises(NotPreparedError, match="no reads"):
        zave().read([product("p-1")])


def test_a_removal_is_done_when_the_answer_shows_the_product_gone() -> None:
    outcomes = answered(REMOVE, ["p-1", "p-2"], collection({"_id": "p-2", "tenant": "tenant-id-1"})).outcomes
    assert outcomes[0].verdict == Done(is_shown=True)
    assert isinstance(outcomes[1].verdict, TemporaryError)
    assert "still" in str(outcomes[1].verdict)


def test_an_addition_is_done_when_the_answer_shows_the_product() -> None:
    outcomes = answered(ADD, ["p-1", "p-2"], collection({"_id": "p-2", "tenant": "tenant-id-1"})).outcomes
    assert isinstance(outcomes[0].verdict, TemporaryError)
    assert outcomes[1].verdict == Done(is_shown=True)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        b"",
        b"<html>",
        {"success": True},
        {"_id": "collection-id-1"},
        {"_id": "collection-id-1", "products": None},
        {"_id": "collection-id-2", "products": []},
        {"products": []},
        collection("p-2"),
        collection({"name": "no id"}),
        collection({"_id": "p-2", "tenant": "tenant-id-2"}),
    ],
)
def test_a_200_that_proves_nothing_is_tried_again(answer: object) -> None:
    (outcome,) = answered(REMOVE, ["p-1"], answer).outcomes
    assert isinstance(outcome.verdict, TemporaryError)


@given(
    kind=st.sampled_from([ADD, REMOVE]),
    asked=st.lists(st.sampled_from("abcd"), min_size=1, unique=True),
    members=st.sets(st.sampled_from("abcd")),
)
def test_done_is_what_the_answer_shows(kind: ActionKind, asked: list[str], members: set[str]) -> None:
    outcomes = answered(kind, asked, collection(*({"_id": one} for one in sorted(members)))).outcomes
    done = [isinstance(outcome.verdict, Done) for outcome in outcomes]
    assert done == [(one in members) is (kind is ADD) for one in asked]


def test_whole_products_in_the_answer_are_sightings() -> None:
    whole = {**PRODUCT, "_id": "p-2", "updated": "2026-03-01T12:00:00Z"}
    contradiction = {**PRODUCT, "_id": "p-3", "categories": []}
    part = {"_id": "p-4", "categories": ["collection-id-1"]}
    (seen,) = answered(REMOVE, ["p-1"], collection(whole, part, contradiction)).sightings
    assert (seen.ref, seen.version) == (product("p-2"), NOW)
    assert seen.fields["categories"] == ["Featured", "collection-id-2"]


def test_where_deliveries_have_another_shape_answers_are_no_sightings() -> None:
    vendor = zave(fields={"tags": "labels"})
    request = vendor.prepare(actions(REMOVE, "p-1"))[0]
    body = json.dumps(collection({**PRODUCT, "_id": "p-2"})).encode()
    assert vendor.interpret(request, Response(200, NOW, {}, body)).sightings == ()


def test_a_404_for_several_products_takes_the_batch_apart() -> None:
    outcomes = answered(REMOVE, ["p-1", "p-2", "p-3"], {"message": "Not found"}, 404).outcomes
    assert all(isinstance(outcome.verdict, TemporaryError) for outcome in outcomes)
    assert [getattr(outcome.verdict, "delay", None) for outcome in outcomes] == [2, 4, 6]


def test_a_404_for_one_product_is_permanent() -> None:
    (outcome,) = answered(REMOVE, ["p-1"], {"message": "Not found"}, 404).outcomes
    assert isinstance(outcome.verdict, PermanentError)
    assert "p-1" in str(outcome.verdict)


def test_an_answer_to_no_action_means_nothing() -> None:
    request = Request("PUT", "https://zave.example/")
    assert zave().interpret(request, Response(200, NOW, {}, b"{}")) == Interpretation(())


@pytest.mark.parametrize("key", ["base_url", "auth_value", "tenant", "webhook_secret"])
def test_what_zave_does_not_document_must_be_set(key: str) -> None:
    with pytest.raises(ValidationError, match=key):
        ZaveStore.model_validate({name: value for name, value in SETTINGS.items() if name != key})


def test_secrets_rotate() -> None:
    assert zave().settings.webhook_secrets == ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",)
    assert zave(webhook_secret=["a", "b"]).settings.webhook_secrets == ("a", "b")
