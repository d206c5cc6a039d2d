"""What to write in place of a value that does not fit its field: `<= 3`, `19,90 €`, `9am`, `27/11/2026`."""

from __future__ import annotations

import re
from datetime import date

from rules_engine.core.explain import did_you_mean
from rules_engine.core.fields import WEEKDAYS, FieldType, read_path
from rules_engine.core.words import Word

_LONGEST = 60

_SIGNS = {
    "<=": "at_most", "≤": "at_most", "=<": "at_most", ">=": "at_least", "≥": "at_least", "=>": "at_least",
    "<": "less_than", ">": "more_than", "=": "is", "==": "is", "!=": "is_not", "<>": "is_not",
    "at most": "at_most", "at least": "at_least", "less than": "less_than", "more than": "more_than",
    "under": "less_than", "over": "more_than", "above": "more_than", "below": "less_than", "up to": "at_most",
}  # fmt: skip
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_SIGNED = re.compile(rf"({'|'.join(sorted(map(re.escape, _SIGNS), key=len, reverse=True))})\s*({_NUMBER})")
_RANGE = re.compile(rf"(?:from )?({_NUMBER})\s*(?:-|–|—|\.\.\.?|to|till|until|bis|,(?=\s)|and)\s*({_NUMBER})")
_COUNTED = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NOTHING = {"none", "nil", "no", "nothing", "null", "out of stock", "sold out"}
_ENDLESS = {"unlimited", "infinite", "infinity", "endless", "∞"}
_ORDERED = {Word.AT_MOST: "<=", Word.AT_LEAST: ">=", Word.MORE_THAN: ">", Word.LESS_THAN: "<", Word.IS: "=="}
_YES = {"yes", "y", "on", "1", "true", "visible", "published", "active", "enabled", "live"}
_NO = {"no", "n", "off", "0", "false", "hidden", "unpublished", "inactive", "disabled", "draft", "archived"}
_CLOCK = re.compile(r"([0-9]{1,2})(?:[:.h]([0-9]{2}))?\s*(?:h|o'?clock|([ap])\.?m\.?)?")
_WRITTEN = re.compile(r"write [0-9]{2}:[0-9]{2}")
_DAYS = re.compile(r"([a-z]{3,9})\.?(?: (?:and|to|till|until|through) |, ?| ?[-–—] ?)([a-z]{3,9})\.?")
_DAY = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})")


def number_advice(text: str, field: str, word: Word | None, *, is_quoted: bool) -> str:
    """What to write where a number stands; `field` and `word` are what it stands behind, where that is known."""
    low = " ".join(text[:_LONGEST].casefold().split())
    if is_quoted and re.fullmatch(_NUMBER, low):
        return f"write {text.strip()} without the quotes"
    if low in _ENDLESS:
        return "for stock without an end write `product.tracks_stock: false`"
    if low in _NOTHING or low in _COUNTED:
        return f"write {_COUNTED.index(low) if low in _COUNTED else 0}"
    if (meant := comparison(low)) and word in {None, Word.IS}:
        return f"write `{field or '…'}: {{{meant}}}`"
    where = read_path(text.strip())
    if where is not None and read_path(field) is not None and word in _ORDERED:
        return f"to compare two fields write `jmespath: {field} {_ORDERED[word]} {text.strip()}`"
    if low.endswith(("%", "percent")):
        return "a share of another price cannot be written: write an amount, such as 19.90"
    plain = _plain_number(low)
    return f"write {plain}" if plain else "write it in digits, such as 10 or 19.90"


def comparison(text: str) -> str:
    """`<= 3` as `at_most: 3`, and `1-3` as `between: [1, 3]`; empty for anything else."""
    low = " ".join(text[:_LONGEST].casefold().split())
    if match := _SIGNED.fullmatch(low):
        return f"{_SIGNS[match[1]]}: {match[2]}"
    if (match := _RANGE.fullmatch(low)) and float(match[1]) <= float(match[2]):
        return f"between: [{match[1]}, {match[2]}]"
    return ""


def _plain_number(low: str) -> str:
    """`€ 1.299,90` as `1299.90`; empty where it may be meant in two ways."""
    bare = re.sub(r"^(?:[€$£¥]|[a-z]{3} )|(?:[€$£¥]| ?[a-z]{3}| pieces| units| pcs\.?)$", "", low).strip()
    if re.fullmatch(_NUMBER, bare):
        return bare
    if re.fullmatch(r"[0-9]{1,3}(?:[.' ][0-9]{3})*,[0-9]{1,2}|[0-9]+,[0-9]{1,2}", bare):
        return re.sub(r"[.' ]", "", bare).replace(",", ".")
    if re.fullmatch(r"[0-9]{1,3}(?:[,' ][0-9]{3})+\.[0-9]{1,2}", bare):
        return re.sub(r"[,' ]", "", bare)
    return ""


def flag_advice(text: str, *, is_quoted: bool) -> str:
    """What to write where true or false stands."""
    low = text.strip().casefold()
    meant = "true" if low in _YES else "false" if low in _NO else ""
    if not meant:
        return "write true or false"
    return f"write {meant} without the quotes" if low == meant and is_quoted else f"write {meant}"


def clock_advice(text: str) -> str:
    """What to write where a time of day stands: 21:30 for `9:30 pm`."""
    match = _CLOCK.fullmatch(text.strip().casefold())
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (99, 0)
    if match and match[3] and 1 <= hour <= 12:
        hour = hour % 12 + (12 if match[3] == "p" else 0)
    if hour > 23 or minute > 59:
        return "write it as 09:00; midnight is 00:00"
    return f"write {hour:02}:{minute:02}"


def hours_advice(low: str, high: str) -> str:
    """What to write where two times of day stand behind `between`; empty where one of them cannot be made out."""
    ends = [clock_advice(text) for text in (low, high)]
    if not all(_WRITTEN.fullmatch(end) for end in ends):
        return ""
    first, last = (end.removeprefix("write ") for end in ends)
    return f"write `between: {first} and {last}`"


def day_advice(text: str, *, with_time: bool) -> str:
    """What to write where a day stands: 2026-11-27 for `27.11.2026`, where it is not to be read in two ways."""
    match = _DAY.fullmatch(text.strip())
    if match and (int(match[1]) > 12 or match[2] == "."):
        try:
            return f"write {date(int(match[4]), int(match[3]), int(match[1])).isoformat()}"
        except ValueError:
            pass
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text.strip()):
        return "the calendar has no such day: look at its month and day"
    form = "2026-01-31 or 2026-01-31T09:00" if with_time else "2026-01-31"
    return f"write it as {form}: year, month, day"


def weekday_advice(text: str) -> str:
    """What to write where a day of the week stands."""
    low = " ".join(text[:_LONGEST].casefold().split())
    by_start = {day[:length]: day for day in WEEKDAYS for length in (2, 3, 4)}
    if low.removesuffix(".") in by_start:
        return f"write {by_start[low.removesuffix('.')]}"
    if low.startswith("weekend"):
        return "write `now.weekday: {one_of: [saturday, sunday]}`"
    if low in {"weekday", "weekdays", "workday", "workdays", "monday to friday", "mon-fri", "monday-friday"}:
        return "write `now.weekday: {none_of: [saturday, sunday]}`"
    parts = re.split(r", ?| and | or |/| & ", low)
    if len(parts) > 1 and all(part in WEEKDAYS for part in parts):
        return f"write `now.weekday: {{one_of: [{', '.join(parts)}]}}`"
    return did_you_mean(low, WEEKDAYS, f"it is one of: {', '.join(WEEKDAYS)}")


def days_advice(text: str) -> str:
    """What to write where days of the week stand behind a word of more and less, as in `monday and friday`."""
    match = _DAYS.fullmatch(" ".join(text[:_LONGEST].casefold().strip("[]").split()))
    by_start = {day[:3]: at for at, day in enumerate(WEEKDAYS)}
    ends = [by_start[day[:3]] for day in match.groups() if day[:3] in by_start] if match else []
    if len(ends) < 2:
        return "write `now.weekday: {one_of: [friday, saturday]}`"
    count = (ends[1] - ends[0]) % 7 + 1
    days = [WEEKDAYS[(ends[0] + at) % 7] for at in range(count)]
    return f"write `now.weekday: {{one_of: [{', '.join(days)}]}}`"


def form_advice(text: str, kind: FieldType) -> str:
    """What to write where a day, a time, a time of day or a day of the week stands."""
    if kind is FieldType.CLOCK:
        return clock_advice(text)
    if kind is FieldType.WEEKDAY:
        return weekday_advice(text)
    return day_advice(text, with_time=kind is FieldType.TIME)
