"""What editors say of the rule language: a sentence and an example for every key, word, field and action."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules_engine.core.delivery import EventType

Json = dict[str, Any]
"""A piece of a JSON Schema. Any: whatever JSON holds."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an editor shows beside a key or value, and what may stand there, as YAML reads it. Any: whatever it is."""

    text: str
    examples: tuple[Any, ...] = ()

    def with_(self, schema: Json) -> Json:
        """The schema with this description and these examples."""
        examples = {"examples": list(self.examples)} if self.examples else {}
        return {"description": self.text, **examples, **schema}


FILE_KEYS: Mapping[str, Said] = {
    "meanings": Said(
        "Conditions with a name, for the rules of every file: one meaning of “sold out” for all of them.",
        ({"sold out": {"product.tracks_stock": True, "product.can_be_ordered": False}},),
    ),
    "limits": Said(
        "On how many products each rule of this file may act at most, in each store. A rule may only be stricter.",
        ({"per_day": "200 products"},),
    ),
    "rules": Said(
        "The rules, each below its code. Where two rules want the opposite, the earlier one wins.",
        ({"sold-out-leaves-featured": {"while": {"product.stock": 0}, "do": ["hide"]}},),
    ),
    "tests": Said(
        "Tests of rules, below the code of each rule; `rules-engine test` plays them.",
        ({"r": [{"name": "stays", "given": {"product": {"stock": 3}}, "expect": "nothing"}]},),
    ),
}

RULE_KEYS: Mapping[str, Said] = {
    "title": Said(
        "What the rule does, in a sentence for people.",
        ("Sold-out products leave Featured and come back when restocked",),
    ),
    "about": Said("What the rule looks at: products, unless it says otherwise.", ("product", "category")),
    "stores": Said(
        "The stores that the rule runs for, by their names in stores.yaml. Without it: every store that can do its "
        "actions and has its fields; `rules-engine check` says which are left out, and why.",
        (["web"], "web"),
    ),
    "while": Said(
        "A stretch of time. As long as this is so, the rule holds what it does; afterwards it puts back what it took.",
        ({"product.stock": {"at_most": 0}},),
    ),
    "as_soon_as": Said(
        "A moment. When this becomes so, the rule acts once, and gives nothing back. The first sight of a product is "
        "no moment.",
        ({"product.brand": {"becomes": "empty"}}, {"product.stock": {"falls_below": 3}}),
    ),
    "unless": Said(
        "What keeps the rule off. When it becomes so, the rule gives back what it holds.",
        ({"product.attributes.Featured": "always"},),
    ),
    "do": Said(
        "What is done: one action, or a list of them.", ([{"remove_from_category": "Featured"}], ["hide"], "hide")
    ),
    "mode": Said(
        "How far the rule may go: `live` (as always), `watch` (decide and record, call nothing), or `paused` (keep "
        "what it holds, do nothing; say `because:`).",
        ("watch",),
    ),
    "because": Said("Why the rule is paused.", ("The summer sale is being prepared",)),
    "afterwards": Said(
        "What happens to what a `while` rule took, when its condition ends: `put back` (as always), or `leave`.",
        ("leave", "put back"),
    ),
    "first_sight": Said(
        "`act`: under `as_soon_as`, a product that is seen for the first time counts as a moment.", ("act",)
    ),
    "must_last": Said(
        "How long the condition of a `while` rule has to hold before the rule takes anything. Giving back waits for "
        "nothing.",
        ("15 minutes", "1 hour 30 minutes"),
    ),
    "at_most_every": Said(
        "The least time between two times that the rule acts on one product; at most 30 days.", ("1 day",)
    ),
    "between": Said(
        "The hours in which the rule may act, taking and giving back, in the store's time zone; `22:00 and 06:00` "
        "spans midnight. What is held stays held outside of them.",
        ("09:00 and 17:00", ["22:00", "06:00"]),
    ),
    "weekdays": Said(
        "The days on which the rule may act, in the store's time zone.",
        ("monday to friday", "saturday and sunday", ["mon", "wed"]),
    ),
    "insist": Said(
        "`true`: the rule takes again what a person put back. Otherwise a person wins, and the rule leaves that "
        "product alone until its condition ends.",
        (True,),
    ),
    "flap_limit": Said(
        "How often in 24 hours the rule takes one product, 3 unless it says otherwise; then it waits, and says so.",
        (5,),
    ),
    "if_no_category_is_left": Said(
        "Where a product goes that the rule would leave without any category.", ({"add_to_category": "Unsorted"},)
    ),
    "limits": Said(
        "On how many products the rule may act in an hour and in a day, in each store, taking and giving back counted "
        "apart. What goes beyond waits for a person's yes (`rules-engine questions`).",
        ({"per_hour": "50 products", "per_day": "10 percent"},),
    ),
    "never_leave": Said(
        "A category that the rule never leaves with fewer products than this: what is beyond waits, the oldest goes "
        "first. Several stand in a list; an id is written `{fewer_than: 4, in: {id: 9691094}}`.",
        (
            "fewer than 4 products in Featured",
            ["fewer than 4 products in Featured"],
            {"fewer_than": 4, "in": {"id": 9691094}},
        ),
    ),
    "ask_first": Said(
        "Over how many products within an hour the rule asks a person before it takes them; `always`: each time. A "
        "rule that empties categories asks over 100 products, whatever it says.",
        ("over 100 products", "always"),
    ),
    "formerly": Said(
        "The code, or the codes, that the rule had before: it goes on with what it holds under them.",
        ("old-code", ["first-code", "second-code"]),
    ),
}

LIMITS: Mapping[str, Said] = {
    "per_hour": Said(
        "On how many products the rule may act within an hour: a number, or a share of all products that the last "
        "complete sweep found.",
        ("50 products", 50, "2 percent"),
    ),
    "per_day": Said("The same within 24 hours.", ("200 products", 200, "10 percent", "10%")),
}

FLOORS: Mapping[str, Said] = {
    "fewer_than": Said("How few products are too few.", (4,)),
    "in": Said("The category, by its name, its path or its id.", ("Featured", "Home / Featured", {"id": 9691094})),
}

GROUPS: Mapping[str, Said] = {
    "all": Said("Each of these has to be so.", ([{"product.stock": 0}, {"product.published": True}],)),
    "any": Said("At least one of these has to be so.", ([{"product.stock": 0}, {"product.published": False}],)),
    "none": Said("None of these may be so.", ([{"product.tags": {"contains": "keep"}}],)),
    "jmespath": Said(
        "A condition as a JMESPath expression that yields true or false, for what fields and words cannot say. Text "
        "stands in single quotes, numbers in backticks.",
        ("contains(product.tags, 'end-of-line')", "length(product.variants) > `3`"),
    ),
}

CATEGORY_GROUPS: Mapping[str, Said] = {
    name: Said(GROUPS[name].text, examples)
    for name, examples in {
        "all": ([{"category.published": True}, {"category.product_count": {"less_than": 4}}],),
        "any": ([{"category.published": False}, {"category.product_count": 0}],),
        "none": ([{"category.name": "Featured"}],),
        "jmespath": ("category.product_count > `3`",),
    }.items()
}
"""The same in rules about categories."""

HAPPENS = Said("What arrived: the product or category was `created` or `deleted`.", ("created", "deleted"))

MEANING = "A condition: fields and what they have to be, all of them; or the name of a meaning."

WORDS: Mapping[str, Said] = {
    "is": Said("Exactly this; text without regard to capitals."),
    "is_not": Said("Anything but this."),
    "at_most": Said("This or less."),
    "at_least": Said("This or more."),
    "more_than": Said("More than this."),
    "less_than": Said("Less than this."),
    "between": Said("From the first to the second, both counted in: `[3, 7]`, or `3 and 7`."),
    "one_of": Said("Any of these."),
    "none_of": Said("None of these."),
    "contains": Said("Text that has this somewhere in it; or a list with this in it."),
    "contains_any": Said("Has at least one of these in it."),
    "starts_with": Said("Text that begins so; of a list, one of its names does."),
    "ends_with": Said("Text that ends so; of a list, one of its names does."),
    "matches": Said("Text of this form: `*` stands for any text, `?` for any one character."),
    "empty": Said("`true`: nothing is there, or only blanks, or an empty list."),
    "not_empty": Said("`true`: something is there."),
    "newer_than": Said("Less long ago than this."),
    "older_than": Said("At least as long ago as this."),
    "becomes": Said("It was something else when last seen, and is this now. Also `empty` or `not_empty`."),
    "was": Said("It was this when last seen, and is something else now. Also `empty` or `not_empty`."),
    "changes": Said("`true`: it is not what it was when last seen."),
    "rises_above": Said("It was this or less when last seen, and is more now."),
    "falls_below": Said("It was this or more when last seen, and is less now."),
}

FIELDS: Mapping[str, Said] = {
    "product.id": Said("The shop's id of the product.", (37208339,)),
    "product.sku": Said("The article number.", ("LAPTOP-15", {"starts_with": "LAPTOP-"})),
    "product.name": Said("The name; one in several languages is what any of them says.", ({"contains": "laptop"},)),
    "product.brand": Said("The name of the brand.", ("Acme", "empty", {"one_of": ["Acme", "Globex"]})),
    "product.brand_id": Said("The shop's id of the brand, or its name where the shop has no ids.", ("brand-7",)),
    "product.stock": Said(
        "How many pieces there are, with all variants; nothing where stock is unlimited.", (0, {"at_most": 3})
    ),
    "product.tracks_stock": Said("Whether the pieces are counted; `false`: stock is unlimited.", (True,)),
    "product.in_stock": Said("Whether there is at least one piece, or stock is unlimited.", (False,)),
    "product.can_be_ordered": Said(
        "Whether it can be bought: in stock, unlimited, or as a pre-order or back-order.", (False,)
    ),
    "product.published": Said("Whether the shop shows it.", (True,)),
    "product.price": Said("The price, in the shop's currency.", ({"less_than": 9.99}, 0)),
    "product.compare_at_price": Said("The price before a reduction.", ("not_empty", {"more_than": 100})),
    "product.on_sale": Said("Whether the price before a reduction is above the price.", (True,)),
    "product.currency": Said("The currency of the price.", ("EUR",)),
    "product.categories": Said("The names of the categories that it is in.", ({"contains": "Featured"}, "empty")),
    "product.category_ids": Said("The ids of the categories that it is in.", ({"contains": 9691094},)),
    "product.tags": Said("Its tags.", ({"contains": "end-of-line"}, "empty")),
    "product.attributes": Said(
        "All its attributes; for one of them write `product.attributes.NAME`.", ("empty", {"not_empty": True})
    ),
    "product.variants": Said("All its variants, such as sizes; for one of them write `jmespath:`.", ("not_empty",)),
    "product.created_at": Said("When it was created.", ({"newer_than": "14 days"}, {"at_least": "2026-01-31"})),
    "product.updated_at": Said("When it was changed last.", ({"older_than": "1 week"},)),
    "product.raw": Said(
        "The product as the shop itself shows it; for a part of it write `product.raw.NAME`.", ("not_empty",)
    ),
    "category.id": Said("The shop's id of the category.", (9691094,)),
    "category.name": Said("The name; one in several languages is what any of them says.", ("Featured",)),
    "category.path": Said("The names from the top down to it.", ("Home / Featured", {"starts_with": "Home / "})),
    "category.parent_id": Said("The id of the category above it; nothing at the top.", ("empty", 5)),
    "category.published": Said("Whether the shop shows it.", (False,)),
    "category.product_count": Said("How many products are in it.", ({"less_than": 4},)),
    "category.raw": Said(
        "The category as the shop itself shows it; for a part of it write `category.raw.NAME`.", ("not_empty",)
    ),
    "event.type": Said("What arrived.", tuple(str(one) for one in EventType if one is not EventType.UNKNOWN)),
    "event.time": Said("When it happened, as the shop says.", ({"newer_than": "1 hour"},)),
    "store.alias": Said("The store's name in stores.yaml.", ("web", {"one_of": ["web", "ksa"]})),
    "store.vendor": Said("The shop system of the store.", ("ecwid",)),
    "now.date": Said("Today's date, in the store's time zone.", ({"between": ["2026-11-01", "2026-12-24"]},)),
    "now.time": Said("The time of day, in the store's time zone.", ({"between": "09:00 and 17:00"},)),
    "now.weekday": Said("Today's day of the week, in the store's time zone.", ("monday",)),
}

BEFORE = "As it was when last seen. "
ATTRIBUTE = Said("One attribute, by its name in the shop.", ("always",))
RAW = Said("A part of what the shop itself shows.", ("something", {"more_than": 2}))
EXPRESSION = Said("What a JMESPath expression yields.", ({"more_than": 3},))

ACTIONS: Mapping[str, Said] = {
    "remove_from_category": Said(
        "Take the product out of a category: its name, its path, `{id: …}`, `{under: NAME}` (every category below "
        "it), a list of these, or `all`.",
        ("Featured", "Home / Featured", {"id": 9691094}, {"under": "Brands"}, ["Featured", {"id": 5}], "all"),
    ),
    "add_to_category": Said(
        "Add the product to a category: its name, its path, `{id: …}`, or a list of these.",
        ("Featured", "Home / Featured", {"id": 9691094}, ["Featured", "Sale"]),
    ),
    "assign_brand": Said("Give the product this brand: its name, or `{id: …}`.", ("Acme", {"id": "brand-7"})),
    "unassign_brand": Said("Take the product's brand away.", ("unassign_brand",)),
    "show": Said("Let the shop show the product.", ("show",)),
    "hide": Said("Let the shop show the product no more.", ("hide",)),
    "empty_category": Said(
        "Take every product out of the category that the rule is about; only with `about: category`.",
        ("empty_category",),
    ),
    "notify": Said("Tell somebody what the rule did: a name below `notify:` in stores.yaml.", ({"webhook": "floor"},)),
}

EXACT_ACTIONS: Mapping[str, Said] = {
    **ACTIONS,
    "remove_from_category": Said(
        "Take the product out of a category: its name, its path, `{id: …}`, or a list of these.",
        ("Featured", {"id": 9691094}, ["Featured", "Sale"]),
    ),
}
"""The same where only single categories can stand, as in tests."""

TARGETS: Mapping[str, Said] = {
    "id": Said("The shop's id.", (9691094, "collection-id-1")),
    "under": Said("Every category below this one that the product is in.", ("Brands", {"id": 5})),
    "webhook": Said("Who is told: a name below `notify:` in stores.yaml.", ("floor",)),
}
