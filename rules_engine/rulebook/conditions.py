"""Conditions as YAML writes them → compiled conditions, with the fields that they use and where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rules_engine.core import expression
from rules_engine.core.age import AGES
from rules_engine.core.condition import (
    All,
    AnyOf,
    Condition,
    Expression,
    Happens,
    Meaning,
    NoneOf,
    Test,
    Transition,
)
from rules_engine.core.delivery import EventType
from rules_engine.core.explain import closest
from rules_engine.core.fields import MOMENT_ROOTS, FieldType, read_path, subject_fields
from rules_engine.core.problem import Place
from rules_engine.core.subject import SubjectKind
from rules_engine.core.traps import lint
from rules_engine.core.words import Change, Emptiness, Word, Written

from .advice import broken_list, change_advice, changes_advice, event_advice, field_advice, word_advice
from .ranges import check_ranges
from .report import Report
from .spans import read_span
from .text_conditions import condition_of, expression_advice, lasting_advice, meanings_advice
from .vocabulary import (
    ORDERS,
    SEVERAL,
    check_word,
    emptiness,
    read_ends,
    read_value,
    read_values,
    shown_list,
)
from .yaml import ListNode, MapNode, Node, ScalarNode

MAX_PARTS = 5000
"""Of one condition with its meanings written out, so that meanings of meanings cannot grow without bounds."""
MAX_LEVELS = 50

_A_CONDITION = "write one, such as `{product.stock: {at_most: 3}}`, or the name of a meaning"

_Group = type[All] | type[AnyOf] | type[NoneOf]
_GROUPS: Mapping[str, _Group] = {"all": All, "any": AnyOf, "none": NoneOf}
_EVENTS = ("created", "deleted")
_EVENT_TYPES: Mapping[str, Sequence[str]] = {
    "event.type": tuple(str(type_) for type_ in EventType if type_ is not EventType.UNKNOWN)
}


@dataclass(frozen=True, slots=True)
class Use:
    """A field that a condition looks at, and where. `field` is empty for `happens`. `via` is the meaning it is in.

    `path` is all of it where the field is only its beginning: `product.attributes.Shoe size`.
    """

    field: str
    place: Place
    is_moment: bool = False
    via: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """A compiled condition with what it uses; `parts` and `levels` are its size with meanings written out."""

    condition: Condition
    uses: tuple[Use, ...] = ()
    parts: int = 1
    levels: int = 1


class Conditions:
    """Reads the conditions of all files, which share their meanings.

    `is_partial` says that some file could not be read, so that an unknown meaning may be in there. `known` are the
    values of fields that can hold only a few.
    """

    def __init__(
        self,
        report: Report,
        meanings: Mapping[str, Node],
        *,
        is_partial: bool = False,
        known: Mapping[str, Sequence[str]] = _EVENT_TYPES,
    ) -> None:
        self._known = {**_EVENT_TYPES, **known}
        self._report = report
        self._meanings = meanings
        self._is_partial = is_partial
        self._built: dict[str, Built | None] = {}
        self._open: list[str] = []
        self._level = 0

    def read(self, node: Node, about: SubjectKind | None) -> Built | None:
        """A condition; None if something in it is wrong, which is reported. `about` None: a meaning, for any rule."""
        if self._level >= MAX_LEVELS:
            return self._refuse_size(node.place)
        self._level += 1
        try:
            return self._read(node, about)
        finally:
            self._level -= 1

    def _read(self, node: Node, about: SubjectKind | None) -> Built | None:
        match node:
            case ScalarNode():
                return self._meaning(node, about)
            case ListNode():
                listed = shown_list(node)
                advice = f"write `{{all: {listed}}}` if all of them have to be so, `{{any: {listed}}}` if one is enough"
                if listed == "[…]":
                    advice = "write `all:` before the list if all of them have to be so, `any:` if one is enough"
                self._report.error(node.place, "wrong-shape", "a list alone does not say how it counts", advice)
                return None
            case MapNode():
                return self._map(node, about)

    def meaning(self, name: str) -> Built | None:
        """A meaning by its name, compiled once; its problems are reported once, where it stands."""
        if name not in self._built:
            self._open.append(name)
            self._built[name] = self.read(self._meanings[name], None)
            self._open.pop()
        return self._built[name]

    def _meaning(self, node: ScalarNode, about: SubjectKind | None) -> Built | None:
        name = node.text.strip()
        if node.is_null or not name:
            self._report.error(node.place, "missing-value", "a condition is missing here", _A_CONDITION)
            return None
        if name not in self._meanings:
            if not self._is_partial:
                self._unknown_meaning(node, name, about)
            return None
        if name in self._open:
            circle = " → ".join([*self._open[self._open.index(name) :], name])
            said = f"this meaning goes round in a circle: {circle}"
            self._report.error(node.place, "meaning-circle", said, f"write a condition here instead of `{name[:60]}`")
            return None
        built = self.meaning(name)
        if built is None:
            return None
        uses = tuple(dict.fromkeys(replace(use, place=node.place, via=name) for use in built.uses))
        return self._sized(Built(Meaning(name, built.condition), uses, built.parts + 1, built.levels + 1), node.place)

    def _unknown_meaning(self, node: ScalarNode, name: str, about: SubjectKind | None) -> None:
        shown = " ".join(name.split())
        said = f'there is no meaning "{shown if len(shown) <= 60 else shown[:59] + "…"}"'
        meant = condition_of(name, self._meanings, about)
        if meant:
            advice = f"write `{meant}`"
        elif lasting := lasting_advice(name, self._meanings, about):
            advice = lasting
        elif re.search(r"[=<>!&|()]|\b(?:product|category)\.", name):
            advice = expression_advice(name, about)
        else:
            advice = meanings_advice(name, self._meanings)
        self._report.error(node.place, "unknown-meaning", said, advice)

    def _map(self, node: MapNode, about: SubjectKind | None) -> Built | None:
        if not node.entries:
            self._report.error(node.place, "missing-value", "a condition is missing here", _A_CONDITION)
            return None
        return self._join(All, [self._entry(key, value, about) for key, value in node], node.place)

    def _join(self, kind: _Group, parts: Iterable[Built | None], place: Place, *, keeps: bool = False) -> Built | None:
        """Parts as one condition; an `all` of one part is that part, unless it was written out (`keeps`)."""
        found = list(parts)
        sound = [part for part in found if part is not None]
        if len(sound) < len(found):
            return None
        if len(sound) == 1 and not keeps:
            return sound[0]
        uses = tuple(use for part in sound for use in part.uses)
        size, levels = 1 + sum(part.parts for part in sound), 1 + max(part.levels for part in sound)
        return self._sized(Built(kind(tuple(part.condition for part in sound)), uses, size, levels), place)

    def _sized(self, built: Built, place: Place) -> Built | None:
        if built.parts <= MAX_PARTS and built.levels <= MAX_LEVELS:
            return built
        return self._refuse_size(place)

    def _refuse_size(self, place: Place) -> Built | None:
        said = f"with its meanings written out, this has more than {MAX_PARTS} parts or {MAX_LEVELS} levels"
        self._report.error(place, "condition-too-large", said, "use fewer meanings inside of meanings")
        return None

    def _entry(self, key: ScalarNode, value: Node, about: SubjectKind | None) -> Built | None:
        if key.text in _GROUPS:
            return self._group(key, value, about)
        if key.text == "jmespath":
            return self._jmespath(value, about)
        if key.text == "happens":
            return self._happens(key, value)
        return self._field(key, value, about)

    def _group(self, key: ScalarNode, value: Node, about: SubjectKind | None) -> Built | None:
        if not isinstance(value, ListNode) or not value.items:
            place, advice = value.place, "write each in a line of its own, after `- `"
            if isinstance(value, MapNode) and value.entries:
                first = value.entries[0][0]
                place, advice = first.place, f"write `- ` before each of them, as in `- {first.text[:60]}: …`"
            elif isinstance(value, ScalarNode) and not value.is_null:
                advice = f"write `{key.text}: [{value.text[:60]}]`"
            self._report.error(place, "wrong-shape", f"`{key.text}` takes a list of conditions", advice)
            return None
        parts = [self.read(item, about) for item in value.items]
        return self._join(_GROUPS[key.text], parts, key.place, keeps=True)

    def _jmespath(self, value: Node, about: SubjectKind | None) -> Built | None:
        if not isinstance(value, ScalarNode):
            said = "an expression is text"
            advice = "put it in double quotes, or in a block after `|`"
            if isinstance(value, ListNode):
                advice = 'write `all:` before them, and each as `- jmespath: "…"`'
            self._report.error(value.place, "wrong-shape", said, advice)
            return None
        faults = lint(value.text, about=about)
        for fault in faults:
            self._report.fault(value, fault)
        text = value.text.strip()
        return None if faults else Built(Expression(text), self._uses_of(text, value))

    def _uses_of(self, text: str, node: ScalarNode) -> tuple[Use, ...]:
        uses = []
        for field in sorted(expression.fields_in(text)):
            root, _, name = field.partition(".")
            place = self._report.place_in(node, max(0, node.text.find(field)), len(field)) if name else node.place
            uses.append(Use(field, place, root in MOMENT_ROOTS))
        return tuple(uses)

    def _happens(self, key: ScalarNode, value: Node) -> Built | None:
        if isinstance(value, ScalarNode) and value.text in _EVENTS:
            return Built(Happens(value.text), (Use("", key.place, is_moment=True),))
        if isinstance(value, ScalarNode):
            said = f'`happens` does not know "{value.text[:60]}"'
            self._report.error(value.place, "unknown-event", said, event_advice(value.text))
        elif isinstance(value, ListNode):
            advice = "write `any: [{happens: created}, {happens: deleted}]`"
            self._report.error(value.place, "wrong-shape", "`happens` takes one word", advice)
        else:
            place = value.entries[0][0].place if value.entries else value.place
            self._report.error(place, "wrong-shape", "`happens` takes one word", "write `happens: created`")
        return None

    def _field(self, key: ScalarNode, value: Node, about: SubjectKind | None) -> Built | None:
        found = self._left_side(key, about)
        if found is None:
            return None
        kind, uses = found
        if isinstance(value, ListNode):
            word = "contains_any" if kind in {FieldType.NAMES, FieldType.IDS} else "one_of"
            said = "a list alone does not say how it counts"
            advice = f"write `{key.text[:60]}: {{{word}: {shown_list(value)}}}`"
            self._report.error(value.place, "wrong-shape", said, advice)
            return None
        if isinstance(value, MapNode):
            if not value.entries:
                self._report.error(value.place, "missing-value", "a word is missing here", "write `is: …`")
                return None
            if broken := broken_list(value):
                self._report.error(broken[0], "wrong-shape", *broken[1:])
                return None
            built = [self._worded(key, word, node, kind, uses) for word, node in value]
            conditions = [part.condition if part else None for part in built]
            return self._join(All, built, key.place) if check_ranges(self._report, kind, value, conditions) else None
        return self._test(key, Word.IS, key, value, kind, uses)

    def _left_side(self, key: ScalarNode, about: SubjectKind | None) -> tuple[FieldType, tuple[Use, ...]] | None:
        """The type of what stands on the left, and the fields that it uses."""
        text = key.text.strip()
        where = read_path(text)
        if where is not None:
            kind = where.type_of(about)
            if kind is None:
                self._unknown_field(key, text, about)
                return None
            return kind, (Use(where.field, key.place, where.is_moment, path=text),)
        if re.fullmatch(r"[\w. -]*", text):
            self._unknown_field(key, text, about)
            return None
        faults = lint(text, about=about, is_condition=False)
        for fault in faults:
            self._report.fault(key, fault)
        return None if faults else (FieldType.ANY, self._uses_of(text, key))

    def _unknown_field(self, key: ScalarNode, text: str, about: SubjectKind | None) -> None:
        where = read_path(text)
        other = SubjectKind.CATEGORY if about is SubjectKind.PRODUCT else SubjectKind.PRODUCT
        if about and where and where.root == "before" and where.name in subject_fields(other):
            said = f"a rule about a {about} cannot see {text[:60]}"
            self._report.error(key.place, "wrong-subject", said, f"write `about: {other}`, or another field")
            return
        said = f'there is no field "{text[:60]}"'
        self._report.error(key.place, "unknown-field", said, field_advice(text, self._meanings, about))

    def _worded(
        self, key: ScalarNode, word: ScalarNode, value: Node, kind: FieldType, uses: tuple[Use, ...]
    ) -> Built | None:
        if word.text in set(Word):
            return self._test(key, Word(word.text), word, value, kind, uses)
        if word.text in set(Change):
            return self._transition(key, Change(word.text), word, value, kind, uses)
        said = f'there is no word "{" ".join(word.text.split())[:60]}"'
        self._report.error(word.place, "unknown-word", said, word_advice(key, word, value, kind))
        return None

    def _test(  # noqa: PLR0917 — one line of a rule: its field, word, value, and where each stands
        self, key: ScalarNode, word: Word, at: ScalarNode, value: Node, kind: FieldType, uses: tuple[Use, ...]
    ) -> Built | None:
        field = key.text.strip()
        blank = emptiness(value) if word in {Word.IS, Word.IS_NOT} else None
        if blank is not None:
            is_empty = (blank is Emptiness.EMPTY) == (word is Word.IS)
            word = Word.EMPTY if is_empty else Word.NOT_EMPTY
        if not check_word(self._report, at, word, kind, field, value):
            return None
        if blank is not None:
            return Built(Test(field, word), uses)
        if word in {Word.EMPTY, Word.NOT_EMPTY}:
            flag = read_value(self._report, value, FieldType.FLAG)
            opposite = Word.NOT_EMPTY if word is Word.EMPTY else Word.EMPTY
            return None if flag is None else Built(Test(field, word if flag.value else opposite), uses)
        if word is Word.BETWEEN:
            ends = read_ends(self._report, value, kind)
            return None if ends is None else Built(Test(field, word, ends), uses)
        if word in SEVERAL:
            values = read_values(self._report, value, kind, word=word, field=field)
            if values is None or not all(self._is_possible(field, one, value) for one in values):
                return None
            return Built(Test(field, word, values), uses)
        one = self._age(word, value) if word in AGES else self._value(value, kind, word, field)
        if one is not None and word in {Word.IS, Word.IS_NOT} and not self._is_possible(field, one, value):
            return None
        return None if one is None else Built(Test(field, word, one), uses)

    def _value(self, node: Node, kind: FieldType, word: Word, field: str) -> Written | None:
        return read_value(self._report, node, kind, needs_order=word in ORDERS, field=field, word=word)

    def _is_possible(self, field: str, written: Written, node: Node) -> bool:
        """Whether the field can ever hold a value, where there are few that it can; if not, that is reported."""
        known = self._known.get(field)
        if known is None or written.text.strip() in known:
            return True
        said = f'{field} is never "{written.text[:60]}"'
        near = closest(written.text, known) or next((one for one in known if one.endswith(f".{written.text}")), "")
        advice = f"did you mean `{near}`?" if near else f"it is one of: {', '.join(known)}"
        self._report.error(node.place, "wrong-type", said, advice)
        return False

    def _age(self, word: Word, node: Node) -> Written | None:
        """The span after `newer_than` or `older_than`; None if it is none, which is reported."""
        is_span = read_span(self._report, node, word.value) is not None
        return node.written if is_span and isinstance(node, ScalarNode) else None

    def _transition(  # noqa: PLR0917 — see above
        self, key: ScalarNode, word: Change, at: ScalarNode, value: Node, kind: FieldType, uses: tuple[Use, ...]
    ) -> Built | None:
        field = key.text.strip()
        where = read_path(field)
        if where is not None and (where.root in {"store", "now", *MOMENT_ROOTS} or where.name == "raw"):
            said = f"changes of {where.field} are not watched"
            self._report.error(at.place, "word-does-not-fit", said, change_advice(where))
            return None
        if not check_word(self._report, at, word, kind, field, value):
            return None
        moments = (*uses, Use("", at.place, is_moment=True))
        if word is Change.CHANGES:
            if isinstance(value, ScalarNode) and value.written.value is True:
                return Built(Transition(field, word), moments)
            advice = changes_advice(field, value, kind)
            self._report.error(value.place, "wrong-type", "`changes` takes true", advice)
            return None
        blank = emptiness(value) if word in {Change.BECOMES, Change.WAS} else None
        if blank is not None and not check_word(self._report, at, Word.EMPTY, kind, field):
            return None  # true or false is never empty
        if blank is None and kind in {FieldType.NAMES, FieldType.IDS, FieldType.OBJECTS}:
            said = f"a list becomes `empty` or `not_empty`; {field} is {kind.value}"
            meant = f"{field}: {{contains: {value.text[:60]}}}" if isinstance(value, ScalarNode) else "contains: …"
            self._report.error(value.place, "word-does-not-fit", said, f"to watch one name write `{meant}`")
            return None
        if blank is not None:
            return Built(Transition(field, word, blank), moments)
        is_crossing = word in {Change.RISES_ABOVE, Change.FALLS_BELOW}
        one = read_value(self._report, value, kind, needs_order=is_crossing, field=field, word=word)
        return None if one is None else Built(Transition(field, word, one), moments)
