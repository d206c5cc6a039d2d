"""stores.yaml: what is refused and where, and that no secret is ever shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.errors import RulebookError
from rules_engine.core.problem import Problem
from rules_engine.rulebook.stores import load_stores
from rules_engine.vendors import VENDORS
from rules_engine.vendors.ecwid import EcwidStore

WEB = "stores:\n  web:\n    vendor: ecwid\n    store_id: 0123\n    token: ${T}\n    client_secret: ${C}\n"
B2B = "stores:\n  b2b:\n    vendor: zave\n    auth_value: ${T}\n    tenant: t\n    webhook_secret: ${C}\n"
SECRET = "hunter2hunter2"

Refused = Callable[[str], list[Problem]]


def test_a_store_has_its_settings_and_secrets() -> None:
    store = load_stores(WEB, path="s", vendors=VENDORS, environment={"T": "token", "C": "key"}).stores[0]
    assert isinstance(store.settings, EcwidStore)
    assert (store.alias, store.settings.store_id, store.missing) == ("web", "0123", ())
    assert (store.settings.token, store.settings.client_secret) == ("token", ("key",))


def test_an_unset_variable_parks_its_store_and_leaves_no_secret_that_could_sign() -> None:
    store = load_stores(WEB, path="s", vendors=VENDORS, environment={"T": "token", "C": " "}).stores[0]
    assert store.missing == ("C",)
    assert store.settings.webhook_secrets == ()


def test_offline_the_variables_stay_as_they_are() -> None:
    store = load_stores(WEB, path="s", vendors=VENDORS, environment=None).stores[0]
    assert isinstance(store.settings, EcwidStore)
    assert (store.settings.token, store.missing) == ("${T}", ())


def test_a_secret_may_be_a_list_while_it_is_changed() -> None:
    text = WEB.replace("client_secret: ${C}", "client_secret: [\"${NEW}\", '${C}']")
    store = load_stores(text, path="s", vendors=VENDORS, environment={"T": "t", "C": "old", "NEW": "new"}).stores[0]
    assert store.settings.webhook_secrets == ("new", "old")


@pytest.mark.parametrize(
    ("code", "text", "line", "column", "advice"),
    [
        ("unknown-vendor", WEB.replace("ecwid", "ekwid"), 3, 13, 'did you mean "ecwid"?'),
        ("missing-key", WEB.replace("    vendor: ecwid\n", ""), 2, 3, "one of ecwid"),
        ("missing-key", WEB.replace("    store_id: 0123\n", ""), 2, 3, "`store_id: …`"),
        ("missing-key", B2B, 2, 3, "`base_url: https://…`"),
        ("unknown-key", WEB + "    tokn: x\n", 7, 5, 'did you mean "token"?'),
        ("unknown-key", WEB + "store: 1\n", 7, 1, 'did you mean "stores"?'),
        ("unknown-key", WEB + "    names: {category: {}}\n", 7, 23, "categories"),
        ("literal-secret", WEB.replace("${T}", SECRET), 5, 12, "`${WEB_TOKEN}`"),
        ("literal-secret", WEB.replace("${T}", "Bearer ${T}"), 5, 12, "`${WEB_TOKEN}`"),
        ("literal-secret", WEB.replace("${T}", ""), 5, 11, "WEB_TOKEN in the environment"),
        ("wrong-shape", WEB.replace("${T}", "[a]"), 5, 12, "`${WEB_TOKEN}`"),
        ("misplaced-variable", WEB.replace("0123", "${ID}"), 4, 15, "the value itself"),
        ("bad-value", WEB.replace("0123", "my-shop"), 4, 15, ""),
        ("bad-value", WEB.replace("0123", "true"), 4, 15, ""),
        ("unknown-time-zone", WEB + "    time_zone: Asia/Riyad\n", 7, 16, 'did you mean "Asia/Riyadh"?'),
        ("bad-base-url", WEB + "    base_url: http://shop.example\n", 7, 15, "https://shop.example"),
        ("bad-base-url", WEB + "    base_url: https://me:pw@shop.example\n", 7, 15, "scheme, host and port"),
        ("bad-base-url", WEB + "    base_url: https://shop.example/?a=b\n", 7, 15, "scheme, host and port"),
        ("bad-base-url", WEB + "    base_url: https://shop.example/api\n", 7, 15, "scheme, host and port"),
        ("bad-base-url", WEB + "    base_url: https://[::1\n", 7, 15, "scheme, host and port"),
        ("bad-alias", WEB.replace("web:", "our web:"), 2, 3, "letters, digits"),
        ("wrong-shape", "stores:\n  web: ecwid\n", 2, 8, "`vendor: …`"),
        ("no-stores", "stores:\n", 1, 8, "`stores:`"),
        ("no-stores", "", 1, 1, "`stores:`"),
        ("doubled-store", WEB + WEB.replace("stores:\n", "").replace("web:", "copy:"), 7, 3, "keep one"),
        ("unknown-key", WEB + "notfy: {}\n", 7, 1, 'did you mean "notify"?'),
        ("literal-secret", WEB + "notify: {floor: https://chat.example/x}\n", 7, 17, "`${FLOOR_WEBHOOK}`"),
        ("literal-secret", WEB + "notify: {night shift: }\n", 7, 22, "NIGHT_SHIFT_WEBHOOK in the environment"),
        ("wrong-shape", WEB + "notify: {floor: [x]}\n", 7, 17, "`${FLOOR_WEBHOOK}`"),
        ("unknown-key", WEB + "notify: {floor: {webhook: x}}\n", 7, 18, "url, morning_note, time_zone"),
        ("missing-key", WEB + "notify: {floor: {morning_note: 08:00}}\n", 7, 10, "`url: ${FLOOR_WEBHOOK}`"),
        ("literal-secret", WEB + "notify: {floor: {url: https://chat.example/x}}\n", 7, 23, "`${FLOOR_WEBHOOK}`"),
        ("wrong-type", WEB + "notify: {floor: {url: '${F}', morning_note: 8 am}}\n", 7, 45, "`morning_note: 08:00`"),
        ("wrong-type", WEB + "notify: {floor: {url: '${F}', morning_note: 24:00}}\n", 7, 45, "from 00:00 to 23:59"),
        ("wrong-type", WEB + "notify: {floor: {url: '${F}', morning_note: }}\n", 7, 44, "`morning_note: 08:00`"),
        ("wrong-type", WEB + "notify: {floor: {url: '${F}', morning_note: [8]}}\n", 7, 45, "`morning_note: 08:00`"),
        ("needless-key", WEB + "notify: {floor: {url: '${F}', time_zone: UTC}}\n", 7, 42, "`morning_note:` too"),
        (
            "unknown-time-zone",
            WEB + "notify: {floor: {url: '${F}', morning_note: 8:00, time_zone: Asia/Riyad}}\n",
            7,
            62,
            'did you mean "Asia/Riyadh"?',
        ),
        ("wrong-shape", WEB + "notify: floor\n", 7, 9, "`notify: {shop-floor: ${SHOP_FLOOR_WEBHOOK}}`"),
        ("bad-alias", WEB + 'notify: {"a/b": "${X}"}\n', 7, 10, "letters, digits, blanks"),
        ("doubled-key", WEB + "    token: ${T}\n", 7, 5, "keep one"),
    ],
)
def test_an_error_names_its_place_and_what_to_write(
    refused_stores: Refused, code: str, text: str, line: int, column: int, advice: str
) -> None:
    found = refused_stores(text)
    assert (found[0].code, found[0].place.line, found[0].place.column) == (code, line, column)
    assert advice in found[0].help


@pytest.mark.parametrize(
    "url", ["https://shop.example:8443/", "http://127.0.0.1:9000", "http://localhost:1", "http://[::1]"]
)
def test_https_and_this_machine_are_addresses(url: str) -> None:
    text = WEB + f"    base_url: {url}\n"
    assert load_stores(text, path="s", vendors=VENDORS, environment={}).stores[0].settings.base_url == url


@pytest.mark.parametrize(
    "text",
    [
        WEB.replace("${T}", SECRET),
        WEB.replace("${T}", f'"{SECRET}"'),
        WEB.replace("${T}", f"|\n      {SECRET}\n      {SECRET}"),
        WEB.replace("${T}", f"&{SECRET} x"),
        WEB.replace("${T}", f"*{SECRET}"),
        WEB.replace("${T}", f"!{SECRET} x"),
        WEB.replace("${T}", f"{SECRET}: {SECRET}"),
        WEB.replace("${T}", f"@{SECRET}"),
        WEB.replace("${T}", f"{SECRET} # \t\x00"),
        WEB.replace("${C}", f"[{SECRET}, {{a: {SECRET}}}]"),
        WEB + f"    tokn: {SECRET}\n",
        WEB + f"    base_url: https://me:{SECRET}@shop.example\n",
        WEB + f"    base_url: https://shop.example?key={SECRET}\n",
        f"stores: {{web: {{vendor: ecwid, store_id: 1, token: {SECRET}, client_secret: {SECRET}, x: 1}}}}\n",
        f"stores:\n  web: {SECRET}\n",
        f"stores:\n  web:\n    token: {SECRET}\n    vendor: nobody\n",
        f"stores: [{SECRET}]\n",
        f"{SECRET}\n",
        WEB + f"notify: {{floor: https://chat.example/{SECRET}}}\n",
        WEB + f"notify: {{floor: [{SECRET}]}}\n",
        WEB + f"notify: {{floor: {{url: https://chat.example/{SECRET}, morning_note: 25:00}}}}\n",
        WEB + f"notify: {{floor: {{urls: {SECRET}, morning_note: 25:00}}}}\n",
        WEB + f"notify: {SECRET}\n",
        f"web:\n    token: {SECRET}\n",
        f"stores:\n  web:\n\ttoken: {SECRET}\n",
    ],
)
def test_a_literal_secret_is_refused_and_never_shown(refused_stores: Refused, text: str) -> None:
    rendered = "\n".join(problem.render() for problem in refused_stores(text))
    assert SECRET not in rendered


def test_a_literal_secret_is_shown_as_dots(refused_stores: Refused) -> None:
    (problem,) = refused_stores(WEB.replace("${T}", SECRET))
    assert problem.source == "    token: …"
    assert problem.place.length == 1
    (problem,) = refused_stores(f"{WEB}notify: {{floor: https://chat.example/{SECRET}}}\n")
    assert problem.source == "notify: {floor: …}"
    assert problem.place.length == 1


FLOOR = WEB + "notify:\n  floor: ${FLOOR}\n  night shift: ${NIGHT}\n"
HOOK = "https://hooks.chat.example/services/T0/B0/hunter2hunter2?thread=1"


def test_whom_rules_may_tell_has_a_name_and_a_secret_url() -> None:
    environment = {"T": "token", "C": "key", "FLOOR": f" {HOOK} "}
    file = load_stores(FLOOR, path="s", vendors=VENDORS, environment=environment)
    floor, night = file.notify
    assert (file.notify_names, floor.url, floor.missing) == (("floor", "night shift"), HOOK, "")
    assert (night.url, night.missing, file.stores[0].missing) == ("", "NIGHT", ())
    assert "set NIGHT in the environment" in night.silent_because
    assert HOOK not in repr(file)


def test_whom_rules_may_tell_may_get_a_morning_note_at_a_time_of_day() -> None:
    described = "  office:\n    url: ${FLOOR}\n    morning_note: 8:05\n    time_zone: Asia/Riyadh\n"
    text = f"{FLOOR}{described}  hall: {{url: '${{HALL}}', morning_note: '18:00'}}\n  lab: {{url: '${{HALL}}'}}\n"
    floor, _, office, hall, lab = load_stores(text, path="s", vendors=VENDORS, environment={"FLOOR": HOOK}).notify
    assert (office.url, office.morning_note, str(office.zone)) == (HOOK, time(8, 5), "Asia/Riyadh")
    assert (hall.missing, hall.morning_note, hall.zone) == ("HALL", time(18), UTC)
    assert (floor.morning_note, lab.morning_note) == (None, None)


def test_offline_nobody_is_missing() -> None:
    file = load_stores(FLOOR, path="s", vendors=VENDORS, environment=None)
    assert [(target.url, target.missing) for target in file.notify] == [("${FLOOR}", ""), ("${NIGHT}", "")]
    assert load_stores(WEB + "notify:\n", path="s", vendors=VENDORS, environment=None).notify == ()


@pytest.mark.parametrize(
    "url",
    [
        *(
            f"http://chat.example/{SECRET}",
            f"https://me:{SECRET}@chat.example/x",
            f"ftp://chat.example/{SECRET}",
            SECRET,
        ),
        *(f"https:///{SECRET}", f"https://chat.example/ {SECRET}", f"https://chat.example:x/{SECRET}", "https://[::1"),
    ],
)
def test_a_webhook_that_could_not_be_called_is_refused_and_never_shown(url: str) -> None:
    with pytest.raises(RulebookError) as caught:
        load_stores(FLOOR, path="s", vendors=VENDORS, environment={"T": "t", "C": "c", "FLOOR": url, "NIGHT": HOOK})
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.line) == ("bad-webhook-url", 8)
    assert SECRET not in problem.render()


def test_a_webhook_on_this_machine_may_be_called_without_tls() -> None:
    environment = {"FLOOR": "http://127.0.0.1:9/x", "NIGHT": HOOK}
    assert load_stores(FLOOR, path="s", vendors=VENDORS, environment=environment).notify[0].url == environment["FLOOR"]


def test_every_problem_of_the_file_is_told_at_once(refused_stores: Refused) -> None:
    text = WEB.replace("${T}", SECRET).replace("0123", "x").replace("ecwid", "ecwid\n    colour: red")
    assert [problem.code for problem in refused_stores(text)] == ["unknown-key", "bad-value", "literal-secret"]


WORDS = st.sampled_from(
    (
        *("stores", "web", "vendor", "ecwid", "zid", "zave", "axim", "token", "${T}", "names", "categories", "fields"),
        *("brands", "base_url", "https://a", "time_zone", "UTC", "store_id", "1003", "true", "null", "tenant", "`x`"),
        "webhook_secret",
        "notify",
    )
)
TREES = st.recursive(
    WORDS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def as_yaml(tree: object) -> str:
    if isinstance(tree, dict):
        return "{" + ", ".join(f'"{key}": {as_yaml(value)}' for key, value in tree.items()) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(as_yaml, tree)) + "]"
    return str(tree) if str(tree).isascii() and str(tree).isalnum() else "'" + str(tree).replace("'", "''") + "'"


@given(st.text() | TREES.map(as_yaml) | TREES.map(lambda tree: f"stores: {{web: {as_yaml(tree)}}}"))
def test_any_text_is_stores_or_a_rulebook_error(text: str) -> None:
    for environment in (None, {"T": "whsec_c2VjcmV0"}):
        try:
            found = load_stores(text, path="rules/stores.yaml", vendors=VENDORS, environment=environment)
        except RulebookError as error:
            assert_rendered(error)
        else:
            assert found.stores


def assert_rendered(error: RulebookError) -> None:
    assert error.problems
    assert all(problem.render() for problem in error.problems)
