"""The traps of JMESPath that show in the words alone, before the grammar is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from .fault import Fault, as_name, as_text, in_single_quotes, write
from .fields import ROOTS, FieldType, fields_below, read_path
from .syntax import is_literal_sound
from .traps_line import Line
from .traps_stray import EXAMPLE, stray

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_MISSPELT = {
    sign: meant
    for meant, signs in {"==": "= === =~", "!=": "!== <> ≠", ">=": "=> ≥", "<=": "=< ≤"}.items()
    for sign in signs.split()
}
_JOINS = {"and": "&&", "or": "||"}
_CONSTANTS = {"true": "true", "false": "false", "null": "null", "none": "null", "nil": "null", "undefined": "null"}
_BETWEEN = {
    written: meant
    for meant, spellings in {
        "contains": "contains has includes",
        "starts_with": "starts_with startswith",
        "ends_with": "ends_with endswith",
    }.items()
    for written in spellings.split()
}
_LISTS = frozenset({FieldType.NAMES, FieldType.IDS})


def word_faults(text: str) -> Iterator[Fault]:
    """Every word that stands where it means nothing, or something else than it seems to."""
    line = Line(text)
    told = 0
    for place in range(len(line.words)):
        if line.at(place).start < told:
            continue  # in what the last correction replaces
        fault = next((found for check in _CHECKS if (found := check(line, place))), None)
        if fault:
            yield fault
            told = fault.offset + fault.length if fault.fix is not None else told


def _literal(line: Line, place: int) -> Fault | None:
    word = line.at(place)
    if word.kind != "literal" or is_literal_sound(word.text):
        return None
    said = f"between backticks stands a number, true, false or null, not {word.text[:60]}"
    inner = word.text[1:-1].strip().strip("\"'")
    fix = as_text(inner)
    advice = f"write text in single quotes: {fix}"
    if re.fullmatch(r"-?[0-9]+,[0-9]+", inner):
        fix = f"`{inner.replace(',', '.')}`"
        advice = write(fix)
    elif inner.lower() in _CONSTANTS:
        fix = f"`{_CONSTANTS[inner.lower()]}`"
        advice = write(fix)
    elif _is_known_path(inner):
        fix, advice = inner, write(inner)
    elif not inner:
        fix = "''"
        advice = write(fix)
    return line.fault(place, place, "jmespath-literal", said, fix, advice)


def _curly(line: Line, place: int) -> Fault | None:
    word = line.at(place)
    if word.kind != "curly":
        return None
    said = f"{word.text[0]} is a typographic quote, which JMESPath does not know"
    return line.fault(
        place, place, "jmespath-syntax", said, as_text(word.text[1:-1]), in_single_quotes(word.text[1:-1])
    )


def _sign(line: Line, place: int) -> Fault | None:
    word = line.at(place)
    if word.text in {"<", ">", "!", "="} and line.at(place + 1).text == "=":
        said = f"`{word.text}` and `=` are one sign only where no blank is between them"
        return line.fault(place, place + 1, "jmespath-equals", said, f"{word.text}=")
    if word.text == "=" and line.at(place - 1).text in {"<", ">", "!", "="}:
        return None
    if word.text in _MISSPELT and word.kind == "sign":
        said = "a single `=` compares nothing" if word.text == "=" else f"JMESPath does not know `{word.text}`"
        return line.fault(place, place, "jmespath-equals", said, _MISSPELT[word.text])
    if word.text == "&" and line.ends_operand(place - 1) and line.starts_operand(place + 1):
        return line.fault(place, place, "jmespath-word", "a single `&` joins nothing", "&&")
    return None


def _joining(line: Line, place: int) -> Fault | None:
    """`and`, `or`, `not` and the other words that people put between what they compare."""
    word = line.at(place)
    low = word.text.lower()
    if word.kind != "word" or line.at(place - 1).text in {".", "&"} or line.at(place + 1).text in {".", ":"}:
        return None
    is_between = line.ends_operand(place - 1) and line.at(place - 1).text.lower() not in {"not", "is"}
    if low in _JOINS and is_between:
        return line.fault(place, place, "jmespath-word", f"JMESPath does not know `{word.text}`", _JOINS[low])
    if low in {*_JOINS, "if", "iif"} and line.at(place + 1).text == "(" and not is_between:
        return _spreadsheet(line, place)
    if low == "not" and not is_between and line.starts_operand(place + 1) and line.at(place - 1).text.lower() != "is":
        return _denial(line, place)
    if not is_between or not (line.starts_operand(place + 1) or low == "is"):
        return None
    if low in {"in", "not"}:
        return _membership(line, place)
    if low in {"is", "equals"}:
        return _equality(line, place)
    if low == "between":
        return _between(line, place)
    if low in {"like", "matches"}:
        said = f"JMESPath does not know `{word.text}`: it has no wildcards"
        field = line.source(line.operand_before(place), place - 1)
        pattern = (
            line.at(place + 1).text[1:-1].replace("%", "*") if line.at(place + 1).kind in {"text", "name"} else "…*"
        )
        advice = f'write `{field}: {{matches: "{pattern}"}}` as a condition of its own'
        return line.fault(place, place, "jmespath-word", said, None, advice)
    if low in _BETWEEN and line.at(place + 1).text != "(":
        first, last = line.operand_before(place), line.operand_after(place)
        fix = f"{_BETWEEN[low]}({line.source(first, place - 1)}, {line.source(place + 1, last)})"
        return line.fault(first, last, "jmespath-word", f"`{word.text}` does not stand between two values", fix)
    return None


def _spreadsheet(line: Line, place: int) -> Fault:
    """`AND(a, b)`, as spreadsheets write it."""
    opened, word = place + 1, line.at(place)
    closed = line.closer(opened)
    commas = [at for at in range(opened + 1, closed) if line.at(at).text == "," and line.around(at) == opened]
    bounds = [opened, *commas, closed]
    parts = [line.source(first + 1, last - 1) for first, last in pairwise(bounds)]
    said = f"JMESPath does not know `{word.text}`"
    if word.text.lower() not in _JOINS:
        is_plain = [part.strip("`'\"").lower() for part in parts[1:]] in ([], ["true"], ["true", "false"])
        advice = "" if is_plain else "write the condition alone: the actions stand under `do:`"
        return line.fault(place, closed, "jmespath-word", said, parts[0] if is_plain else None, advice)
    fix = f"({f' {_JOINS[word.text.lower()]} '.join(parts)})"
    return line.fault(place, closed, "jmespath-word", said, fix)


def _denial(line: Line, place: int) -> Fault:
    word = line.at(place)
    said = f"JMESPath does not know `{word.text}`"
    last = line.operand_after(place)
    if line.at(last + 1).text in COMPARISONS | set(_MISSPELT):
        last = line.operand_after(last + 1)
    denied = line.source(place + 1, last)
    is_call = line.at(place + 1).kind == "word" and line.at(place + 2).text == "("
    is_whole = line.closer(place + 1) == last if line.at(place + 1).text == "(" else is_call
    is_whole = is_whole and not (is_call and line.closer(place + 2) != last)
    fix = f"!{denied}" if is_whole else f"!({denied})"
    advice = f"write `!`, as in {fix}" if "`" in fix else f"write `!`, as in `{fix}`"
    return line.fault(place, last, "jmespath-word", said, fix, advice)


def _membership(line: Line, place: int) -> Fault | None:
    """`'a' in list` and `not in`, also with a list as SQL writes it."""
    is_denied = line.at(place).text.lower() == "not"
    behind = place + 1 if is_denied else place
    if line.at(behind).text.lower() != "in" or not line.starts_operand(behind + 1):
        return None
    first, last = line.operand_before(place), line.operand_after(behind)
    among = line.source(behind + 1, last)
    if among.startswith("(") and among.endswith(")"):
        among = f"[{among[1:-1]}]"
    fix = f"{'!' if is_denied else ''}contains({among}, {line.source(first, place - 1)})"
    said = f"JMESPath does not know `{line.source(place, behind)}`"
    return line.fault(first, last, "jmespath-word", said, fix)


def _equality(line: Line, place: int) -> Fault | None:
    """`is`, `is not`, `is empty`."""
    is_denied = line.at(place + 1).text.lower() == "not"
    behind = place + 1 if is_denied else place
    said = f"JMESPath does not know `{line.source(place, behind)}`"
    if line.at(behind + 1).text.lower() == "empty":
        first = line.operand_before(place)
        emptied = f"!({line.source(first, place - 1)})"
        return line.fault(first, behind + 1, "jmespath-word", said, f"!({emptied})" if is_denied else emptied)
    return line.fault(place, behind, "jmespath-word", said, "!=" if is_denied else "==")


def _between(line: Line, place: int) -> Fault | None:
    first, middle = line.operand_before(place), line.operand_after(place)
    joint, last = line.at(middle + 1).text.lower(), line.operand_after(middle + 1)
    if joint not in {"and", "&&", "to"}:
        return None
    field = line.source(first, place - 1)
    low, high = line.source(place + 1, middle), line.source(middle + 2, last)
    said = "JMESPath does not know `between`"
    return line.fault(first, last, "jmespath-word", said, f"{field} >= {low} && {field} <= {high}")


def _constant(line: Line, place: int) -> Fault | None:
    word, following = line.at(place), line.at(place + 1).text
    meant = _CONSTANTS.get(word.text.lower())
    if word.kind != "word" or meant is None or line.at(place - 1).text == "." or following in {".", "(", ":"}:
        return None
    said = f"without backticks, {word.text} is a field named {word.text}"
    return line.fault(place, place, "jmespath-literal", said, f"`{meant}`", f"write `{meant}`, with the backticks")


def _number(line: Line, place: int) -> Fault | None:
    word, before, after = line.at(place), line.at(place - 1).text, line.at(place + 1).text
    if word.kind == "date":
        said = f"without quotes, {word.text} is no date"
        return line.fault(place, place, "jmespath-number", said, as_text(word.text))
    if word.kind != "number":
        return None
    if before == "." and word.text.isdigit():
        said = "a place in a list stands in brackets"
        return line.fault(place - 1, place, "jmespath-number", said, f"[{word.text}]")
    thousands = re.fullmatch(r"[0-9]{3}", line.at(place + 2).text) if after == "," else None
    if thousands and line.around(place) < 0:
        said, fix = "a number stands between backticks, without a comma", f"`{word.text}{thousands[0]}`"
        return line.fault(place, place + 2, "jmespath-number", said, fix)
    is_index = word.text.lstrip("-").isdigit() and (
        (before == "[" and after in {"]", ":"}) or (before == ":" and after in {"]", ":"})
    )
    if is_index or before == ".":
        return None
    if not is_literal_sound(f"`{word.text}`"):
        return line.fault(place, place, "jmespath-number", "no number starts with 0", as_text(word.text))
    said, fix = "a number stands between backticks", f"`{word.text}`"
    return line.fault(place, place, "jmespath-number", said, fix, f"write {fix}, with the backticks")


def _name(line: Line, place: int) -> Fault | None:
    """Double quotes make a field's name, not text; and single quotes make text, not a field."""
    word, before, after = line.at(place), line.at(place - 1).text, line.at(place + 1).text
    if word.kind == "text" and _is_known_path(word.text[1:-1]):
        if after in COMPARISONS or (line.is_argument(place) and before == "("):
            said = f"{word.text} in quotes is text, not the field"
            return line.fault(place, place, "jmespath-quoted-field", said, word.text[1:-1])
        return None
    if word.kind != "name" or before == "." or after in {".", "["}:
        return None
    inner = _unquoted(word.text)
    if inner is None:
        return None
    if _is_known_path(inner):
        said = f"{word.text} is one field of that name, with the dot in it"
        return line.fault(place, place, "jmespath-quoted-field", said, inner)
    is_beside = before in COMPARISONS or before in _MISSPELT
    if is_beside or (line.is_argument(place) and before == ","):
        said = f"in double quotes, {word.text} is a field of that name, so this never matches"
        return line.fault(place, place, "jmespath-bare-word", said, as_text(inner), in_single_quotes(inner))
    return None


def _unquoted(name: str) -> str | None:
    try:
        return str(json.loads(name))
    except ValueError:
        return None


def _hyphened(line: Line, place: int) -> Fault | None:
    word, before, after = line.at(place), line.at(place - 1).text, line.at(place + 1).text
    if word.kind != "hyphened":
        return None
    if before != ".":
        said = f"`{word.text}` is neither a field nor text"
        if after == ".":
            return line.fault(place, place, "jmespath-hyphen", said, as_name(word.text))
        return line.fault(place, place, "jmespath-hyphen", said, as_text(word.text), in_single_quotes(word.text))
    known = fields_below(line.at(place - 2).text)
    if word.text.replace("-", "_") in known:
        said = f"there is no field `{word.text}`"
        return line.fault(place, place, "jmespath-hyphen", said, word.text.replace("-", "_"))
    head = word.text.split("-")[0]
    if head in known:
        return _calculation(line, place)
    path = line.source(line.operand_before(place + 1), place - 1) + as_name(word.text)
    said = f"`{word.text}` has a hyphen, which ends a field's name"
    return line.fault(place, place, "jmespath-hyphen", said, as_name(word.text), write(path))


def _calculation(line: Line, place: int) -> Fault:
    advice = "compare with a field or a number, or use a field that says the outcome, as `product.on_sale` does"
    return line.fault(place, place, "jmespath-arithmetic", "JMESPath cannot calculate", None, advice)


def _arithmetic(line: Line, place: int) -> Fault | None:
    word = line.at(place)
    is_star = word.text == "*" and line.at(place - 1).text not in {".", "["}
    is_sign = is_star or (word.text in {"+", "-", "/", "%"} and word.kind == "other")
    if is_sign and line.ends_operand(place - 1) and line.starts_operand(place + 1):
        return _calculation(line, place)
    return None


def _bracketed(line: Line, place: int) -> Fault | None:
    """`product.attributes['Size']`, as other languages write it."""
    word = line.at(place)
    if word.text != "[" or not line.ends_operand(place - 1) or line.at(place + 2).text != "]":
        return None
    inner = line.at(place + 1)
    if inner.kind not in {"text", "name", "curly", "word"}:
        return None
    first, said = line.operand_before(place), "in brackets stands a place in a list, not a name"
    base, name = line.source(first, place - 1), inner.text if inner.kind == "word" else inner.text[1:-1]
    where = read_path(base)
    if where and where.type_of() in _LISTS:
        fix = f"contains({base}, {as_text(name)})"
        return line.fault(first, place + 2, "jmespath-syntax", said, fix)
    return line.fault(first, place + 2, "jmespath-syntax", said, f"{base}.{as_name(name)}")


def _foreign(line: Line, place: int) -> Fault | None:
    """A letter or a sign of another language, and a name of several words."""
    word, before = line.at(place), line.at(place - 1).text
    if word.text == "$":
        last = place + 1 if line.at(place + 1).text == "." else place
        return line.fault(place, last, "jmespath-syntax", "JMESPath has no `$`", "", "leave it out")
    if word.text.lower() == "if" and place == 0 and line.at(1).kind == "word":
        said = f"an expression needs no `{word.text}`"
        return Fault(word.start, line.at(1).start - word.start, "jmespath-word", said, "leave it out", "")
    if word.kind != "word" or before == "(" or line.at(place - 1).kind == "word":
        return None
    last = place
    while line.at(last + 1).kind in {"word", "hyphened", "number"} and line.at(last + 1).text.lower() not in _WORDS:
        last += 1
    if (last == place and word.text.isascii()) or word.text.lower() in _WORDS:
        return None
    written = line.source(place, last)
    said = f"`{written}` is more than a plain word of English letters"
    if before == ".":
        path = line.source(line.operand_before(place + 1), place - 1) + as_name(written)
        return line.fault(place, last, "jmespath-syntax", said, as_name(written), write(path))
    if place == 0 and last == len(line.words) - 1:
        return line.fault(place, last, "jmespath-bare-word", "this is no expression", None, EXAMPLE)
    return line.fault(place, last, "jmespath-bare-word", said, as_text(written), in_single_quotes(written))


_WORDS = frozenset({*_JOINS, *_BETWEEN, "not", "in", "is", "equals", "like", "matches", "between", "to", "if", "then"})

_CHECKS: Sequence[Callable[[Line, int], Fault | None]] = (
    *(
        stray,
        _literal,
        _curly,
        _sign,
        _joining,
        _constant,
        _number,
        _name,
        _hyphened,
        _arithmetic,
        _bracketed,
        _foreign,
    ),
)


def _is_known_path(written: str) -> bool:
    where = read_path(written)
    return where is not None and where.root in ROOTS and where.type_of() is not None
