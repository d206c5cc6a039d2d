"""The four vendors with a store of their own, and how their shops speak: shared by the suites that run over all."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from rules_engine.core.delivery import Delivery, DeliveryId, StoreAlias
from rules_engine.core.store import StoreSettings
from rules_engine.vendors import VENDORS, ecwid, standard_webhooks
from rules_engine.vendors.base import Vendor

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = tuple("whsec_" + base64.b64encode(word * 8).decode() for word in (b"new!", b"old!", b"bad!"))
PASSWORDS = ("new-password", "old-password", "bad-password")


@dataclass(frozen=True)
class Case:
    """A vendor with a store of its own, and how its shop speaks. `sign` takes type, product, secret and time."""

    settings: Mapping[str, object]
    sample: Mapping[str, object]
    sign: Callable[[str, Mapping[str, object], str, datetime], Delivery]
    secrets: tuple[str, ...]
    updated: str
    is_timed: bool = True

    @property
    def vendor(self) -> Vendor[StoreSettings]:
        """The adapter of the store."""
        kind = VENDORS[str(self.settings["vendor"])]
        return kind(kind.SETTINGS.model_validate(self.settings))

    def __str__(self) -> str:
        return str(self.settings["vendor"])


def delivery(body: bytes, headers: Mapping[str, str], query: Mapping[str, str] | None = None) -> Delivery:
    return Delivery(DeliveryId("d-1"), StoreAlias("shop"), NOW, body, headers, query or {})


def by_ecwid(word: str, item: Mapping[str, object], secret: str, at: datetime) -> Delivery:
    created = int(at.timestamp())
    body = {"eventId": "e-1", "eventCreated": created, "storeId": 1003, "entityId": item["id"], "eventType": word}
    headers = {"x-ecwid-webhook-signature": ecwid.sign(secret, created, "e-1")}
    return delivery(json.dumps(body).encode(), headers)


def by_zid(word: str, item: Mapping[str, object], secret: str, _at: datetime) -> Delivery:
    credentials = base64.b64encode(f"engine:{secret}".encode()).decode()
    return delivery(json.dumps(item).encode(), {"authorization": f"Basic {credentials}"}, {"event": word})


def by_standard_webhooks(word: str, item: Mapping[str, object], secret: str, at: datetime) -> Delivery:
    body = json.dumps({"type": word, "timestamp": at.isoformat(), "data": item}).encode()
    return delivery(body, standard_webhooks.sign(secret, message_id="msg_1", sent_at=at, body=body))


CASES = [
    Case(
        {"vendor": "ecwid", "store_id": 1003, "token": "secret_token", "client_secret": PASSWORDS[:2]},
        {
            "id": 37208339,
            "sku": "A-1",
            "name": "Shoe",
            "quantity": 3,
            "unlimited": False,
            "inStock": True,
            "enabled": True,
            "price": 10.5,
            "compareToPrice": 12,
            "categoryIds": [9691094],
            "categories": [{"id": 9691094, "name": "Featured", "enabled": True}],
            "attributes": [{"id": 1, "name": "Brand", "type": "BRAND", "value": "Acme"}],
            "combinations": [{"id": 5, "sku": "A-1-S", "quantity": 3, "unlimited": False, "inStock": True, "price": 9}],
            "outOfStockVisibilityBehaviour": "SHOW",
            "createTimestamp": 1700000000,
            "updateTimestamp": 1700000001,
        },
        by_ecwid,
        PASSWORDS,
        "product.updated",
    ),
    Case(
        {
            "vendor": "zid",
            "store_id": 37213,
            "authorization": "secret_authorization",
            "manager_token": "secret_token",
            "webhook_username": "engine",
            "webhook_password": PASSWORDS[:2],
        },
        {
            "id": "7a2f8f3e-0000-4000-8000-000000000001",
            "sku": "A-1",
            "parent_id": None,
            "structure": "standalone",
            "name": {"ar": "حذاء", "en": "Shoe"},
            "price": 10.5,
            "sale_price": 9,
            "quantity": 3,
            "is_infinite": False,
            "is_published": True,
            "categories": [{"id": "540", "name": {"ar": "مميز", "en": "Featured"}, "slug": "featured"}],
            "attributes": [],
            "stocks": [],
            "variants": [],
            "store_id": 37213,
            "created_at": "2026-01-01T10:00:00Z",
            "updated_at": "2026-01-02T10:00:00Z",
        },
        by_zid,
        PASSWORDS,
        "product.update",
        is_timed=False,
    ),
    Case(
        {
            "vendor": "zave",
            "base_url": "https://zave.example",
            "auth_header": "X-Auth",
            "auth_value": "secret_value",
            "tenant": "tenant-id-1",
            "webhook_secret": KEYS[:2],
            "names": {"categories": {"Featured": "collection-id-1"}},
        },
        {
            "_id": "p-1",
            "sku": "A-1",
            "name": "Shoe",
            "stock": 3,
            "stock_status": "20 in rest",
            "shop_enabled": True,
            "status": {"active": True, "deleted": False},
            "categories": ["collection-id-1"],
            "tenant": "tenant-id-1",
            "type": "hardware",
            "subscription": False,
            "currency": {"code": "NOK"},
            "country": {"code": "NO"},
            "created": "2026-01-01T10:00:00.000Z",
            "updated": "2026-01-02T10:00:00.000Z",
            "products": [{"price": 10.5, "subscription_term": None, "payment_period": None, "amount": 1}],
        },
        by_standard_webhooks,
        KEYS,
        "product.updated",
    ),
    Case(
        {
            "vendor": "axim",
            "base_url": "https://axim.example",
            "token": "secret_token",
            "webhook_secret": KEYS[:2],
            "names": {"brands": {"Acme": "663a0cbe516313e5bc94aa87"}},
        },
        {
            "id": "p-1",
            "sku": "A-1",
            "name": "Shoe",
            "brand": {"id": "663a0cbe516313e5bc94aa87", "name": "Acme"},
            "stock": 3,
            "published": True,
            "price": 10.5,
            "tags": ["end-of-line"],
            "updated_at": "2026-01-02T10:00:00Z",
        },
        by_standard_webhooks,
        KEYS,
        "product.updated",
    ),
]
every_vendor = pytest.mark.parametrize("case", CASES, ids=str)
