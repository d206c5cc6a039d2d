"""Lists of all products: what they cost, what they say of their length, and where they go on."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from rules_engine.core.action import Request, Response
from rules_engine.core.errors import NotPreparedError
from rules_engine.core.subject import ALL, product
from rules_engine.vendors import VENDORS
from rules_engine.vendors.ecwid import Ecwid, EcwidStore
from rules_engine.vendors.zid import Zid, ZidStore

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ECWID = Ecwid(EcwidStore(vendor="ecwid", store_id="1003", token="secret_web", client_secret=("new",)))
ZID = Zid(
    ZidStore(vendor="zid", store_id="1", authorization="auth-token", manager_token="man-token", webhook_password=("p",))
)
PRODUCTS = "https://app.ecwid.com/api/v3/1003/products"


def answer(body: object) -> Response:
    return Response(200, NOW, {}, json.dumps(body).encode())


def ecwid_page(request: Request, *, first: int, count: int, total: int) -> tuple[list[str], list[str], int | None]:
    items = [{"id": first + number} for number in range(count)]
    reading = ECWID.parse(request, answer({"items": items, "total": total}))
    return [shown.ref.id for shown in reading.snapshots], [more.url for more in reading.more], reading.total


def test_a_list_says_how_many_products_there_are() -> None:
    [request] = ECWID.read([product(ALL)])
    ids, more, total = ecwid_page(request, first=1, count=100, total=230)
    assert (len(ids), total) == (100, 230)
    assert more == [f"{PRODUCTS}?sortBy=ADDED_TIME_ASC&offset=100&limit=100"]
    [request] = ZID.read([product(ALL)])
    assert ZID.parse(request, answer({"count": 7, "next": None, "results": []})).total == 7


def test_ecwid_lists_what_was_updated_since_a_time_page_by_page() -> None:
    request = ECWID.list_changes(NOW)
    since = int(NOW.timestamp())
    assert request.url == f"{PRODUCTS}?updatedFrom={since}&sortBy=ADDED_TIME_ASC&offset=0&limit=100"
    _, more, _ = ecwid_page(request, first=1, count=100, total=101)
    assert more == [f"{PRODUCTS}?updatedFrom={since}&sortBy=ADDED_TIME_ASC&offset=100&limit=100"]


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_who_cannot_filter_by_update_time_says_so(vendor: type[Ecwid]) -> None:
    if vendor.CAPABILITIES.can_list_changes:
        assert vendor.CAPABILITIES.can_list
        return
    with pytest.raises(NotPreparedError, match="by the time of their change"):
        vendor.list_changes(ECWID, NOW)
