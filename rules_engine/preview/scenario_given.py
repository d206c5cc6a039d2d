"""What a test has to give of a product or category, in the words of tests: the fields that its rule looks at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rules_engine.core.condition import All, AnyOf, Condition, Expression, Meaning, NoneOf, Test, Transition, fields_of
from rules_engine.core.directory import Directory, Unresolved
from rules_engine.core.fields import CATEGORY, PRODUCT, FieldType, read_path
from rules_engine.core.rule import EffectKind, Identified, Named, Rule, Under
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import fold

from .scenario_plain import plainly

_STOCK = frozenset({"stock", "tracks_stock", "in_stock", "can_be_ordered"})
_MEMBERSHIP = frozenset({EffectKind.ADD_TO_CATEGORY, EffectKind.REMOVE_FROM_CATEGORY})
_BRAND = frozenset({EffectKind.ASSIGN_BRAND, EffectKind.UNASSIGN_BRAND})
_VISIBILITY = frozenset({EffectKind.HIDE, EffectKind.SHOW})


class Wanted:
    """The fields that a test of this rule gives, and how categories are called in it."""

    def __init__(self, rule: Rule, directory: Directory) -> None:
        self.rule = rule
        self.directory = directory
        conditions = [rule.condition, *([rule.unless] if rule.unless else [])]
        looked_at = {field for each in conditions for field in fields_of(each)}
        known = PRODUCT if rule.about is SubjectKind.PRODUCT else CATEGORY
        roots = {str(rule.about), "before"}
        names = {field.partition(".")[2] for field in looked_at if field.partition(".")[0] in roots}
        self.looks_at_raw = "raw" in names
        self.looks_at_time = any(
            field.startswith("now") or known.get(field.partition(".")[2]) is FieldType.TIME for field in looked_at
        )
        self.names = set(known) - {"raw"} if "" in names else names & set(known) - {"raw"}
        self.attributes = {name for each in conditions for name in _attributes(each)}
        self.has_replaced = False
        """Whether something personal or secret was replaced so far."""
        self._complete({effect.kind for effect in rule.effects})

    def _complete(self, kinds: set[EffectKind]) -> None:
        """Add what the effects of the rule change, and what fields follow from."""
        names = self.names
        if kinds & _MEMBERSHIP or self.rule.guards.fallbacks or "category_ids" in names:
            names.add("categories")
        if kinds & _BRAND or "brand_id" in names:
            names.add("brand")
        if kinds & _VISIBILITY:
            names.add("published")
        if "on_sale" in names:
            names |= {"price", "compare_at_price"}
        if self.rule.about is SubjectKind.CATEGORY:
            names |= {"name"}

    def given(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """What a test says of these fields, and the names of those that nobody knows."""
        done: dict[str, Any] = {}
        if self.rule.about is SubjectKind.PRODUCT:
            done = {name: fields[name] for name in ("sku", "name") if fields.get(name)}
        rest = sorted(self.names - {*done, *_STOCK, "categories", "category_ids", "on_sale"})
        done |= {name: fields[name] for name in rest if name in fields}
        if self.names & _STOCK:
            done |= _stock(fields)
        if "on_sale" in self.names and not {"price", "compare_at_price"} <= set(fields) and "on_sale" in fields:
            done["on_sale"] = fields["on_sale"]
        if "attributes" in done and self.attributes != {"*"}:
            some = {fold(name) for name in self.attributes}
            done["attributes"] = {n: v for n, v in (done["attributes"] or {}).items() if fold(str(n)) in some}
        if "variants" in done:
            shown = ("sku", "stock", "price", "in_stock")
            done["variants"] = [{n: each[n] for n in shown if n in each} for each in done["variants"] or ()]
        if "categories" in self.names and "category_ids" in fields:
            done |= self._categories(fields)
        unknown = [name for name in sorted(self.names) if self._is_unknown(name, fields)]
        plain = {name: plainly(each, is_article_number=name in {"sku", "id"}) for name, each in done.items()}
        self.has_replaced |= plain != done
        return plain, unknown

    def _is_unknown(self, name: str, fields: Mapping[str, Any]) -> bool:
        if name in {"categories", "category_ids"}:
            return "category_ids" not in fields
        if name == "stock" and fields.get("tracks_stock") is False:
            return False
        return name not in fields

    def _categories(self, fields: Mapping[str, Any]) -> dict[str, list[str]]:
        """Categories by what they are called; by their ids where the rule names ids, or no name is known."""
        names, ids = [], []
        by_id = {t.id for effect in self.rule.effects for t in effect.targets if isinstance(t, Identified)}
        for id_ in fields["category_ids"]:
            called = self.called(id_, fields)
            if id_ in by_id or called is None or "category_ids" in self.names:
                ids.append(id_)
            else:
                names.append(called)
        return {"categories": names} | ({"category_ids": ids} if ids else {})

    def called(self, id_: str, fields: Mapping[str, Any]) -> str | None:
        """What a test calls a category: its name, or its path where the rule or another category asks for it."""
        known = (*((fields.get("category_names") or {}).get(id_) or ()), *self.directory.category_names(id_))
        if not known:
            return None
        below = any(isinstance(t, Under) or _is_path(t) for e in self.rule.effects for t in e.targets)
        is_one = not isinstance(self.directory.category(Named(known[0])), Unresolved)
        if id_ in self.directory.categories and self.directory.ancestors(id_) and (below or not is_one):
            return self.directory.path(id_)
        return str(known[0])


def _is_path(target: object) -> bool:
    return isinstance(target, Named) and " / " in target.name


def _stock(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Stock in as few words as say it: a number, or that it is not tracked; and orders that are taken without any."""
    done: dict[str, Any] = {}
    if fields.get("tracks_stock") is False:
        done["tracks_stock"] = False
    elif fields.get("stock") is not None:
        done["stock"] = fields["stock"]
    else:
        done |= {name: fields[name] for name in ("tracks_stock", "in_stock") if name in fields}
    if fields.get("can_be_ordered") and not fields.get("in_stock"):
        done["can_be_ordered"] = True
    elif not done and "can_be_ordered" in fields:
        done["can_be_ordered"] = fields["can_be_ordered"]
    return done


def _attributes(condition: Condition) -> Iterator[str]:
    """The names of the attributes that a condition looks at; `*` for all."""
    match condition:
        case All(parts) | AnyOf(parts) | NoneOf(parts):
            for part in parts:
                yield from _attributes(part)
        case Meaning(_, inner):
            yield from _attributes(inner)
        case Test() | Transition():
            where = read_path(condition.field)
            if where is None:
                yield "*"
            elif where.name == "attributes":
                yield where.rest[0] if where.rest else "*"
        case Expression():
            yield "*"
        case _:
            return
