"""`given` of a test: what the shop shows, what it showed before, and what it shows later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rules_engine.core.fields import subject_fields
from rules_engine.core.scenario import Glimpse
from rules_engine.core.subject import SubjectKind

from .agreement import check_agreement
from .report import Report
from .shown import empty_of, is_flag, read_field_names, read_shown
from .spans import read_span
from .yaml import ListNode, MapNode, Node, ScalarNode

GIVEN_KEYS = ("before", "held", "event", "unknown", "then")
"""The keys of `given` besides the subject; a test of a rule about categories has `products` too."""

_BESIDE_GIVEN = ("name", "store", "at", "after", "expect")
"""The keys of a test besides `given`."""

EVENTS = ("created", "updated", "deleted")
"""What `event` can be."""

MOST_SIGHTINGS = 100
MOST_MEMBERS = 1000


@dataclass(frozen=True, slots=True)
class Given:
    """What a test says of the shop."""

    glimpse: Glimpse
    before: Glimpse | None
    then: tuple[Glimpse, ...]
    members: tuple[str, ...]


def check_keys(report: Report, node: MapNode, known: Sequence[str], what: str, about: SubjectKind) -> bool:
    """Report the keys that are none of `known`; a field of the subject gets the advice where it belongs."""
    before = report.error_count
    for key, _ in node:
        if key.text in known:
            continue
        if key.text in {"product", "category"} and about.value in known:
            said = f"this test is of a rule about a {about}"
            report.error(key.place, "wrong-subject", said, f"write `{about}:` and what it is like")
        elif key.text in subject_fields(about) and about.value in known:
            said = f'{what} "{key.text}"'
            report.error(key.place, "unknown-key", said, f"write `{about}: {{{key.text}: …}}`")
        elif key.text in {*GIVEN_KEYS, about} and "given" in known:
            report.error(key.place, "unknown-key", f'{what} "{key.text}"', f"write `{key.text}:` below `given:`")
        elif key.text in _BESIDE_GIVEN and "given" not in known:
            said = f'{what} "{key.text}"'
            report.error(key.place, "unknown-key", said, f"write `{key.text}:` beside `given:`, in a line of its own")
        else:
            report.unknown(key, "unknown-key", what, known)
    return report.error_count == before


def read_after(report: Report, node: MapNode) -> timedelta | None:
    """The span under `after`, nothing where there is none; None if it is wrong, which is reported."""
    value = node.get("after")
    return timedelta(0) if value is None else read_span(report, value, "after")


class GivenReader:
    """Reads `given` for rules about products or categories; what is wrong is reported."""

    def __init__(self, report: Report, about: SubjectKind) -> None:
        self._report = report
        self._about = about
        example = "sku: A-1, stock: 0" if about is SubjectKind.PRODUCT else "name: Sale, published: false"
        self._advice = f"write `given: {{{about}: {{{example}}}}}`"

    def read(self, test: MapNode) -> Given | None:
        """What a test says of the shop; None where it cannot be told at all."""
        node = test.get("given")
        if not isinstance(node, MapNode):
            place = test.place if node is None else node.place
            self._report.error(place, "missing-key", "the test does not say what the shop shows", self._advice)
            return None
        about = self._about
        members = ["products"] if about is SubjectKind.CATEGORY else []
        is_sound = check_keys(self._report, node, [about.value, *members, *GIVEN_KEYS], "`given` has no key", about)
        subject = node.get(about)
        if subject is None and is_sound:
            self._report.error(
                node.place, "missing-key", f"the test does not say what the {about} is like", self._advice
            )
        fields = self._shown(subject) if subject is not None else None
        unknown = self._unknown(node, fields or {})
        before = self._before(node.get("before"), fields)
        event, then, skus = self._event(node), self._then(node.get("then")), self._members(node.get("products"))
        if fields is None:
            return None
        gone = [name for name in before or () if name not in fields and name not in unknown]
        now = {**fields, **{name: empty_of(about, name) for name in gone}}
        earlier = None if before is None else Glimpse({**fields, **before})
        return Given(Glimpse(now, unknown, event), earlier, then, skus)

    def _shown(self, node: Node, beside: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """The fields, which agree with each other; `beside` are those of now, where these are what was before."""
        found = read_shown(self._report, node, self._about)
        if found and isinstance(node, MapNode) and self._about is SubjectKind.PRODUCT:
            check_agreement(self._report, node, found, beside)
        return found

    def _before(self, node: Node | None, fields: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
        """What was otherwise before, by field. A flag is never empty, so what it is now has to be said."""
        if node is None:
            return None
        found = self._shown(node, fields or {})
        for key, _ in node if isinstance(node, MapNode) else ():
            is_known = key.text in subject_fields(self._about)
            if is_known and fields is not None and key.text not in fields and is_flag(self._about, key.text):
                said = f"`before` says `{key.text}`, and `{self._about}` does not say what it is now"
                self._report.error(key.place, "missing-value", said, f"write `{key.text}:` below `{self._about}:` too")
        return found

    def _unknown(self, node: MapNode, fields: Mapping[str, Any]) -> frozenset[str]:
        value = node.get("unknown")
        if value is None:
            return frozenset()
        found = read_field_names(self._report, value, self._about) or frozenset()
        both = sorted(found & set(fields))
        if both:
            said = f"`{both[0]}` is given, so it is known"
            self._report.error(value.place, "contradicting-test", said, f"leave `{both[0]}` out of one of them")
        return found

    def _event(self, node: MapNode) -> str:
        value = node.get("event")
        if value is None or (isinstance(value, ScalarNode) and value.text in EVENTS):
            return value.text if isinstance(value, ScalarNode) else "updated"
        if isinstance(value, ScalarNode):
            self._report.unknown(value, "unknown-event", "`event` cannot be", EVENTS)
        else:
            advice = f"one of {', '.join(EVENTS)}"
            self._report.error(value.place, "wrong-shape", "`event` takes one word", advice)
        return "updated"

    def _members(self, node: Node | None) -> tuple[str, ...]:
        """The SKUs of the products in the category."""
        if node is None:
            return ()
        items = node.items if isinstance(node, ListNode) else (None,)
        skus = [item.text.strip() for item in items if isinstance(item, ScalarNode) and not item.is_null]
        if len(skus) < len(items) or not all(skus):
            said = "`products` is a list of SKUs"
            self._report.error(node.place, "wrong-shape", said, "write `products: [A-1, A-2]`")
        elif len(set(skus)) < len(skus):
            self._report.error(node.place, "contradicting-test", "one SKU stands here twice", "keep it once")
        elif len(skus) > MOST_MEMBERS:
            said = f"a test has at most {MOST_MEMBERS} products"
            self._report.error(node.place, "too-large", said, "a few show as much")
        return tuple(skus)

    def _then(self, node: Node | None) -> tuple[Glimpse, ...]:
        if node is None:
            return ()
        items = node.items if isinstance(node, ListNode) else (node,)
        if len(items) > MOST_SIGHTINGS:
            said = f"a test has at most {MOST_SIGHTINGS} later sightings"
            self._report.error(node.place, "too-large", said, "write another test for the rest")
            return ()
        return tuple(glimpse for item in items if (glimpse := self._later(item)) is not None)

    def _later(self, node: Node) -> Glimpse | None:
        about = self._about
        if not isinstance(node, MapNode):
            advice = f"write `- after: 5 minutes` and below it `{about}:` with what changed"
            self._report.error(node.place, "wrong-shape", "a later sighting is a map", advice)
            return None
        known = ["after", about.value, "event", "unknown"]
        check_keys(self._report, node, known, "a later sighting has no key", about)
        subject = node.get(about)
        fields = {} if subject is None else self._shown(subject) or {}
        after = read_after(self._report, node) or timedelta(0)
        return Glimpse(fields, self._unknown(node, fields), self._event(node), after)
