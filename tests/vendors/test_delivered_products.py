"""Products that come in deliveries: the mapping of other shapes."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rules_engine.core.store import Names
from rules_engine.core.subject import product
from rules_engine.vendors.axim import Axim, AximStore
from rules_engine.vendors.delivered_products import MAPPABLE, DeliveredSettings, FieldMap, snapshot

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


def settings(**more: Any) -> DeliveredSettings:
    base = {"vendor": "axim", "base_url": "https://shop.example", "webhook_secret": "x"}
    return DeliveredSettings.model_validate({**base, **more})


def mapped(fields: dict[str, str], body: dict[str, object]) -> dict[str, Any]:
    seen = snapshot(FieldMap({"id": "id", **fields})({}, body), raw=body, names=Names(), zone=UTC)
    assert seen
    return {name: value for name, value in seen.fields.items() if name not in ("id", "raw")}


def test_a_field_is_found_where_the_expression_says() -> None:
    body: dict[str, object] = {"id": 1, "vendor": {"title": "Acme"}, "levels": [{"n": 2}, {"n": 3}]}
    assert mapped({"brand": "vendor.title"}, body) == {"brand": "Acme"}
    assert mapped({"stock": "sum(levels[].n)"}, body)["stock"] == 5


def test_a_null_at_the_end_of_a_plain_path_is_empty_and_an_absent_key_is_unknown() -> None:
    assert mapped({"brand": "vendor.title"}, {"id": 1, "vendor": {"title": None}}) == {"brand": None, "brand_id": None}
    assert mapped({"brand": "vendor.title"}, {"id": 1, "vendor": None}) == {"brand": None, "brand_id": None}
    assert mapped({"brand": "vendor.title"}, {"id": 1, "vendor": {}}) == {}


@pytest.mark.parametrize(
    "expression", ["labels[0]", "sum(labels)", "labels.a", "labels > `5` && `null`", "max_by(labels, &a)"]
)
def test_an_expression_that_fails_or_gives_null_leaves_its_field_unknown(expression: str) -> None:
    assert mapped({"name": expression}, {"id": 1, "labels": "text"}) == {}


def test_a_mapped_null_stock_is_unknown_and_never_unlimited() -> None:
    assert mapped({"stock": "level"}, {"id": 1, "level": None}) == {}
    vendor = Axim(AximStore.model_validate({**settings(fields={"stock": "level"}).model_dump(), "token": "t"}))
    assert vendor.fields >= {"product.stock"}


def test_a_mapping_takes_the_place_of_the_default() -> None:
    assert FieldMap({"sku": "code"})({"sku": "A", "name": "B"}, {}) == {"name": "B"}
    assert FieldMap({"sku": "code"})({"sku": "A", "name": "B"}, {"code": "C"}) == {"name": "B", "sku": "C"}


@given(body=st.dictionaries(st.sampled_from("abc"), JSON))
@pytest.mark.parametrize(
    "expression", ["a", "a.b.c", "sum(a)", "sort_by(a, &b)[0]", "a > b", "to_number(a)", "join(a, b)"]
)
def test_no_body_makes_a_mapping_fail(expression: str, body: dict[str, object]) -> None:
    values = FieldMap(dict.fromkeys(MAPPABLE, expression))({}, body)
    seen = snapshot({**values, "id": "1"}, raw=body, names=Names(), zone=UTC)
    assert seen
    assert seen.ref == product("1")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"stok": "a"}, "no field 'stok'"),
        ({"raw": "a"}, "no field 'raw'"),
        ({"stock": "a ="}, "not JMESPath"),
        ({"stock": ""}, "not JMESPath"),
        ({"stock": "(" * 3000}, "2000 characters"),
        ({"stock": "(" * 1500}, "not JMESPath"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_at_load(fields: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(fields=fields)


def test_no_product_is_called_all_of_them() -> None:
    zone = ZoneInfo("UTC")
    assert snapshot({"id": "*"}, raw={}, names=Names(), zone=zone) is None
    assert snapshot({"sku": "A-1"}, raw={}, names=Names(), zone=zone) is None


def test_a_time_zone_that_does_not_exist_is_refused_at_load() -> None:
    with pytest.raises(ValidationError, match="no time zone"):
        settings(time_zone="Mars/Olympus")


def test_what_follows_from_a_mapped_field_can_be_used_too() -> None:
    assert settings(fields={"category_ids": "c", "compare_at_price": "p"}).mapped_fields == {
        "product.category_ids",
        "product.categories",
        "product.compare_at_price",
        "product.on_sale",
    }
