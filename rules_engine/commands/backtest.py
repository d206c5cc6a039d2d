"""What `plan --since` prints: the rules on disk played over what was recorded, beside what really happened."""

from __future__ import annotations

from datetime import datetime, timedelta

from rules_engine.app import Outside, compile_rules, open_stores
from rules_engine.core.clock import read_duration
from rules_engine.core.errors import SettingsError
from rules_engine.core.rule import Rulebook, RuleCode
from rules_engine.preview.backtest import StoreBacktest, backtest
from rules_engine.preview.backtest_fields import backtest_fields
from rules_engine.preview.backtest_text import markdown_of_backtest, text_of_backtest
from rules_engine.rulebook import read_rule_texts
from rules_engine.settings import Settings
from rules_engine.vendors import VENDORS

from .follow import open_database
from .output import say, say_json, say_lines
from .rules import asked_stores, no_such_rule

Made = tuple[Rulebook, list[StoreBacktest]]


def played_back(settings: Settings, since: str, *, store: str | None, rule: str | None) -> Made:
    """The rules on disk, and what each store's last days would have been with them.

    Raises `SettingsError` for a span that is none or is longer than anything is kept, and for a rule that nobody has.
    """
    now = Outside().now()
    begin = _begin(since, settings, now)
    file = open_stores(settings, None)
    rulebook = compile_rules(read_rule_texts(settings.rules), file)
    asked = asked_stores(file.stores, store)
    lag = timedelta(seconds=settings.lag_seconds)
    with open_database(settings) as database:
        made = [
            backtest(
                database, each, VENDORS[each.settings.vendor](each.settings), rulebook, since=begin, now=now, lag=lag
            )
            for each in asked
        ]
    if rule is None:
        return rulebook, made
    known = dict.fromkeys([*(each.code for each in rulebook.rules), *(r.code for each in made for r in each.rules)])
    if RuleCode(rule) not in known:
        raise no_such_rule(rule, known)
    return rulebook, [each.only(frozenset({RuleCode(rule)})) for each in made]


def _begin(since: str, settings: Settings, now: datetime) -> datetime:
    span = read_duration(since)
    if span is None:
        raise SettingsError(f'--since "{since}" is no span of time: write `7d`, `12h` or `2 weeks`.')
    kept = timedelta(days=settings.retention_days)
    if span > kept:
        raise SettingsError(
            f"--since {since} reaches further back than anything is kept: there is something from "
            f"{now - kept:%Y-%m-%d %H:%M} (UTC) on. Write `--since {settings.retention_days}d`, and "
            "set RETENTION_DAYS to keep more from now on."
        )
    return now - span


def say_backtest(made: Made, *, as_json: bool, markdown: bool) -> None:
    """Print it in words, as the comment of a pull request, or as one JSON object."""
    rulebook, every = made
    if as_json:
        say_json(backtest_fields(rulebook, every))
        return
    if markdown:
        say("## What the rules would have done")
    for number, each in enumerate(every):
        if number or markdown:
            say()
        if markdown:
            for line in markdown_of_backtest(each):
                say(line)
        else:
            say_lines(text_of_backtest(each))
