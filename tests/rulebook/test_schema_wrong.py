"""Files with one mistake of shape each: the editor underlines it, and the loader refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from schema_reader import refusals, refusals_of_stores, underlined

from rules_engine.core.errors import RulebookError
from rules_engine.rulebook import compile_rulebook, compile_scenarios
from rules_engine.rulebook.schema import SchemaKind

WRONG = Path(__file__).parent / "wrong"

RULE = "rules:\n  r:\n    while: {product.stock: 0}\n    do: [{remove_from_category: Featured}]\n"
MOMENT = "rules:\n  r:\n    as_soon_as: {product.stock: 0}\n    do: [hide]\n"
CATEGORY = "rules:\n  r:\n    about: category\n    while: {category.published: false}\n    do: [empty_category]\n"


def condition(text: str) -> str:
    return f"rules:\n  r:\n    while: {text}\n    do: [hide]\n"


def moment(text: str) -> str:
    return f"rules:\n  r:\n    as_soon_as: {text}\n    do: [hide]\n"


def do(text: str) -> str:
    return f"rules:\n  r:\n    while: {{product.stock: 0}}\n    do: {text}\n"


def trial(text: str) -> str:
    return f"tests:\n  r:\n    - {text}\n"


FILES = {
    "a key of the file that there is not": "rule: {}\n",
    "rules as a list": "rules: [a]\n",
    "a file that is a text": "just text\n",
    "a code of two words": "rules:\n  two words:\n    while: {product.stock: 0}\n    do: [hide]\n",
    "a rule that is a text": "rules:\n  r: later\n",
    "a key of the rule with a typing error": RULE + "    tittle: x\n",
    "a floor without its category": RULE + "    never_leave: fewer than 4 products\n",
    "a floor in other words": RULE + "    never_leave: less than 4 products in Featured\n",
    "a floor of none": RULE + "    never_leave: fewer than 0 products in Featured\n",
    "a floor without a number": RULE + "    never_leave: {in: Featured}\n",
    "a floor with a share": RULE + "    never_leave: {fewer_than: 10 percent, in: Featured}\n",
    "a floor below a category": RULE + "    never_leave: {fewer_than: 4, in: {under: Brands}}\n",
    "no floor": RULE + "    never_leave: []\n",
    "limits without one": RULE + "    limits: {}\n",
    "limits without a time": RULE + "    limits: 200 products\n",
    "limits of a week": RULE + "    limits: {per_week: 200}\n",
    "a limit of nothing": RULE + "    limits: {per_day: 0}\n",
    "a limit below nothing": RULE + "    limits: {per_day: -5}\n",
    "a limit of a half": RULE + "    limits: {per_day: 2.5}\n",
    "a limit of more than all": RULE + "    limits: {per_day: 150 percent}\n",
    "a limit of categories": RULE + "    limits: {per_day: 200 categories}\n",
    "a limit that is a list": RULE + "    limits: {per_day: [200]}\n",
    "a limit beyond all shops": RULE + "    limits: {per_day: 1000001}\n",
    "a ceiling of nothing": "limits: {per_day: 0 products}\n" + RULE,
    "ceilings as a list": "limits: [200]\n" + RULE,
    "asking about a share": RULE + "    ask_first: over 10 percent\n",
    "asking with a flag": RULE + "    ask_first: true\n",
    "asking over none": RULE + "    ask_first: 0\n",
    "asking in other words": RULE + "    ask_first: more than 100\n",
    "no trigger": "rules:\n  r:\n    do: [hide]\n",
    "two triggers": RULE + "    as_soon_as: {product.stock: 0}\n",
    "nothing to do": "rules:\n  r:\n    while: {product.stock: 0}\n",
    "about something else": RULE + "    about: brand\n",
    "a mode with a typing error": RULE + "    mode: wach\n",
    "paused without a reason": RULE + "    mode: paused\n",
    "afterwards with a typing error": RULE + "    afterwards: put bak\n",
    "a moment that puts back": MOMENT + "    afterwards: put back\n",
    "first sight under while": RULE + "    first_sight: act\n",
    "first sight that waits": MOMENT + "    first_sight: wait\n",
    "a title that is a list": RULE + "    title: [a]\n",
    "stores without one": RULE + "    stores: []\n",
    "a span without a unit": RULE + "    must_last: 15\n",
    "a span with a typing error": RULE + "    must_last: 15 minuts\n",
    "a span of nothing": RULE + "    must_last: ''\n",
    "a moment that lasts": MOMENT + "    must_last: 15 minutes\n",
    "hours without minutes": RULE + "    between: 9 to 5\n",
    "hours that there are not": RULE + "    between: [09:00, 25:00]\n",
    "one end only": RULE + "    between: [09:00]\n",
    "days with a dash": RULE + "    weekdays: mon-fri\n",
    "a day that there is not": RULE + "    weekdays: [mon, holiday]\n",
    "insist with a word": RULE + "    insist: yes\n",
    "a flap limit in words": RULE + "    flap_limit: three\n",
    "a flap limit of nothing": RULE + "    flap_limit: 0\n",
    "another action when no category is left": RULE + "    if_no_category_is_left: hide\n",
    "a former code of two words": RULE + "    formerly: two words\n",
    "a field with a typing error": condition("{product.stok: 0}"),
    "a field without product": condition("{stock: 0}"),
    "a field below a field": condition("{product.name.en: Shoe}"),
    "a field of the other subject": condition("{category.name: Sale}"),
    "a product's field in a rule about categories": CATEGORY.replace("category.published: false", "product.stock: 0"),
    "a word with a typing error": condition("{product.stock: {atmost: 0}}"),
    "a word that does not fit": condition("{product.brand: {at_most: 3}}"),
    "a name for a list": condition("{product.categories: Featured}"),
    "a list alone": condition("{product.brand: [Acme, Globex]}"),
    "text for a number": condition("{product.stock: five}"),
    "a number in quotes": condition('{product.stock: {at_most: "0"}}'),
    "text for a flag": condition("{product.published: yes}"),
    "nothing where a value stands": condition("{product.stock: }"),
    "no word": condition("{product.stock: {}}"),
    "three ends": condition("{product.stock: {between: [1, 2, 3]}}"),
    "no value in a list": condition("{product.brand: {one_of: []}}"),
    "a date of words": condition("{product.created_at: {more_than: yesterday}}"),
    "an age without a unit": condition("{product.created_at: {newer_than: 14}}"),
    "the age of a number": condition("{product.stock: {newer_than: 14 days}}"),
    "a change under while": condition("{product.brand: {becomes: empty}}"),
    "an event under while": condition("{happens: created}"),
    "what was before under while": condition("{before.stock: 3}"),
    "a change of the clock": moment("{now.time: {changes: true}}"),
    "a change of what the shop shows": moment("{product.raw: {changes: true}}"),
    "changes with false": moment("{product.stock: {changes: false}}"),
    "an event that there is not": moment("{happens: updated}"),
    "a group without a list": condition("{any: {product.stock: 0}}"),
    "an empty group": condition("{all: []}"),
    "an expression that is a list": condition("{jmespath: [a]}"),
    "a list of conditions": condition("[{product.stock: 0}]"),
    "an action with a typing error": do("[{remove_from_categry: Featured}]"),
    "an action without its category": do("[remove_from_category]"),
    "an action with too much": do("[{hide: true}]"),
    "two actions in one line": do("[{add_to_category: A, remove_from_category: B}]"),
    "no action": do("[]"),
    "an action of the other subject": do("[empty_category]"),
    "adding below a category": do("[{add_to_category: {under: Brands}}]"),
    "several brands": do("[{assign_brand: [Acme, Globex]}]"),
    "a target with a key that there is not": do("[{remove_from_category: {name: Sale}}]"),
    "telling nobody": do("[notify]"),
    "telling a name alone": do("[{notify: floor}]"),
    "a meaning with a typing error": "meanings:\n  sold out: {product.stok: 0}\n",
    "a test without a name": RULE + trial("{given: {product: {stock: 0}}, expect: nothing}"),
    "a test without what is given": RULE + trial("{name: t, expect: nothing}"),
    "a test that gives nothing": RULE + trial("{name: t, given: {}, expect: nothing}"),
    "a test that expects nothing at all": RULE + trial("{name: t, given: {product: {stock: 0}}}"),
    "a test with a field outside of the product": RULE + trial("{name: t, given: {stock: 0}, expect: nothing}"),
    "a test with a word for a number": RULE + trial("{name: t, given: {product: {stock: no}}, expect: nothing}"),
    "a test with one category alone": RULE
    + trial("{name: t, given: {product: {categories: Featured}}, expect: nothing}"),
    "a test that expects all": RULE
    + trial("{name: t, given: {product: {stock: 0}}, expect: [{remove_from_category: {under: Brands}}]}"),
    "a test at a day alone": RULE + trial("{name: t, at: 2026-12-01, given: {product: {}}, expect: nothing}"),
}

STORE = "stores:\n  web: {vendor: ecwid, store_id: 1003, token: '${T}', client_secret: '${T}'"

STORES = {
    "no stores": "notify: {}\n",
    "a key that there is not": STORE + "}\nshops: {}\n",
    "a name that cannot stand in a URL": STORE.replace("web", "our shop") + "}\n",
    "no vendor": "stores:\n  web: {store_id: 1003}\n",
    "another vendor": STORE.replace("ecwid", "ecwidd") + "}\n",
    "a key of another vendor": STORE + ", tenant: a}\n",
    "a secret in the file": STORE.replace("'${T}'", "secret_abc") + "}\n",
    "a needed key is missing": STORE.replace("token: '${T}', ", "") + "}\n",
    "an id of letters": STORE.replace("1003", "abc") + "}\n",
    "an address without TLS": STORE + ", base_url: http://shop.example}\n",
    "an address with a path": STORE + ", base_url: https://shop.example/api}\n",
    "a variable in another's place": STORE + ", time_zone: '${ZONE}'}\n",
    "names of something else": STORE + ", names: {tags: {a: b}}}\n",
    "a door without a guard": "stores:\n"
    "  k: {vendor: zid, store_id: 1, authorization: '${T}', manager_token: '${T}'}\n",
    "a mapped field that there is not": "stores:\n  a: {vendor: axim, base_url: 'https://a.example', token: '${T}', "
    "webhook_secret: '${T}', fields: {stok: quantity}}\n",
    "an address in the file": STORE + "}\nnotify: {floor: https://chat.example/x}\n",
    "an address in a described target": STORE + "}\nnotify: {floor: {url: https://chat.example/x}}\n",
    "a described target without its address": STORE + "}\nnotify: {floor: {morning_note: 08:00}}\n",
    "a morning note at no time of day": STORE + "}\nnotify: {floor: {url: '${F}', morning_note: morning}}\n",
    "a time zone of nothing": STORE + "}\nnotify: {floor: {url: '${F}', time_zone: Asia/Riyadh}}\n",
    "a described target with a typing error": STORE + "}\nnotify: {floor: {url: '${F}', morning: 08:00}}\n",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_wrong_rule_file_is_underlined_and_refused(text: str) -> None:
    assert underlined(text)
    assert refusals(text)


@pytest.mark.parametrize("text", STORES.values(), ids=STORES)
def test_a_wrong_stores_file_is_underlined_and_refused(text: str) -> None:
    assert underlined(text, SchemaKind.STORES)
    assert refusals_of_stores(text)


@pytest.mark.parametrize("text", ["rules: {}\n", "tests: [a]\n", trial("{name: t}"), trial("just text")])
def test_a_wrong_file_of_tests_is_underlined_and_refused(text: str) -> None:
    rulebook = compile_rulebook({}, stores=(), vendors={})
    assert underlined(text, SchemaKind.TESTS)
    with pytest.raises(RulebookError):
        compile_scenarios({"rules/tests/a.yaml": text}, rulebook, stores=())


@pytest.mark.parametrize(
    "path", sorted(WRONG.glob("*.fixed.yaml")), ids=lambda path: path.name.removesuffix(".fixed.yaml")
)
def test_a_file_that_was_mended_is_underlined_no_more(path: Path) -> None:
    kind = SchemaKind.STORES if path.name.startswith("stores-") else SchemaKind.RULES
    assert underlined(path.read_text(encoding="utf-8"), kind) == []
