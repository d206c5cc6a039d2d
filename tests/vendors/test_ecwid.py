"""Ecwid's calls: the fewest that do, and what each answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import (
    Action,
    ActionKey,
    ActionKind,
    Done,
    LookAgain,
    NothingToDo,
    Reading,
    Request,
    Response,
)
from rules_engine.core.errors import (
    AuthenticationError,
    CallError,
    NotPreparedError,
    PermanentError,
    TemporaryError,
)
from rules_engine.core.subject import ALL, ProductId, SubjectRef, brand, category, product
from rules_engine.sandbox import EcwidShop
from rules_engine.vendors.ecwid import Ecwid, EcwidStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CREATED = int(NOW.timestamp())
STORE = EcwidStore(vendor="ecwid", store_id="1003", token="secret_web", client_secret=("new", "old"))
ECWID = Ecwid(STORE)
ROOT = "https://app.ecwid.com/api/v3/1003"
PRODUCTS, CATEGORIES = (product("1"), product("2"), product("3")), (category("7"),)


def answer(body: object = None, status: int = 200, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Response(status, NOW, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def act(kind: ActionKind, product_id: str, target: str = "") -> Action:
    return Action(ActionKey(f"{kind}-{product_id}-{target}"), kind, ProductId(product_id), target)


def parse(subjects: tuple[SubjectRef, ...], response: Response) -> Reading:
    [request] = ECWID.read(subjects)
    return ECWID.parse(request, response)


def seen(item: Mapping[str, object]) -> Mapping[str, Any]:
    [snapshot] = parse((product("1"),), answer({"id": 1, **item})).snapshots
    return snapshot.fields


# read


def test_products_are_read_a_hundred_at_a_time() -> None:
    first, second = ECWID.read([product(str(number)) for number in range(1, 102)])
    assert first.url == f"{ROOT}/products?productId={','.join(str(n) for n in range(1, 101))}&limit=100"
    assert second.url == f"{ROOT}/products/101"
    assert (len(first.subjects), second.subjects) == (100, (product("101"),))
    assert first.headers["Authorization"] == "Bearer secret_web"


@pytest.mark.parametrize(
    ("subject", "path"),
    [
        (category("7"), "/categories/7?productIds=true"),
        (category(ALL), "/categories?productIds=true&hidden_categories=true&offset=0&limit=100"),
        (product(ALL), "/products?sortBy=ADDED_TIME_ASC&offset=0&limit=100"),
    ],
)
def test_each_subject_has_its_read(subject: SubjectRef, path: str) -> None:
    [request] = ECWID.read([subject, subject])
    assert (request.method, request.url, request.subjects) == ("GET", ROOT + path, (subject,))


@pytest.mark.parametrize("subject", [product(""), product("a"), product("1/2"), category(".."), brand("Acme")])
def test_what_cannot_be_read_is_refused(subject: SubjectRef) -> None:
    with pytest.raises(NotPreparedError):
        ECWID.read([subject])


# parse


def test_a_product_has_every_field() -> None:
    fields = seen(
        {
            "sku": "TR-1", "name": "Trail", "nameTranslated": {"en": "Trail", "nl": "Pad"}, "quantity": 3,
            "unlimited": False, "inStock": True, "enabled": True, "price": 10, "compareToPrice": 12.5,
            "categoryIds": [7, 0], "categories": [{"id": 7, "name": "Shoes", "enabled": True}],
            "attributes": [
                {"id": 1, "name": "Brand", "type": "BRAND", "value": " Acme "},
                {"id": 2, "name": "Featured", "type": "CUSTOM", "value": "always"},
            ],
            "combinations": [], "createTimestamp": CREATED, "updated": "2026-03-01 12:00:00 +0000",
        }
    )  # fmt: skip
    assert {f"product.{name}" for name in fields} == {name for name in Ecwid.FIELDS if "product" in name[:7]} | {
        "product.raw"
    }
    assert fields["brand"] == fields["brand_id"] == "Acme"
    assert fields["attributes"] == {"Brand": " Acme ", "Featured": "always"}
    assert (fields["category_ids"], fields["categories"]) == (["7", "0"], ["Shoes"])
    assert (fields["names"], fields["on_sale"], fields["published"]) == (["Trail", "Pad"], True, True)
    assert (fields["created_at"], fields["updated_at"]) == ("2026-03-01T12:00:00+00:00",) * 2


S, T, I, O = "stock", "tracks_stock", "in_stock", "can_be_ordered"  # noqa: E741 - the columns of the table below


@pytest.mark.parametrize(
    ("item", "stock"),
    [
        ({"quantity": 3}, {S: 3, T: True, I: True, O: True}),
        ({"quantity": 0}, {S: 0, T: True, I: False, O: False}),
        ({"unlimited": True, "inStock": True}, {S: None, T: False, I: True, O: True}),
        ({"unlimited": False, "inStock": True}, {T: True, I: True, O: True}),
        ({"inStock": False}, {I: False, O: False}),
        ({}, {}),
        ({"quantity": 0, "outOfStockVisibilityBehaviour": "ALLOW_PREORDER"}, {S: 0, T: True, I: False, O: True}),
        ({"quantity": 0, "combinations": [{"id": 1, "quantity": 2}, {"id": 2, "quantity": 3}]},
         {S: 5, T: True, I: True, O: True}),
        ({"quantity": 9, "combinations": [{"id": 1, "quantity": 0}]}, {S: 0, T: True, I: False, O: False}),
        ({"quantity": 0, "combinations": [{"id": 1, "unlimited": True}, {"id": 2, "quantity": 0}]},
         {S: None, T: False, I: True, O: True}),
        ({"quantity": 9, "inStock": False, "combinations": [{"id": 1}]}, {I: False, O: False}),
    ],
)  # fmt: skip
def test_unlimited_is_not_zero_and_unknown_is_not_known(item: dict[str, object], stock: dict[str, object]) -> None:
    fields = seen(item)
    assert {name: fields[name] for name in (S, T, I, O) if name in fields} == stock


@pytest.mark.parametrize(
    "attributes", [[], None, [{"type": "BRAND", "value": " "}], [{"type": "BRAND"}], [{"type": "CUSTOM", "value": "x"}]]
)
def test_a_blank_brand_is_no_brand(attributes: object) -> None:
    fields = seen({"attributes": attributes})
    assert (fields["brand"], fields["brand_id"]) == (None, None)


def test_variants_are_shown() -> None:
    fields = seen({"combinations": [{"id": 5, "sku": "S", "quantity": 1, "price": 2.5}, {"id": 6, "unlimited": True}]})
    assert fields["variants"] == [
        {"id": "5", "sku": "S", "stock": 1, "in_stock": True, "price": 2.5},
        {"id": "6", "sku": None, "stock": None, "in_stock": True, "price": None},
    ]


def test_a_404_or_a_complete_list_says_what_is_missing() -> None:
    assert parse((product("1"),), answer(status=404)) == Reading(missing=(product("1"),))
    assert parse((category("7"),), answer(status=404)) == Reading(missing=(category("7"),))
    reading = parse(PRODUCTS, answer({"total": 1, "count": 1, "items": [{"id": 2}]}))
    assert [snapshot.ref for snapshot in reading.snapshots] == [product("2")]
    assert (reading.missing, reading.more) == ((product("1"), product("3")), ())


@pytest.mark.parametrize(
    "page",
    [{"total": 3, "items": [{"id": 1}]}, {"total": 2, "items": [{"id": 1}, {"name": "no id"}]},
     {"total": 2, "items": [{"id": 1}, 5]}, {"total": 2, "items": [{"id": 1}, {"id": 99}]}],
)  # fmt: skip
def test_an_incomplete_list_says_nothing_is_missing(page: object) -> None:
    reading = parse(PRODUCTS, answer(page))
    assert reading.missing == ()
    assert [request.subjects for request in reading.more] == [PRODUCTS[1:]]


@pytest.mark.parametrize(
    ("subjects", "response", "kind"),
    [
        (PRODUCTS, answer(status=404), PermanentError),
        ((product(ALL),), answer(status=404), PermanentError),
        ((product("1"),), answer(status=403), AuthenticationError),
        ((product("1"),), answer(status=302), AuthenticationError),
        ((product("1"),), answer(status=429), TemporaryError),
        ((product("1"),), answer(b"<html>"), TemporaryError),
        ((product("1"),), answer({"id": 2}), TemporaryError),
        ((product("1"),), answer([]), TemporaryError),
        ((category("7"),), answer({"id": 8}), TemporaryError),
        (PRODUCTS, answer({}), TemporaryError),
        (PRODUCTS, answer({"total": 1, "items": [{"id": 99}]}), TemporaryError),
        ((product(ALL),), answer({"total": 7, "items": []}), TemporaryError),
    ],
)
def test_a_read_that_shows_nothing_is_an_error(
    subjects: tuple[SubjectRef, ...], response: Response, kind: type[CallError]
) -> None:
    with pytest.raises(CallError) as caught:
        parse(subjects, response)
    assert type(caught.value) is kind


@given(
    status=st.integers(0, 600),
    body=st.binary(max_size=40)
    | st.dictionaries(
        st.sampled_from(["id", "items", "total"]),
        st.integers() | st.lists(st.integers() | st.dictionaries(st.just("id"), st.integers() | st.text())),
    ),
)
@pytest.mark.parametrize("subject", [(product("1"),), (category("7"),), PRODUCTS, (product(ALL),), (category(ALL),)])
def test_any_answer_is_a_reading_or_an_error_of_ours(
    subject: tuple[SubjectRef, ...], status: int, body: object
) -> None:
    try:
        reading = parse(subject, answer(body, status))
    except CallError:
        return
    assert {ref.id for ref in reading.missing}.isdisjoint({ALL})


def test_categories_have_members_and_paths() -> None:
    items = [
        {"id": 7, "parentId": 0, "name": "Home", "enabled": True, "productIds": [1, 2], "productCount": 9},
        {"id": 8, "parentId": 7, "name": "Shoes", "enabled": False, "productIds": []},
        {"id": 9, "parentId": 99, "name": "Elsewhere", "enabled": True},
    ]
    top, home, shoes, elsewhere = (
        shown.fields for shown in parse((category(ALL),), answer({"total": 3, "items": items})).snapshots
    )
    assert top["id"] == "0"
    assert (home["member_ids"], home["product_count"], home["parent_id"]) == (["1", "2"], 2, None)
    assert (shoes["path"], shoes["parent_id"], shoes["published"]) == ("Home / Shoes", "7", False)
    assert {"path", "member_ids", "product_count"}.isdisjoint(elsewhere), "unknown"


def test_all_products_come_page_by_page() -> None:
    reading = parse((product(ALL),), answer({"total": 3, "items": [{"id": 1}, {"id": 2}]}))
    [following] = reading.more
    assert following.url.endswith("offset=2&limit=100")
    last = ECWID.parse(following, answer({"total": 3, "items": [{"id": 3}]}))
    assert ([one.ref.id for one in last.snapshots], last.more) == (["3"], ())


def test_the_top_level_is_never_missing() -> None:
    reading = parse((category("0"),), answer({"total": 0, "items": []}))
    assert ([shown.ref.id for shown in reading.snapshots], reading.missing) == (["0"], ())


# prepare

ADD, REMOVE = ActionKind.ADD_TO_CATEGORY, ActionKind.REMOVE_FROM_CATEGORY


def body_of(request: Request) -> object:
    return json.loads(request.body or b"null")


def test_one_call_for_each_category_and_direction() -> None:
    actions = [act(REMOVE, "1", "7"), act(ADD, "1", "8"), act(REMOVE, "2", "7"), act(REMOVE, "3", "9")]
    requests = ECWID.prepare(actions)
    assert [(request.method, request.url.removeprefix(ROOT), body_of(request)) for request in requests] == [
        ("POST", "/categories/7/unassignProducts", {"productIds": [1, 2]}),
        ("POST", "/categories/8/assignProducts", {"productIds": [1]}),
        ("POST", "/categories/9/unassignProducts", {"productIds": [3]}),
    ]
    assert requests[0].actions == (actions[0], actions[2])


def test_a_call_has_a_hundred_products_at_most() -> None:
    requests = ECWID.prepare([act(REMOVE, str(number), "7") for number in range(201)])
    assert [len(request.actions) for request in requests] == [100, 100, 1]


@pytest.mark.parametrize(
    ("action", "body"),
    [
        (act(ActionKind.HIDE, "1"), {"enabled": False}),
        (act(ActionKind.SHOW, "1"), {"enabled": True}),
        (act(ActionKind.ASSIGN_BRAND, "1", "Acme / Co"), {"attributes": [{"alias": "BRAND", "value": "Acme / Co"}]}),
        (act(ActionKind.UNASSIGN_BRAND, "1", "Acme"), {"attributes": [{"alias": "BRAND", "value": ""}]}),
    ],
)
def test_a_product_is_changed_by_itself(action: Action, body: object) -> None:
    requests = ECWID.prepare([action, act(action.kind, "2", action.target)])
    assert [(one.method, one.url.removeprefix(ROOT)) for one in requests] == [
        ("PUT", "/products/1"),
        ("PUT", "/products/2"),
    ]
    assert body_of(requests[0]) == body


@pytest.mark.parametrize(
    "action",
    [act(REMOVE, "1", ""), act(REMOVE, "", "7"), act(REMOVE, "1", "7/.."), act(REMOVE, "x", "7"), act(ADD, "1", "?"),
     act(ActionKind.HIDE, " "), act(ActionKind.ASSIGN_BRAND, "1", " ")],
)  # fmt: skip
def test_an_id_that_is_none_is_refused_before_a_call(action: Action) -> None:
    with pytest.raises(NotPreparedError):
        ECWID.prepare([act(REMOVE, "1", "7"), action])


# interpret

NEITHER = LookAgain("Ecwid answered without saying whether anything changed.", (category(ALL), *PRODUCTS[:2]))
GONE = LookAgain("Ecwid answered 404: the category or one of the products may be gone.", NEITHER.subjects)


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        (answer({"deleteCount": 1}), Done()),
        (answer({"updateCount": 1}), Done()),
        (answer({"deleteCount": 0}), NothingToDo()),
        (answer({"updateCount": 0}), NothingToDo()),
        (answer({}), NEITHER),
        (answer(), NEITHER),
        (answer(b"<html>"), NEITHER),
        (answer({"deleteCount": True}), NEITHER),
        (answer(status=204), NEITHER),
        (answer(status=404), GONE),
        (answer({"errorMessage": "Product not found"}, 404), GONE),
        (answer(status=301), AuthenticationError),
        (answer(status=400), PermanentError),
        (answer(status=401), AuthenticationError),
        (answer(status=402), PermanentError),
        (answer(status=403), AuthenticationError),
        (answer(status=408), TemporaryError),
        (answer(status=409), TemporaryError),
        (answer(status=415), PermanentError),
        (answer(status=422), PermanentError),
        (answer(status=449), TemporaryError),
        (answer(status=500), TemporaryError),
        (answer(status=503), TemporaryError),
    ],
)
def test_every_answer_has_its_verdict(response: Response, verdict: object) -> None:
    [request] = ECWID.prepare([act(REMOVE, "1", "7"), act(REMOVE, "2", "7")])
    outcomes = ECWID.interpret(request, response).outcomes
    assert [outcome.action for outcome in outcomes] == [action.key for action in request.actions]
    for outcome in outcomes:
        assert outcome.verdict == verdict or type(outcome.verdict) is verdict


def test_too_many_calls_wait_as_long_as_ecwid_says() -> None:
    [request] = ECWID.prepare([act(REMOVE, "1", "7")])
    [outcome] = ECWID.interpret(request, answer(status=429, retry_after="17")).outcomes
    assert isinstance(outcome.verdict, TemporaryError)
    assert outcome.verdict.delay == 17.0


def test_a_404_about_one_product_looks_at_that_product() -> None:
    [request] = ECWID.prepare([act(ActionKind.HIDE, "1")])
    [outcome] = ECWID.interpret(request, answer(status=404)).outcomes
    assert isinstance(outcome.verdict, LookAgain)
    assert outcome.verdict.subjects == (product("1"),)


@given(status=st.integers(-1, 1000), body=st.binary(max_size=40))
def test_any_answer_is_interpreted(status: int, body: bytes) -> None:
    [request] = ECWID.prepare([act(ADD, "1", "7"), act(ADD, "2", "7")])
    assert len(ECWID.interpret(request, answer(body, status)).outcomes) == 2


# with the sandbox


@pytest.mark.anyio
async def test_the_sandbox_shop_is_read_changed_and_read_again() -> None:
    shop = EcwidShop.sample(now=lambda: NOW, new_id=lambda: "e")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(shop.app))
    ecwid = Ecwid(EcwidStore(vendor="ecwid", store_id=str(shop.store_id), token=shop.token, client_secret=("s",)))

    async def call(request: Request) -> Response:
        got = await client.request(request.method, request.url, headers=request.headers, content=request.body)
        return Response(got.status_code, NOW, dict(got.headers), got.content)

    async def look(*subjects: SubjectRef) -> dict[str, Mapping[str, Any]]:
        shown: dict[str, Mapping[str, Any]] = {}
        waiting = list(ecwid.read(subjects))
        for request in waiting:
            reading = ecwid.parse(request, await call(request))
            shown |= {str(one.ref): one.fields for one in reading.snapshots}
            waiting += reading.more
        return shown

    categories, products = await look(category(ALL)), await look(product(ALL))
    assert {one["id"]: one["member_ids"] for one in categories.values() if one["id"] != "0"} == {
        id_: members for id_, members in shop.memberships().items() if id_ != "0"
    }
    assert {one: fields["category_ids"] for one, fields in products.items()}["product:37208341"] == ["9691094"]
    [request] = ecwid.prepare([act(REMOVE, "37208341", "9691094")])
    [outcome] = ecwid.interpret(request, await call(request)).outcomes
    assert outcome.verdict == Done()
    after = await look(product("37208341"), product("37208339"), category("9691094"))
    assert after["product:37208341"]["category_ids"] == ["0"], "promoted to the top level"
    assert "37208341" not in after["category:9691094"]["member_ids"]
