"""What other shops, spreadsheets and programming languages call our fields, words and groups."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules_engine.core.explain import closest
from rules_engine.core.fields import ROOTS, FieldType, fields_below, read_path
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import Change, Word

from .vocabulary import FITTING, instead_of

_LONGEST = 60


def _each(table: Mapping[str, str]) -> dict[str, str]:
    """Each spelling with what it means, from what is meant with all its spellings."""
    return {written: meant for meant, spellings in table.items() for written in spellings.split()}


_PRODUCT = _each(
    {
        "name": "title label product_name product_title",
        "sku": "code article article_number item_number product_code",
        "brand": "vendor manufacturer make maker producer brand_name",
        "stock": "inventory inventory_quantity quantity qty amount units pieces stock_level stock_quantity on_hand",
        "in_stock": "available availability is_in_stock",
        "can_be_ordered": "orderable purchasable available_for_sale buyable sellable can_order",
        "published": "status state active visible visibility enabled hidden online live is_published",
        "price": "sale_price selling_price current_price unit_price",
        "compare_at_price": "old_price original_price regular_price list_price was_price rrp msrp strike_price",
        "on_sale": "sale discount discounted reduced is_on_sale",
        "categories": "category category_name category_names collection collections",
        "tags": "tag label_list labels keywords",
        "attributes": "attribute option options property properties metafields custom_fields",
        "variants": "variant variation variations combinations",
        "created_at": "created creation date_created created_on creation_date added added_at date_added published_at",
        "updated_at": "updated modified date_modified modified_at changed_at last_modified",
    }
)
_CATEGORY = _each(
    {
        "name": "title label category_name collection",
        "path": "full_name breadcrumb",
        "parent_id": "parent parent_category",
        "published": "status state active visible visibility enabled hidden online live is_published",
        "product_count": "count size length products product_number number_of_products",
    }
)
_BELOW: Mapping[str, Mapping[str, str]] = {
    "product": _PRODUCT,
    "category": _CATEGORY,
    "now": _each({"weekday": "day day_of_week", "date": "today", "time": "hour clock minute"}),
    "store": _each({"alias": "name id shop code", "vendor": "type system platform"}),
    "event": _each({"type": "name topic kind", "time": "date timestamp"}),
}
_ALONE = _each({"now.weekday": "weekday day day_of_week", "now.date": "today date", "now.time": "time hour clock"})
"""What people write without saying of what."""

GROUPS = _each({"any": "or any_of either one_of some anyof", "all": "and all_of both every allof", "none": "none_of"})
"""What else the groups are called; `not` is told apart, since it has no list."""

_WORDS = _each(
    {
        Word.IS: "= == === eq equal equals equal_to equals_to is_equal_to same_as",
        Word.IS_NOT: "!= !== <> ≠ ne neq not isnt is_not_equal_to not_equal not_equals not_equal_to does_not_equal",
        Word.AT_MOST: "<= =< ≤ lte le max maximum up_to less_or_equal less_than_or_equal less_than_or_equal_to "
        "not_more_than no_more_than until",
        Word.AT_LEAST: ">= => ≥ gte ge min minimum from since greater_or_equal greater_than_or_equal "
        "greater_than_or_equal_to more_than_or_equal more_than_or_equal_to not_less_than no_less_than",
        Word.MORE_THAN: "> gt greater greater_than bigger_than larger_than higher_than above over exceeds after",
        Word.LESS_THAN: "< lt less smaller_than lower_than fewer_than below under before",
        Word.BETWEEN: "range in_range",
        Word.ONE_OF: "in any_of is_in is_one_of is_any_of among oneof",
        Word.NONE_OF: "not_in nin not_one_of not_any_of is_not_one_of is_not_in is_none_of",
        Word.CONTAINS: "include includes including has contain containing",
        Word.CONTAINS_ANY: "includes_any has_any contains_one_of contains_some",
        Word.STARTS_WITH: "begins_with begin_with start_with startswith starting_with starts prefix",
        Word.ENDS_WITH: "end_with endswith ending_with ends suffix",
        Word.MATCHES: "like match regex pattern glob wildcard",
        Word.EMPTY: "is_empty blank is_blank is_null null missing is_missing not_exists does_not_exist not_set",
        Word.NOT_EMPTY: "is_not_empty notempty exist exists present is_present is_set has_value not_blank not_null "
        "is_not_null",
        Word.NEWER_THAN: "within in_the_last in_last last younger_than newer within_the_last",
        Word.OLDER_THAN: "older more_than_ago",
        Change.BECOMES: "become became becomes_to changed_to changes_to turns turned turns_to switches_to gets",
        Change.WAS: "was_before changed_from changes_from previously",
        Change.CHANGES: "change changed has_changed is_changed",
        Change.RISES_ABOVE: "goes_above climbs_above rises_over exceeds_now",
        Change.FALLS_BELOW: "drops_below goes_below sinks_below falls_under drops_under",
    }
)
_NOT_OURS = frozenset(["image", "images", "picture", "pictures", "photo", "photos", "media", "thumbnail", "gallery"])
"""What products have and we do not show, so that nothing like it is guessed."""
_DENIED = {"not_contains", "not_contain", "does_not_contain", "doesnt_contain", "excludes", "without", "not_includes"}
_RISING = {"increases", "increased", "rises", "goes_up"}
_FALLING = {"decreases", "decreased", "falls", "drops", "goes_down"}


def plainly(text: str) -> str:
    """A name as ours are written: `Compare-At Price` and `compareAtPrice` as `compare_at_price`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.strip()[: 2 * _LONGEST])
    return re.sub(r"[\s_-]+", "_", spaced.replace("'", "").replace("’", "")).casefold()


_OPPOSITE = re.compile(r"(?:is_)?(?:hidden|unpublished|not_.+|out_of_.+)")


def is_opposite(name: str) -> bool:
    """Whether a name says the opposite of the field that is meant by it: `hidden` of `product.published`."""
    return _OPPOSITE.fullmatch(plainly(name).rpartition(".")[2]) is not None


def field_of(text: str, about: SubjectKind | None) -> str:
    """The field that is meant by a text that is none, or empty."""
    if len(text) > _LONGEST:
        return ""
    root, _, name = text.strip().partition(".")
    if not name:
        subject = str(about or SubjectKind.PRODUCT)
        return _ALONE.get(plainly(root), "") or _below(subject, root, about)
    meant = closest(plainly(root), ROOTS) or ("product" if plainly(root) in {"variant", "item", "article"} else "")
    return _below(meant, name, about) if meant else ""


def _below(root: str, name: str, about: SubjectKind | None) -> str:
    first = plainly(name.split(".", 1)[0])
    known = fields_below(root, about)
    kind = str(about or SubjectKind.PRODUCT) if root == "before" else root
    if first in _NOT_OURS:
        return ""
    meant = first if first in known else _BELOW.get(kind, {}).get(first, "") or closest(first, known)
    return f"{root}.{meant}" if meant in known else ""


def word_of(text: str, kind: FieldType, field: str) -> str:
    """The advice what to write instead of a word that is none, for a field of a type."""
    name = plainly(text)
    if name in _DENIED:
        return "write `none_of:`" if Word.NONE_OF in FITTING[kind] and kind is not FieldType.TEXT else _deny(field)
    if name in {"contains_all", "has_all", "includes_all"}:
        return f"write `all:` and a line for each: `- {field}: {{contains: …}}`"
    if name in _RISING | _FALLING and kind is FieldType.NUMBER and read_path(field):
        sign = ">" if name in _RISING else "<"
        return f"write `jmespath: {field} {sign} before.{field.split('.', 1)[1]}` in place of this line"
    found = _WORDS.get(name) or name
    meant = found if found in set(Word) | set(Change) else closest(name, [*Word, *Change])
    fitting = {str(word) for word in FITTING[kind]}
    if meant and meant not in fitting:
        meant = instead_of(meant, kind)
    if not meant:
        return f"{field[:_LONGEST]} takes: {', '.join(word for word in [*Word, *Change] if word in fitting)}"
    if meant != _WORDS.get(name) and meant == closest(text, [meant]):
        return f'did you mean "{meant}"?'
    return f"write `{meant}:`" + ("; in it `*` is any text and `?` any one character" if meant == Word.MATCHES else "")


def _deny(field: str) -> str:
    return f"write `none:` and the condition below it: `- {field}: {{contains: …}}`"
