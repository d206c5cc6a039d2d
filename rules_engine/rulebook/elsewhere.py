"""Words of everyday speech and of other tools, and what is written here in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules_engine.core.explain import closest

from .report import Report
from .synonyms import plainly
from .yaml import ScalarNode


@dataclass(frozen=True, slots=True)
class Meant:
    """What is probably meant by a word that is not known here: the word for it, or none, and what to write."""

    word: str
    advice: str


def _all_mean(words: str, word: str, advice: str) -> dict[str, Meant]:
    return dict.fromkeys(words.split(), Meant(word, advice))


RULE_KEYS: Mapping[str, Meant] = {
    **_all_mean(
        "if when condition conditions where whenever in_case",
        "while",
        "write `while:` for a stretch of time, or `as_soon_as:` for a moment",
    ),
    **_all_mean(
        "on trigger triggers event events once",
        "as_soon_as",
        "write `as_soon_as:` for a moment, or `while:` for a stretch of time",
    ),
    **_all_mean("then action actions effect effects run execute", "do", "write `do:`"),
    **_all_mean("name description label summary comment note", "title", "write `title:`"),
    **_all_mean("store shop shops channel channels site sites", "stores", "write `stores:`"),
    **_all_mean(
        "enabled disabled active inactive status state enable disable",
        "mode",
        "write `mode: paused` and `because:` for a rule that rests; without `mode:` a rule is live",
    ),
    **_all_mean("reason why", "because", "write `because:`"),
    **_all_mean("except exclude excluding not but_not without unless_if", "unless", "write `unless:`"),
    **_all_mean("type subject entity applies_to", "about", "write `about: product` or `about: category`"),
    **_all_mean("delay wait duration for at_least_for", "must_last", "write `must_last: 15 minutes`"),
    **_all_mean("cooldown throttle rate_limit interval every", "at_most_every", "write `at_most_every: 1 day`"),
    **_all_mean(
        "schedule cron hours time times",
        "between",
        "write `between: 09:00 and 17:00` or `weekdays: monday to friday` for when a rule may act",
    ),
    **_all_mean("days weekday day", "weekdays", "write `weekdays: monday to friday`"),
    **_all_mean("after finally undo revert put_back restore", "afterwards", "write `afterwards: put back` or `leave`"),
    **_all_mean("renamed_from old_code previously old_name", "formerly", "write `formerly:`"),
    **_all_mean("notify email", "", "write `- notify: {webhook: NAME}` below `do:`"),
    **_all_mean("else otherwise", "", "leave it out: what `while` takes is put back; for more write a second rule"),
    **_all_mean("priority order weight", "", "leave it out: of two rules that want the opposite the upper one wins"),
    **_all_mean(
        "limit max maximum cap quota max_products daily_limit hourly_limit per_day per_hour per_week per_run",
        "limits",
        "write `limits: {per_day: 200 products}`",
    ),
    **_all_mean(
        "ask confirm confirmation approve approval needs_approval ask_before ask_over question",
        "ask_first",
        "write `ask_first: over 100 products`",
    ),
    **_all_mean(
        "never_empty keep_at_least keep min minimum at_least leave_at_least floor min_products never_leave_empty",
        "never_leave",
        "write `never_leave: fewer than 4 products in NAME`",
    ),
    **_all_mean("meanings tests", "", "write it beside `rules:`, at the left margin of the file"),
}
"""Keys that people write in a rule."""

ACTIONS: Mapping[str, Meant] = {
    **_all_mean("unpublish deactivate disable take_offline hide_product", "hide", "write `- hide`"),
    **_all_mean("publish activate enable unhide show_product", "show", "write `- show`"),
    **_all_mean(
        "delete delete_product archive remove",
        "hide",
        "write `- hide`, or `- remove_from_category: NAME`; rules delete nothing",
    ),
    **_all_mean(
        "add_tag remove_tag tag set_tag set_price change_price price discount set_stock set_title set_attribute update",
        "",
        "rules change categories, brands and whether a product is shown, nothing else",
    ),
    **_all_mean(
        "move move_to move_to_category set_category",
        "",
        "write two actions: `- add_to_category: NAME` and `- remove_from_category: NAME`",
    ),
    **_all_mean("add add_category category add_to", "add_to_category", "write `- add_to_category: NAME`"),
    **_all_mean(
        "remove_category remove_from leave leave_category",
        "remove_from_category",
        "write `- remove_from_category: NAME`",
    ),
    **_all_mean("set_brand brand add_brand", "assign_brand", "write `- assign_brand: NAME`"),
    **_all_mean("remove_brand clear_brand delete_brand", "unassign_brand", "write `- unassign_brand`"),
    **_all_mean(
        "email send_email mail slack message send_message alert tell", "notify", "write `- notify: {webhook: NAME}`"
    ),
}
"""Actions that people write."""

VALUES: Mapping[str, Mapping[str, Meant]] = {
    "mode": {
        **_all_mean("off false no disabled inactive stopped pause", "paused", "write `mode: paused`, and `because:`"),
        **_all_mean("on true yes enabled active", "live", "write `mode: live`, or leave it out"),
        **_all_mean("test testing draft dry_run dryrun preview simulate log", "watch", "write `mode: watch`"),
    },
    "afterwards": {
        **_all_mean(
            "restore undo revert return give_back put_it_back back yes true", "put back", "write `afterwards: put back`"
        ),
        **_all_mean("keep stay nothing none no false", "leave", "write `afterwards: leave`"),
    },
    "about": {
        **_all_mean("variant variants sku item", "product", "write `about: product`, which is the default"),
        **_all_mean("collection collections", "category", "write `about: category`"),
    },
}
"""Values that people write after a key of a rule."""

FILE_KEYS: Mapping[str, Meant] = {
    **_all_mean("stores", "", "stores are described in stores.yaml; a rule names them: `stores: [web]`"),
    **_all_mean("notify", "", "write it in stores.yaml; a rule only names who is told"),
    **_all_mean("version apiversion kind schema", "", "leave it out"),
    **_all_mean("conditions definitions variables", "meanings", "write `meanings:`"),
    **_all_mean("test", "tests", "write `tests:`"),
    **_all_mean(
        "limit max maximum cap quota per_day per_hour per_week",
        "limits",
        "write `limits: {per_day: 200 products}`",
    ),
    **_all_mean("ask_first never_leave", "", "write it in each rule that needs it, beside `do:`"),
}
"""Keys that people write at the left margin of a rule file."""

LIMIT_KEYS: Mapping[str, Meant] = {
    **_all_mean("day daily a_day each_day in_a_day today", "per_day", "write `per_day:`"),
    **_all_mean("hour hourly an_hour each_hour in_an_hour", "per_hour", "write `per_hour:`"),
    **_all_mean(
        "per_week week weekly per_month month monthly per_year products max maximum amount total percent",
        "per_day",
        "limits count over an hour or a day: write `per_day: 200 products`",
    ),
    **_all_mean(
        "per_minute minute per_second second per_run run per_sweep sweep",
        "per_hour",
        "limits count over an hour or a day: write `per_hour: 50 products`",
    ),
    **_all_mean(
        "per_product product each",
        "",
        "write `flap_limit: 3` or `at_most_every: 1 day` beside `limits:` for what is done to one product",
    ),
}
"""Keys that people write below `limits`."""

FLOOR_KEYS: Mapping[str, Meant] = {
    **_all_mean("less_than min minimum at_least products number below under", "fewer_than", "write `fewer_than: 4`"),
    **_all_mean("category categories name of from path collection id", "in", "write `in: NAME` or `in: {id: …}`"),
}
"""Keys that people write below `never_leave`."""


def refuse_word(  # noqa: PLR0917 — as `Report.unknown`, and the table
    report: Report, node: ScalarNode, code: str, what: str, known: Iterable[str], table: Mapping[str, Meant]
) -> str:
    """Report an unknown word, and give the known one that is probably meant, or nothing.

    A slip of the pen comes before a word of another tool, unless that is written exactly so.
    """
    words = list(known)
    name = plainly(node.text)
    same = {plainly(one): one for one in words}
    if name in same:
        meant = same[name]
        report.unknown(node, code, what, [meant])
        return meant
    found = table.get(name) or table.get(name.replace("_", ""))
    if found is None:
        report.unknown(node, code, what, words)
        return closest(node.text, words)
    report.error(node.place, code, f'{what} "{node.text[:60]}"', found.advice)
    return found.word
