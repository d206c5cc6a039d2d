"""Zid's calls: the fewest that do, and what each answer means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import Action, ActionKey, ActionKind, Done, LookAgain, Reading, Request, Response
from rules_engine.core.errors import (
    AuthenticationError,
    CallError,
    NotPreparedError,
    PermanentError,
    TemporaryError,
)
from rules_engine.core.subject import ALL, ProductId, SubjectRef, brand, category, product
from rules_engine.sandbox import ZidShop
from rules_engine.vendors.zid import Zid, ZidStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEYS = {"vendor": "zid", "authorization": "Bearer app", "manager_token": "store", "webhook_password": "p"}
ZID = Zid(ZidStore.model_validate({**KEYS, "store_id": 37213}))
ROOT = "https://api.zid.sa"
TREE = "/v1/managers/store/categories"
PAIR = (product("p-1"), product("p-2"))
CATEGORIES = (category("540"), category("541"))


def answer(body: object = None, status: int = 200, **headers: str) -> Response:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Response(status, NOW, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def act(kind: ActionKind, product_id: str, target: str = "", *, is_whole: bool = False) -> Action:
    return Action(ActionKey(f"{kind}-{product_id}-{target}"), kind, ProductId(product_id), target, is_whole)


def parse(subjects: tuple[SubjectRef, ...], response: Response) -> Reading:
    [request] = ZID.read(subjects)
    return ZID.parse(request, response)


def listed(*items: object, count: int | None = None, following: str | None = None) -> Response:
    return answer({"count": len(items) if count is None else count, "next": following, "results": list(items)})


def seen(item: Mapping[str, object]) -> Mapping[str, Any]:
    [snapshot] = parse(PAIR[:1], answer({"id": "p-1", **item})).snapshots
    return snapshot.fields


# read


@pytest.mark.parametrize(
    ("subjects", "path"),
    [
        (PAIR[:1], "/v1/products/p-1/"),
        (PAIR, "/v1/products/?id__in=p-1,p-2&page_size=50"),
        ((product(ALL),), "/v1/products/?page=1&page_size=50"),
        (CATEGORIES[:1], f"{TREE}/540/view"),
        (CATEGORIES, TREE),
        ((category(ALL),), TREE),
    ],
)
def test_each_subject_has_its_read(subjects: tuple[SubjectRef, ...], path: str) -> None:
    [request] = ZID.read([*subjects, *subjects])
    assert (request.method, request.url, request.subjects, request.body) == ("GET", ROOT + path, subjects, None)
    headers = {"Authorization": "Bearer app", "X-Manager-Token": "store", "Access-Token": "store"}
    assert headers.items() <= request.headers.items()
    assert {"Store-Id": "37213", "Role": "Manager", "Accept-Language": "en"}.items() <= request.headers.items()


def test_products_are_read_fifty_at_a_time() -> None:
    assert [len(one.subjects) for one in ZID.read([product(f"p{n}") for n in range(101)])] == [50, 50, 1]


@pytest.mark.parametrize("subject", [product(""), product("a/b"), product("a,b"), category(".."), brand("Acme")])
def test_what_cannot_be_read_is_refused(subject: SubjectRef) -> None:
    with pytest.raises(NotPreparedError):
        ZID.read([subject])


# parse


def test_a_product_has_every_field() -> None:
    fields = seen(
        {
            "sku": "Z-1", "name": {"ar": "قميص", "en": "Shirt"}, "quantity": 3, "is_infinite": False,
            "is_published": True, "price": "50.00", "sale_price": 40, "structure": "standalone", "variants": [],
            "categories": [{"id": "540", "name": {"ar": "الصيف", "en": "Summer"}},
                           {"id": 543, "name": {"ar": "هدايا"}}],
            "attributes": [{"name": {"en": "Fabric"}, "value": {"en": "Linen"}}, {"name": "Size", "value": 4}],
            "created_at": "2026-03-01T12:00:00Z", "updated_at": "2026-03-01T12:00:00Z",
        }
    )  # fmt: skip
    assert {f"product.{name}" for name in fields} == {one for one in Zid.FIELDS if one.startswith("product.")} | {
        "product.raw"
    }
    assert (fields["name"], fields["names"]) == ("Shirt", ["Shirt", "قميص"])
    assert (fields["category_ids"], fields["categories"]) == (["540", "543"], ["Summer", "هدايا"])
    assert fields["category_names"] == {"540": ["Summer", "الصيف"], "543": ["هدايا"]}
    assert (fields["price"], fields["compare_at_price"], fields["on_sale"]) == (40, 50.0, True)
    assert fields["attributes"] == {"Fabric": "Linen", "Size": 4}
    assert fields["updated_at"] == "2026-03-01T12:00:00+00:00"


def test_without_a_sale_the_price_is_the_price() -> None:
    fields = seen({"price": 50.0, "sale_price": None, "name": {"ar": "قميص"}})
    assert (fields["price"], fields["compare_at_price"], fields["on_sale"]) == (50.0, None, False)
    assert fields["name"] == "قميص"
    assert "published" not in fields, "unknown"
    assert "category_ids" not in fields, "unknown"


S, T, I, O = "stock", "tracks_stock", "in_stock", "can_be_ordered"  # noqa: E741 - the columns of the table below
SMALL, LARGE = {"id": "s", "quantity": 3, "is_infinite": False}, {"id": "l", "quantity": 5, "is_infinite": False}


@pytest.mark.parametrize(
    ("item", "stock"),
    [
        ({"quantity": 3, "is_infinite": False}, {S: 3, T: True, I: True, O: True}),
        ({"quantity": 0, "is_infinite": False}, {S: 0, T: True, I: False, O: False}),
        ({"quantity": None, "is_infinite": True}, {S: None, T: False, I: True, O: True}),
        ({"quantity": None, "is_infinite": False}, {T: True}),
        ({"quantity": None}, {}),
        ({"structure": "parent", "quantity": 0, "variants": [SMALL, LARGE]}, {S: 8, T: True, I: True, O: True}),
        ({"structure": "parent", "quantity": 0, "variants": [SMALL, {"id": "u", "is_infinite": True}]},
         {S: None, T: False, I: True, O: True}),
        ({"structure": "parent", "quantity": 0, "variants": [SMALL, {"id": "u", "quantity": None}]}, {}),
        ({"structure": "parent", "quantity": 0}, {}),
        ({"structure": "parent", "quantity": 0, "is_infinite": False, "variants": []}, {}),
    ],
)  # fmt: skip
def test_unlimited_is_not_zero_and_unknown_is_not_known(item: dict[str, object], stock: dict[str, object]) -> None:
    fields = seen(item)
    assert {name: fields[name] for name in (S, T, I, O) if name in fields} == stock


def test_a_404_or_a_complete_list_says_what_is_missing() -> None:
    assert parse(PAIR[:1], answer(status=404)) == Reading(missing=PAIR[:1])
    assert parse(CATEGORIES[:1], answer(status=404)) == Reading(missing=CATEGORIES[:1])
    assert parse(PAIR, listed()) == Reading(missing=PAIR)
    reading = parse(PAIR, listed({"id": "p-2"}))
    assert [shown.ref for shown in reading.snapshots] == [PAIR[1]]
    assert (reading.missing, reading.more) == (PAIR[:1], ())


@pytest.mark.parametrize(
    "response",
    [listed({"id": "p-1"}, count=2), listed({"id": "p-1"}, following=f"{ROOT}/v1/products/?page=2"),
     listed({"id": "p-1"}, {"sku": "no id"}), answer({"results": [{"id": "p-1"}]})],
)  # fmt: skip
def test_an_incomplete_list_says_nothing_is_missing(response: Response) -> None:
    reading = parse(PAIR, response)
    assert reading.missing == ()
    assert [request.subjects for request in reading.more] == [PAIR[1:]]


def test_a_variant_is_its_product_which_is_read() -> None:
    child = {"id": "p-1", "structure": "child", "parent_id": "p-0"}
    for reading in (parse(PAIR[:1], answer(child)), parse(PAIR, listed(child, {"id": "p-2"}))):
        assert [request.subjects for request in reading.more] == [(product("p-0"),)]
        assert PAIR[0] not in [shown.ref for shown in reading.snapshots]
    assert parse((product(ALL),), listed(child)) == Reading(total=1)


@pytest.mark.parametrize("variants", [{}, {"variants": None}, {"variants": []}])
def test_a_parent_listed_without_its_variants_is_read_by_itself(variants: dict[str, object]) -> None:
    reading = parse((product(ALL),), listed({"id": "p-1", "structure": "parent", "quantity": 0, **variants}))
    assert (reading.snapshots, [one.url for one in reading.more]) == ((), [f"{ROOT}/v1/products/p-1/"])


def test_pages_are_followed_by_their_query_only() -> None:
    reading = parse((product(ALL),), listed({"id": "p-1"}, following="http://evil.example/x?page=2&page_size=50"))
    assert [request.url for request in reading.more] == [f"{ROOT}/v1/products/?page=2&page_size=50"]
    assert ZID.parse(reading.more[0], answer(status=404)) == Reading(), "the list ended while we paged"


@pytest.mark.parametrize("following", ["http://x/?page=1", "http://x/?page=0", "http://x/", "http://[", "x?page=a"])
def test_a_next_page_leads_on(following: str) -> None:
    with pytest.raises(TemporaryError, match="lead on"):
        parse((product(ALL),), listed({"id": "p-1"}, following=following))


def test_the_tree_is_flattened_with_paths() -> None:
    sandals = {"id": 542, "name": "Sandals", "names": {"en": "Sandals", "ar": "صنادل"}, "parent_id": 541}
    tree = [
        {"id": 541, "name": "أحذية", "names": {"ar": "أحذية", "en": "Shoes"}, "parent_id": None, "products_count": 4,
         "is_published": 0, "sub_categories": [sandals]},
    ]  # fmt: skip
    shoes, below = (shown.fields for shown in parse((category(ALL),), answer({"categories": tree})).snapshots)
    assert {f"category.{name}" for name in shoes} == {one for one in Zid.FIELDS if one.startswith("category.")} | {
        "category.raw"
    }
    assert (shoes["id"], shoes["published"], shoes["product_count"], shoes["parent_id"]) == ("541", False, 4, None)
    assert (below["path"], below["parent_id"], below["names"]) == ("Shoes / Sandals", "541", ["Sandals", "صنادل"])


def test_several_categories_are_found_in_the_tree_or_read_by_themselves() -> None:
    reading = parse(CATEGORIES, answer({"categories": [{"id": 540}, {"id": 999}]}))
    assert [shown.ref for shown in reading.snapshots] == [CATEGORIES[0]]
    assert (reading.missing, [one.url for one in reading.more]) == ((), [f"{ROOT}{TREE}/541/view"])


@pytest.mark.parametrize(
    ("subjects", "response", "kind"),
    [
        (PAIR, answer(status=404), PermanentError),
        ((product(ALL),), answer(status=404), PermanentError),
        (PAIR, answer(status=302, location="/login"), AuthenticationError),
        (PAIR, answer(status=401), AuthenticationError),
        (PAIR, answer(status=429), TemporaryError),
        (PAIR, answer(b"<html>"), TemporaryError),
        (PAIR, answer({}), TemporaryError),
        (PAIR, listed({"id": "p-9"}, count=9), TemporaryError),
        (PAIR[:1], answer({"id": "p-9"}), TemporaryError),
        (CATEGORIES[:1], answer({"categories": {"id": 9}}), TemporaryError),
        ((category(ALL),), answer({"status": "error"}), TemporaryError),
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
        st.sampled_from(["id", "results", "count", "next", "categories", "structure", "variants"]),
        st.integers() | st.text() | st.lists(st.integers() | st.dictionaries(st.just("id"), st.integers() | st.text())),
    ),
)
@pytest.mark.parametrize("subject", [PAIR[:1], CATEGORIES[:1], CATEGORIES, PAIR, (product(ALL),), (category(ALL),)])
def test_any_answer_is_a_reading_or_an_error_of_ours(
    subject: tuple[SubjectRef, ...], status: int, body: object
) -> None:
    try:
        reading = parse(subject, answer(body, status))
    except CallError:
        return
    assert ALL not in {ref.id for ref in reading.missing}


# prepare

ADD, REMOVE, HIDE, SHOW = (
    ActionKind.ADD_TO_CATEGORY,
    ActionKind.REMOVE_FROM_CATEGORY,
    ActionKind.HIDE,
    ActionKind.SHOW,
)


@pytest.mark.parametrize(
    ("actions", "calls"),
    [
        ([act(REMOVE, "p-1", "540", is_whole=True), act(REMOVE, "p-2", "540", is_whole=True)],
         [("DELETE", f"{TREE}/540/products/delete", None)]),
        ([act(REMOVE, "p-1", "540", is_whole=True), act(REMOVE, "p-2", "540")],
         [("DELETE", "/v1/products/p-1/categories/540/", None), ("DELETE", "/v1/products/p-2/categories/540/", None)]),
        ([act(REMOVE, "p-1", "540", is_whole=True), act(ADD, "p-3", "540")],
         [("POST", "/v1/products/p-3/categories/", {"id": 540}), ("DELETE", "/v1/products/p-1/categories/540/", None)]),
        ([act(ADD, "p-1", "540"), act(ADD, "p-2", "540"), act(ADD, "p-1", "x-1")],
         [("PATCH", "/v1/products/p-1/categories/bulk-add/", {"ids": [540, "x-1"]}),
          ("POST", "/v1/products/p-2/categories/", {"id": 540})]),
        ([act(HIDE, "p-1"), act(SHOW, "p-2")],
         [("PATCH", "/v1/products/p-1/", {"is_published": False}),
          ("PATCH", "/v1/products/p-2/", {"is_published": True})]),
    ],
)  # fmt: skip
def test_the_fewest_calls_are_prepared(actions: list[Action], calls: list[object]) -> None:
    requests = ZID.prepare(actions)
    assert [(one.method, one.url.removeprefix(ROOT), json.loads(one.body or b"null")) for one in requests] == calls
    assert sorted(action.key for one in requests for action in one.actions) == sorted(action.key for action in actions)


@pytest.mark.parametrize(
    "action",
    [act(REMOVE, "p-1", ""), act(REMOVE, "p-1", " ", is_whole=True), act(REMOVE, "", "540"), act(ADD, "p-1", ""),
     act(REMOVE, "..", "540"), act(ADD, "p-1", "a/b"), act(HIDE, ""), act(ActionKind.ASSIGN_BRAND, "p", "b")],
)  # fmt: skip
def test_an_id_that_is_none_is_refused_before_a_call(action: Action) -> None:
    with pytest.raises(NotPreparedError):
        ZID.prepare([act(REMOVE, "p-9", "540", is_whole=True), action])


# interpret

MISSING = LookAgain("Zid answered 404: what the call names may be gone, or done already.", (category(ALL), *PAIR[:1]))
DETACHED = LookAgain("Zid's answer does not show that the category is empty.", (*CATEGORIES[:1], *PAIR))
DOUBTFUL = LookAgain("Zid answered with an error inside a success.", (*CATEGORIES[:1], *PAIR[:1]))
SINGLE = [act(REMOVE, "p-1", "540")]
WHOLE = [act(REMOVE, "p-1", "540", is_whole=True), act(REMOVE, "p-2", "540", is_whole=True)]


@pytest.mark.parametrize(
    ("actions", "response", "verdict"),
    [
        (SINGLE, answer(status=204), Done()),
        (SINGLE, answer(status=404), MISSING),
        (SINGLE, answer({"detail": "Not found."}, 404), MISSING),
        ([act(ADD, "p-1", "540")], answer({"categories": []}), Done()),
        ([act(ADD, "p-1", "540")], answer(), Done()),
        ([act(ADD, "p-1", "540")], answer(b"<html>"), DOUBTFUL),
        ([act(ADD, "p-1", "540")], answer({"status": "error", "message": {"description": "خطأ"}}), DOUBTFUL),
        ([act(ADD, "p-1", "540")], answer({"error": {"code": "x"}}), DOUBTFUL),
        ([act(ADD, "p-1", "540")], answer(status=404), MISSING),
        (WHOLE, answer({"status": "object", "category": {"products_count": 2}}), DETACHED),
        (WHOLE, answer(b"<html>"), DETACHED),
        (WHOLE, answer(status=404), LookAgain(MISSING.reason, (category(ALL), *PAIR))),
        ([act(HIDE, "p-1")], answer({"id": "p-1"}), Done()),
        ([act(HIDE, "p-1")], answer(status=404), LookAgain(MISSING.reason, PAIR[:1])),
        *((SINGLE, answer(status=status), kind) for status, kind in (
            (301, AuthenticationError), (302, AuthenticationError), (400, PermanentError), (401, AuthenticationError),
            (403, AuthenticationError), (408, TemporaryError), (409, TemporaryError), (415, PermanentError),
            (422, PermanentError), (429, TemporaryError), (449, TemporaryError), (500, TemporaryError),
            (502, TemporaryError), (503, TemporaryError), (504, TemporaryError))),
    ],
)  # fmt: skip
def test_every_answer_has_its_verdict(actions: list[Action], response: Response, verdict: object) -> None:
    [request] = ZID.prepare(actions)
    outcomes = ZID.interpret(request, response).outcomes
    assert [outcome.action for outcome in outcomes] == [action.key for action in actions]
    for outcome in outcomes:
        assert outcome.verdict == verdict or type(outcome.verdict) is verdict


@given(status=st.integers(-1, 1000), body=st.binary(max_size=40))
@pytest.mark.parametrize("actions", [SINGLE, WHOLE, [act(ADD, "p-1", "1")], [act(SHOW, "p-1")]])
def test_any_answer_is_interpreted(actions: list[Action], status: int, body: bytes) -> None:
    [request] = ZID.prepare(actions)
    assert len(ZID.interpret(request, answer(body, status)).outcomes) == len(actions)


# with the sandbox


@pytest.mark.anyio
async def test_the_sandbox_shop_is_read_emptied_and_read_again() -> None:
    shop = ZidShop.sample(now=lambda: NOW, new_id=lambda: "d")
    client = httpx.AsyncClient(transport=httpx.ASGITransport(shop.app))
    tokens = {"authorization": shop.authorization, "manager_token": shop.manager_token}
    zid = Zid(ZidStore.model_validate({**KEYS, **tokens, "store_id": shop.store_id}))

    async def call(request: Request) -> Response:
        got = await client.request(request.method, request.url, headers=request.headers, content=request.body)
        return Response(got.status_code, NOW, dict(got.headers), got.content)

    async def look(*subjects: SubjectRef) -> dict[str, Mapping[str, Any]]:
        shown: dict[str, Mapping[str, Any]] = {}
        waiting = list(zid.read(subjects))
        for request in waiting:
            reading = zid.parse(request, await call(request))
            shown |= {str(one.ref): one.fields for one in reading.snapshots}
            waiting += reading.more
        return shown

    before = await look(product(ALL), category(ALL))
    assert before["category:542"]["path"] == "Shoes / Sandals"
    members = [one["id"] for one in before.values() if "540" in one.get("category_ids", ())]
    assert members == shop.memberships()["540"]
    [request] = zid.prepare([act(REMOVE, id_, "540", is_whole=True) for id_ in members])
    [verdict] = {outcome.verdict for outcome in zid.interpret(request, await call(request)).outcomes}
    assert isinstance(verdict, LookAgain)
    after = await look(*verdict.subjects)
    assert shop.memberships()["540"] == []
    assert not [one for one in after.values() if "540" in one.get("category_ids", ())]
    [back] = zid.prepare([act(ADD, members[0], "540")])
    assert zid.interpret(back, await call(back)).outcomes[0].verdict == Done()
    assert shop.memberships()["540"] == members[:1]
