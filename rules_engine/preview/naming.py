"""What people and programs call products, and their slots: one way for every command."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from rules_engine.core.action import SlotRef
from rules_engine.core.delivery import StoreAlias
from rules_engine.core.directory import Directory
from rules_engine.core.store import Store
from rules_engine.core.subject import ProductId
from rules_engine.core.view import Fields
from rules_engine.database.catalogue import load_directory
from rules_engine.database.products import fields_of
from rules_engine.vendors import VENDORS

from .why_words import SlotWords


@dataclass(frozen=True, slots=True)
class ProductName:
    """A product as it is told of; `sku` and `name` are empty where nobody knows them."""

    id: str
    sku: str = ""
    name: str = ""

    @classmethod
    def from_fields(cls, id_: str, fields: Fields) -> ProductName:
        """By the fields of the product, which are empty if it was never seen."""
        return cls(id_, str(fields.get("sku") or ""), str(fields.get("name") or ""))

    def __str__(self) -> str:
        """As people know it: `Laptop 15 (LAPTOP-15)`, else its SKU or id."""
        if self.name and self.sku:
            return f"{self.name} ({self.sku})"
        return self.name or self.sku or f"product {self.id}"

    @property
    def short(self) -> str:
        """Its name alone where it has one, for texts in which it does not have to be looked up."""
        return self.name or str(self)

    def plain(self) -> dict[str, str | None]:
        """As JSON shows it; what nobody knows is null."""
        return {"id": self.id, "sku": self.sku or None, "name": self.name or None}


def name_products(connection: sa.Connection, store: StoreAlias, ids: Iterable[str]) -> dict[str, ProductName]:
    """Each of these products by its id, with the names that it had when it was last seen."""
    wanted = list(dict.fromkeys(ids))
    fields = fields_of(connection, store, wanted)
    return {id_: ProductName.from_fields(id_, fields.get(ProductId(id_), {})) for id_ in wanted}


def slot_plain(slot: SlotRef | None) -> dict[str, str | None]:
    """Which thing about its product a slot is, as JSON shows it; null where all are meant."""
    return {
        "aspect": slot.aspect.value if slot is not None else None,
        "target": (slot.target or None) if slot is not None else None,
    }


@dataclass(frozen=True, slots=True)
class Wording:
    """Says the slots of products in the words of each store; those of other stores by their ids."""

    directories: Mapping[StoreAlias, Directory]

    @classmethod
    def load(cls, connection: sa.Connection, stores: Sequence[Store]) -> Wording:
        """With the names of categories and brands that these stores have by what is known now."""
        able = {each.alias: VENDORS[each.settings.vendor].CAPABILITIES for each in stores}
        return cls({each.alias: load_directory(connection, each, able[each.alias]) for each in stores})

    def __call__(self, store: StoreAlias, slot: SlotRef, fields: Fields) -> SlotWords:
        """A slot of the product with these fields."""
        return SlotWords(slot, fields, self.directory(store))

    def directory(self, store: StoreAlias) -> Directory:
        """The names of a store; none where stores.yaml does not have it any more."""
        return self.directories.get(store, Directory())
