"""Whatever comes to the door, strange or genuine, has an answer that no shop is punished for."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from front import (
    GENUINE,
    Front,
    Posted,
    by_ecwid,
    by_middleware,
    by_zid,
    count,
    front,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from rules_engine.vendors import ecwid

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def public_door(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Front]:
    async with front(tmp_path_factory.mktemp("public") / "door.db") as door:
        yield door


aliases = st.sampled_from([*GENUINE, "later", "nobody"])
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30)
header_names = st.sampled_from(
    [
        "authorization",
        "x-ecwid-webhook-signature",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "content-type",
        "content-encoding",
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "_id", "type", "data", "tenant", "store_id", "updated_at", "name", "stock", "brand"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
not_json = st.sampled_from([b'{"id": NaN}', b"[-Infinity]", b'{"id": 1e999}'])
bodies = st.binary(max_size=200) | not_json | json_values.map(lambda value: json.dumps(value).encode())
queries = st.dictionaries(st.sampled_from(["event", "eventtype", "token", "?"]), st.text(max_size=20), max_size=4)
anything = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@anything
@given(alias=aliases, body=bodies, headers=st.dictionaries(header_names, header_text, max_size=6), query=queries)
async def test_whatever_a_stranger_sends_is_answered_below_500_and_not_stored(
    public_door: Front, alias: str, body: bytes, headers: dict[str, str], query: dict[str, str]
) -> None:
    before = public_door.database.read_now(count)
    raw_headers = [(name.encode(), text.encode("latin-1")) for name, text in headers.items()]
    with capture_logs() as logs:
        answer = await public_door.client.post(f"/webhooks/{alias}", content=body, headers=raw_headers, params=query)
    assert answer.status_code < 500 or alias == "later"
    assert answer.json()["error"]
    assert public_door.database.read_now(count) == before
    assert [entry for entry in logs if entry["log_level"] == "error"] == []


@anything
@given(
    alias=st.sampled_from([*GENUINE]),
    body=bodies,
    shop=json_values,
    type_=json_values | st.sampled_from([*ecwid.WORDS]),
    entity=json_values,
    event=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10),
    query=queries,
)
async def test_whatever_a_genuine_shop_sends_is_answered_with_200(
    public_door: Front,
    alias: str,
    body: bytes,
    shop: object,
    type_: object,
    entity: object,
    event: str,
    query: dict[str, str],
) -> None:
    posted = {
        "web": by_ecwid(shop=shop, type_=type_, event=event, entityId=entity),
        "ksa": by_zid(body),
        "b2b": by_middleware(body),
        "brands": by_middleware(body),
    }[alias]
    with capture_logs() as logs:
        answer = await public_door.post(alias, Posted(posted.body, posted.headers, query))
    assert answer.status_code == 200
    assert answer.json()["delivery"]
    assert [entry for entry in logs if entry["log_level"] == "error"] == []
