"""The lines of `do` → effects with their targets, and who is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rules_engine.core.problem import Place
from rules_engine.core.rule import Effect, EffectKind, Every, Identified, Named, Target, Under
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import fold

from .elsewhere import ACTIONS, refuse_word
from .report import Report
from .yaml import ListNode, MapNode, Node, ScalarNode

CATEGORY_KINDS = frozenset({EffectKind.ADD_TO_CATEGORY, EffectKind.REMOVE_FROM_CATEGORY})
MEMBERSHIP_KINDS = CATEGORY_KINDS | {EffectKind.EMPTY_CATEGORY}
NOTIFY = "notify"
"""The line of `do` that changes nothing in the shop: somebody is told."""
_WITH_TARGET = CATEGORY_KINDS | {EffectKind.ASSIGN_BRAND}
_ALONE = frozenset(EffectKind) - _WITH_TARGET
_SAME = {
    **{kind: kind for kind in EffectKind},
    EffectKind.ADD_TO_CATEGORY: EffectKind.REMOVE_FROM_CATEGORY,
    EffectKind.SHOW: EffectKind.HIDE,
    EffectKind.ASSIGN_BRAND: EffectKind.UNASSIGN_BRAND,
}
"""What two actions are about, where one undoes the other."""


@dataclass(frozen=True, slots=True)
class PlacedEffect:
    """An effect, and where each of its targets stands."""

    effect: Effect
    place: Place
    targets: tuple[tuple[Target, Place], ...] = ()


@dataclass(frozen=True, slots=True)
class Do:
    """What a rule does: its effects, and the names of those who are told."""

    effects: tuple[PlacedEffect, ...] = ()
    notifies: tuple[str, ...] = ()


class Effects:
    """Reads `do`. `notify` are the names of those whom stores.yaml lets rules tell."""

    def __init__(self, report: Report, notify: Sequence[str] = ()) -> None:
        self._report = report
        self._notify = tuple(notify)

    def read(self, node: Node, about: SubjectKind) -> Do | None:
        """What is to be done; None if a line is wrong, which is reported."""
        items = node.items if isinstance(node, ListNode) else (node,)
        if not items or (isinstance(node, ScalarNode) and node.is_null):
            self._report.error(node.place, "missing-value", "an action is missing here", f"one of {_known(about)}")
            return None
        found = [self._line(item, about) for item in items]
        if None in found:
            return None
        effects = tuple(line for line in found if isinstance(line, PlacedEffect))
        if self._refuse_opposites(effects):
            return None
        return Do(effects, tuple(dict.fromkeys(line for line in found if isinstance(line, str))))

    def _refuse_opposites(self, effects: Sequence[PlacedEffect]) -> bool:
        """Report where one line undoes another, since then only the first would be done."""
        wished: dict[object, tuple[EffectKind, Place]] = {}
        is_refused = False
        for placed in effects:
            kind = placed.effect.kind
            for target, place in placed.targets if kind in CATEGORY_KINDS else ((None, placed.place),):
                first, where = wished.setdefault((_SAME[kind], _folded(target)), (kind, place))
                if first is not kind:
                    said = f"this undoes `{first}` of line {where.line}, and one rule wants one thing"
                    advice = "keep one of the two; what `while` takes is put back by itself"
                    self._report.error(place, "contradicting-actions", said, advice)
                    is_refused = True
        return is_refused

    def _line(self, node: Node, about: SubjectKind) -> PlacedEffect | str | None:
        """An effect, or the name of somebody who is told."""
        if isinstance(node, MapNode) and len(node.entries) == 1 and node.entries[0][0].text == NOTIFY:
            return self._told(node.entries[0][1])
        return self.effect(node, about)

    def _told(self, node: Node) -> str | None:
        name = node.get("webhook") if isinstance(node, MapNode) and len(node.entries) == 1 else None
        if not isinstance(name, ScalarNode) or name.is_null or not name.text.strip():
            said = "`notify` says whom to tell"
            known = self._notify[0] if len(self._notify) == 1 else "NAME"
            if isinstance(node, ScalarNode) and node.text.strip() in self._notify:
                known = node.text.strip()
            self._report.error(node.place, "wrong-shape", said, f"write `- notify: {{webhook: {known}}}`")
            return None
        if name.text.strip() in self._notify:
            return name.text.strip()
        if "://" in name.text:
            said = "a webhook's URL is a secret: stores.yaml gives it a name, and rules say the name"
            advice = f"write one of: {', '.join(self._notify)}" if self._notify else "give it one below `notify:` there"
            self._report.error(name.place, "unknown-webhook", said, advice)
            return None
        advice = "write `notify: {NAME: ${VARIABLE}}` in stores.yaml"
        advice = advice if not self._notify else f"there are: {', '.join(self._notify)}"
        self._report.unknown(name, "unknown-webhook", "`notify` of stores.yaml has no", self._notify, advice)
        return None

    def effect(self, node: Node, about: SubjectKind) -> PlacedEffect | None:
        """One effect; None if it is wrong, which is reported."""
        if isinstance(node, ScalarNode):
            kind = self._kind(node, about)
            if kind in _WITH_TARGET:
                what = "a brand" if kind is EffectKind.ASSIGN_BRAND else "a category"
                self._report.error(node.place, "missing-value", f"`{kind}` needs {what}", f"write `{kind}: NAME`")
                return None
            return PlacedEffect(Effect(kind, place=node.place), node.place) if kind else None
        if not isinstance(node, MapNode) or len(node.entries) != 1:
            said = "each action stands in a line of its own, after `- `"
            written = [f"`- {key.text[:60]}: …`" for key, _ in node] if isinstance(node, MapNode) else ["`- action`"]
            self._report.error(node.place, "wrong-shape", said, f"write {' and '.join(written[:3])}")
            return None
        key, value = node.entries[0]
        kind = self._kind(key, about)
        if kind is None:
            return None
        if kind not in _WITH_TARGET:
            said = f"`{kind}` takes nothing after it"
            self._report.error(value.place, "wrong-shape", said, f"write `- {kind}` alone")
            return None
        targets = self._targets(value, kind)
        if targets is None:
            return None
        places = tuple(place for _, place in targets)
        effect = Effect(kind, tuple(target for target, _ in targets), key.place, places)
        return PlacedEffect(effect, key.place, targets)

    def _kind(self, node: ScalarNode, about: SubjectKind) -> EffectKind | None:
        if node.text == NOTIFY:
            self._report.error(
                node.place, "missing-value", "`notify` says whom to tell", "write `- notify: {webhook: NAME}`"
            )
            return None
        if node.text not in set(EffectKind):
            self._refuse_action(node)
            return None
        kind = EffectKind(node.text)
        if (kind is EffectKind.EMPTY_CATEGORY) == (about is SubjectKind.CATEGORY):
            return kind
        subject = "products" if about is SubjectKind.PRODUCT else "categories"
        said = f"a rule about {subject} cannot `{kind}`"
        advice = f"it can: {_known(about)}"
        if kind is EffectKind.EMPTY_CATEGORY:
            advice = f"write `about: category`; or {advice}"
        self._report.error(node.place, "wrong-subject", said, advice)
        return None

    def _refuse_action(self, node: ScalarNode) -> None:
        """Report a word that is no action, with the line as it should be where that can be told."""
        known, what = [*EffectKind, NOTIFY], "there is no action"
        match = re.fullmatch(r"(?P<dash>[-\u2010-\u2015\u2022*]?\s*)(?P<word>\w+)(?P<rest>[\s(=].*)?", node.text[:300])
        if match is None or match["word"] not in known or not (match["dash"] or match["rest"]):
            refuse_word(self._report, node, "unknown-action", what, known, ACTIONS)
        elif match["dash"]:
            said = "an action stands behind a `-` and a blank"
            said = said if match["dash"][0] == "-" else f"{said}, and this is the sign {match['dash'][0]}"
            advice = f"write `- {match['word']}`" if match["word"] in _ALONE else f"write `- {match['word']}: …`"
            self._report.error(node.place, "unknown-action", said, advice)
        else:
            target = match["rest"].strip(" ()=\"'")
            advice = (
                f"write `- {match['word']}: {target}`" if match["word"] not in _ALONE else f"write `- {match['word']}`"
            )
            self._report.error(node.place, "unknown-action", f'{what} "{node.text[:60]}"', advice)

    def _targets(self, node: Node, kind: EffectKind) -> tuple[tuple[Target, Place], ...] | None:
        is_list = isinstance(node, ListNode) and kind in CATEGORY_KINDS
        items = node.items if isinstance(node, ListNode) and is_list else (node,)
        if not items:
            self._report.error(node.place, "missing-value", "the list is empty", "write at least one category")
            return None
        found = [self._target(item, kind) for item in items]
        if None in found:
            return None
        return tuple((target, item.place) for target, item in zip(found, items, strict=True) if target is not None)

    def _target(self, node: Node, kind: EffectKind) -> Target | None:
        takes_out = kind is EffectKind.REMOVE_FROM_CATEGORY
        if isinstance(node, ScalarNode):
            if node.is_plain and node.text == "all":
                return Every() if takes_out else self._only_for_taking_out(node, kind)
            self._warn_of_name(node, kind)
            return self._named(node)
        if isinstance(node, MapNode) and len(node.entries) == 1:
            key, value = node.entries[0]
            if key.text == "id":
                return self._identified(value)
            if key.text == "under" and kind in CATEGORY_KINDS:
                return self._under(value) if takes_out else self._only_for_taking_out(key, kind)
            if key.text in {"name", "path"} and isinstance(value, ScalarNode) and value.text.strip():
                advice = f"write the {key.text} alone: `{kind}: {value.text.strip()[:60]}`"
                self._report.error(key.place, "unknown-key", f"a {key.text} needs no key here", advice)
                return None
            words = ["id", "under"] if takes_out else ["id"]
            self._report.unknown(key, "unknown-key", "a target has no key", words)
            return None
        if isinstance(node, MapNode) and node.get("id") is not None:
            said = "an id says all"
            given = node.get("id")
            shown = given.text.strip()[:60] if isinstance(given, ScalarNode) else "…"
            self._report.error(node.place, "wrong-shape", said, f"write `{{id: {shown}}}` alone")
            return None
        if kind is EffectKind.ASSIGN_BRAND and isinstance(node, ListNode):
            said = "a product has one brand, and this is a list"
            self._report.error(node.place, "wrong-shape", said, f"write `{kind}: NAME`")
            return None
        wanted = "a name, {id: …}, {under: NAME}, a list of these, or all" if takes_out else "a name or {id: …}"
        self._report.error(node.place, "wrong-shape", f"`{kind}` does not take this", f"write {wanted}")
        return None

    def _warn_of_name(self, node: ScalarNode, kind: EffectKind) -> None:
        """A number is a name here, and hardly meant as one; so is `All`."""
        text = node.text.strip()
        if node.is_plain and text.isdecimal():
            said = f"{text[:60]} is taken for a name, as every text here"
            advice = f'write `{{id: {text[:60]}}}` for the shop\'s id, or `"{text[:60]}"` in quotes for a name'
            self._report.warn(node.place, "wrong-target", said, advice)
        elif node.is_plain and text.casefold() == "all" and kind is EffectKind.REMOVE_FROM_CATEGORY:
            said = f"`{text}` is taken for a category of that name"
            self._report.warn(node.place, "wrong-target", said, f'write `all`, or `"{text}"` in quotes for a name')

    def _only_for_taking_out(self, node: ScalarNode, kind: EffectKind) -> Target | None:
        said = f"`{node.text}` does not say which category `{kind}` means"
        self._report.error(node.place, "wrong-target", said, "name the category")
        return None

    def _named(self, node: ScalarNode) -> Named | None:
        if node.is_null or not node.text.strip():
            self._report.error(node.place, "missing-value", "a name is missing here", "write a name, or {id: …}")
            return None
        return Named(node.text.strip())

    def _identified(self, node: Node) -> Identified | None:
        if not isinstance(node, ScalarNode) or node.is_null or not node.text.strip():
            self._report.error(
                node.place,
                "missing-value",
                "an id is missing here",
                "write the shop's id for it, such as `{id: 9691094}`",
            )
            return None
        return Identified(node.text.strip())

    def single(self, node: Node, name: str) -> Named | Identified | None:
        """One category by its name or id, as it stands after `name`; None if it is wrong, which is reported."""
        if isinstance(node, MapNode) and [key.text for key, _ in node] == ["id"]:
            return self._identified(node.entries[0][1])
        if isinstance(node, ScalarNode):
            return self._named(node)
        said = f"`{name}` takes one category"
        self._report.error(node.place, "wrong-shape", said, f"write `{name}: NAME` or `{name}: {{id: …}}`")
        return None

    def _under(self, node: Node) -> Under | None:
        if isinstance(node, MapNode) and [key.text for key, _ in node] == ["id"]:
            inner: Named | Identified | None = self._identified(node.entries[0][1])
        elif isinstance(node, ScalarNode):
            inner = self._named(node)
        else:
            names = (
                [item.text.strip() for item in node.items if isinstance(item, ScalarNode)]
                if isinstance(node, ListNode)
                else []
            )
            each = ", ".join(f"{{under: {name[:60]}}}" for name in names[:5])
            advice = f"write `[{each}]`" if len(names) > 1 else "write `{under: NAME}`"
            self._report.error(node.place, "wrong-shape", "`under` takes one category", advice)
            return None
        return Under(inner) if inner else None


def _folded(target: Target | None) -> object:
    """A target as it is compared with others: names without regard to case."""
    return fold(target.name) if isinstance(target, Named) else target


def _known(about: SubjectKind) -> str:
    is_category = about is SubjectKind.CATEGORY
    kinds = [kind.value for kind in EffectKind if (kind is EffectKind.EMPTY_CATEGORY) == is_category]
    return ", ".join([*kinds, NOTIFY])
