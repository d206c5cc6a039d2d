"""stores.yaml → stores and notify targets: everything checked, secrets taken from the environment and never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.explain import closest, did_you_mean
from rules_engine.core.problem import Place
from rules_engine.core.store import Names, NotifyTarget, Store, StoresFile

from .address import what_is_wrong_with_base_url
from .masks import VARIABLE, is_secret, mask_all, mask_secrets, takes_list
from .notify import NotifyTargets
from .report import Report
from .vendor import VendorSpec
from .yaml import ListNode, MapNode, Node, ScalarNode, read_yaml
from .zones import read_zone

KEYS = ("stores", "notify")
"""The keys of stores.yaml."""

_ALIAS = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

Plain = str | bool | None | list[Any] | dict[str, Any]
"""What pydantic gets: ids and numbers as their source text. Any: lists and maps nest."""


def load_stores(
    text: str,
    *,
    path: str,
    vendors: Mapping[str, VendorSpec],
    environment: Mapping[str, str] | None,
) -> StoresFile:
    """The stores of a stores.yaml and whom rules may notify, in its order. Raises `RulebookError` with every problem.

    `${NAME}` in a secret field is taken from `environment`; an unset one is noted in `Store.missing`, with an empty
    secret, which no vendor accepts, or in `NotifyTarget.missing`. Without an environment (offline) it stays as it is.
    """
    report = Report()
    report.add_file(path, text, mask_all)
    root = read_yaml(text, path=path, report=report)
    stores: tuple[Store, ...] = ()
    notify: tuple[NotifyTarget, ...] = ()
    if root is not None:
        report.change_mask(path, mask_secrets(root, vendors))
        stores = _Loader(report, vendors, environment).load(root)
        notify = NotifyTargets(report, environment).read(root)
    report.raise_if_any()
    return StoresFile(stores, notify)


class _Loader:
    def __init__(
        self, report: Report, vendors: Mapping[str, VendorSpec], environment: Mapping[str, str] | None
    ) -> None:
        self._report = report
        self._vendors = vendors
        self._environment = environment

    def load(self, root: Node) -> tuple[Store, ...]:
        stores = root.get("stores") if isinstance(root, MapNode) else None
        if isinstance(root, MapNode):
            for key, _ in root:
                if key.text not in KEYS:
                    self._report.unknown(key, "unknown-key", "stores.yaml has no key", KEYS)
                    if closest(key.text, KEYS) == "stores" and stores is None:
                        return ()
        if not isinstance(stores, MapNode) or not stores.entries:
            said = "there are no stores here"
            advice = "write `stores:` and below it, for each store, its name and its `vendor:`"
            self._report.error((stores or root).place, "no-stores", said, advice)
            return ()
        loaded = [self._store(key, value) for key, value in stores]
        found = [store for store in loaded if store is not None]
        self._refuse_twins(found, stores)
        return tuple(found)

    def _refuse_twins(self, found: list[Store], stores: MapNode) -> None:
        """Two stores that are one shop would each undo what the other did."""
        first: dict[tuple[str, str], Store] = {}
        for store in found:
            shop = store.settings.shop_id
            key = stores.key(store.alias)
            if shop is None or key is None:
                continue
            other = first.setdefault((store.settings.vendor, shop), store)
            if other is not store:
                said = f'"{store.alias}" is the same shop as "{other.alias}"'
                self._report.error(key.place, "doubled-store", said, "keep one of them")

    def _store(self, key: ScalarNode, node: Node) -> Store | None:
        if not _ALIAS.fullmatch(key.text):
            said = f'"{key.text[:60]}" cannot name a store, because it stands in a URL'
            self._report.error(key.place, "bad-alias", said, "use letters, digits, - and _")
            return None
        if not isinstance(node, MapNode):
            self._report.error(node.place, "wrong-shape", f'store "{key.text}" has no settings', "write `vendor: …`")
            return None
        spec = self._vendor(key, node)
        return None if spec is None else _StoreReader(self._report, key, node, spec, self._environment).read()

    def _vendor(self, key: ScalarNode, node: MapNode) -> VendorSpec | None:
        vendor = node.get("vendor")
        if not isinstance(vendor, ScalarNode):
            advice = f"write `vendor:` and one of {', '.join(self._vendors)}"
            place = vendor.place if vendor else key.place
            self._report.error(place, "missing-key", f'store "{key.text}" does not say its vendor', advice)
            return None
        if vendor.text not in self._vendors:
            self._report.unknown(vendor, "unknown-vendor", "there is no vendor", self._vendors)
            return None
        return self._vendors[vendor.text]


class _StoreReader:
    """Reads one store, for its vendor's settings."""

    def __init__(
        self,
        report: Report,
        key: ScalarNode,
        node: MapNode,
        spec: VendorSpec,
        environment: Mapping[str, str] | None,
    ) -> None:
        self._report = report
        self._key = key
        self._node = node
        self._spec = spec
        self._environment = environment
        self._missing: list[str] = []
        self._is_sound = True
        self._explained = {"base_url"}  # the keys whose problems are told in better words than pydantic's

    def read(self) -> Store | None:
        values: dict[str, Plain] = {}
        fields = self._spec.SETTINGS.model_fields
        for key, node in self._node:
            if key.text not in fields:
                self._is_sound = False
                what = f"{self._spec.TITLE} stores have no key"
                self._report.unknown(key, "unknown-key", what, fields)
            elif is_secret(fields[key.text]):
                values[key.text] = self._secrets(key, node, is_list=takes_list(fields[key.text]))
            else:
                values[key.text] = self._plain(key, node)
        self._check_base_url(self._node.get("base_url"))
        self._check_time_zone(self._node.get("time_zone"))
        return self._build(values)

    def _error(self, place: Place, code: str, message: str, advice: str = "") -> None:
        self._is_sound = False
        self._report.error(place, code, message, advice)

    def _secrets(self, key: ScalarNode, node: Node, *, is_list: bool) -> Plain:
        if isinstance(node, ListNode) and is_list and node.items:
            return [self._secret(key, item) for item in node.items]
        one = self._secret(key, node)
        return [one] if is_list else one

    def _secret(self, key: ScalarNode, node: Node) -> str:
        name = self._variable(key.text)
        advice = f"write `${{{name}}}` and set {name} in the environment"
        if not isinstance(node, ScalarNode):
            self._error(node.place, "wrong-shape", f"`{key.text}` is one secret", advice)
            return ""
        match = VARIABLE.fullmatch(node.text.strip())
        if match is None:
            what = "is empty" if node.is_null or not node.text.strip() else "is a secret and must not stand in a file"
            place = Place(node.place.path, node.place.line, node.place.column)  # its length is part of the secret
            self._error(place, "literal-secret", f"`{key.text}` {what}", advice)
            return ""
        if self._environment is None:
            return match[0]
        value = self._environment.get(match[1], "")
        if not value.strip() and match[1] not in self._missing:
            self._missing.append(match[1])
        return value.strip()

    def _variable(self, key: str) -> str:
        """The environment variable that a secret of this store could be in."""
        return re.sub(r"\W", "_", f"{self._key.text}_{key}").upper()

    def _plain(self, key: ScalarNode, node: Node) -> Plain:
        if isinstance(node, MapNode):
            return {inner.text: self._plain(key, value) for inner, value in node}
        if isinstance(node, ListNode):
            return [self._plain(key, item) for item in node.items]
        if "${" in node.text:
            said = "a variable stands only in a secret's place, as its whole value"
            self._error(node.place, "misplaced-variable", said, "write the value itself")
            self._explained.add(key.text)
        if node.is_null:
            return None
        value = node.written.value
        return value if isinstance(value, bool) else node.text

    def _check_base_url(self, node: Node | None) -> None:
        if node is None:
            if not self._spec.DEFAULT_BASE_URL:
                said = f'store "{self._key.text}" ({self._spec.TITLE}) needs `base_url`'
                self._error(self._key.place, "missing-key", said, "write `base_url: https://…`")
            return
        if not isinstance(node, ScalarNode) or node.is_null:
            self._error(node.place, "bad-base-url", "`base_url` is an address", "write `https://…`")
            return
        said = what_is_wrong_with_base_url(node.text)
        if said:
            place = Place(node.place.path, node.place.line, node.place.column) if "@" in node.text else node.place
            self._error(place, "bad-base-url", said, "write scheme, host and port only: `https://shop.example`")

    def _check_time_zone(self, node: Node | None) -> None:
        if isinstance(node, ScalarNode) and read_zone(self._report, node) is None:
            self._is_sound = False

    def _build(self, values: dict[str, Plain]) -> Store | None:
        try:
            settings = self._spec.SETTINGS.model_validate(values)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_context=False, include_input=False):
                self._explain(detail)
            return None
        except Exception:  # noqa: BLE001 — a vendor's own check may run into anything, and a file must only be refused
            said = f'the settings of "{self._key.text}" cannot be read'
            self._error(self._key.place, "bad-value", said)
            return None
        return Store(StoreAlias(self._key.text), settings, tuple(self._missing)) if self._is_sound else None

    def _explain(self, detail: ErrorDetails) -> None:
        """A pydantic error at the place of its node, in plain words."""
        where = [str(part) for part in detail["loc"]]
        field = self._spec.SETTINGS.model_fields.get(where[0]) if where else None
        if where and where[0] in self._explained:
            return
        node = _node_at(self._node, where) or self._key
        name = ".".join(part for part in where if not part.isdigit() and "[" not in part)
        if detail["type"] == "missing":
            said = f'store "{self._key.text}" ({self._spec.TITLE}) needs `{name}`'
            value = f"${{{self._variable(name)}}}" if field is not None and is_secret(field) else "…"
            self._error(self._key.place, "missing-key", said, f"write `{name}: {value}`")
        elif detail["type"] == "extra_forbidden":
            advice = did_you_mean(where[-1], Names.model_fields, "there are: " + ", ".join(Names.model_fields))
            self._error(node.place, "unknown-key", f"`{'.'.join(where[:-1])}` has no key `{where[-1]}`", advice)
        elif field is not None and is_secret(field):
            self._error(self._key.place, "bad-value", f"`{name}` is not as {self._spec.TITLE} needs it")
        else:
            said = _plain_words(detail)
            advice = f"write `{where[-1]}: {{Featured: 9691094}}`" if where[:1] == ["names"] and "map" in said else ""
            self._error(node.place, "bad-value", f"`{name}` {said}" if name else said, advice)


_WORDS = {
    "string_type": "must be text: put it in quotes",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "mapping_type": "must be a map: `name: id`",
    "dict_type": "must be a map: `name: id`",
    "model_type": "must be a map",
    "model_attributes_type": "must be a map",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "does not have the form that it needs",
}


def _plain_words(detail: ErrorDetails) -> str:
    return _WORDS.get(detail["type"], detail["msg"].removeprefix("Value error, "))


def _node_at(node: MapNode, where: list[str]) -> Node | None:
    """The deepest node on the way that pydantic names, for a key that is too many the key itself."""
    found: Node | None = None
    inside: Node = node
    for part in where:
        if isinstance(inside, MapNode) and (next_ := inside.get(part)) is not None:
            found = inside = next_
        elif isinstance(inside, ListNode) and part.isdigit() and int(part) < len(inside.items):
            found = inside = inside.items[int(part)]
    return found
