"""One rule as YAML writes it → a compiled rule."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TypeVar

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.fields import subject_fields
from rules_engine.core.rule import Afterwards, FieldUse, Mode, Rule, RuleCode, Trigger
from rules_engine.core.subject import SubjectKind

from .conditions import Built, Conditions, Use
from .effects import Do, Effects
from .elsewhere import RULE_KEYS, VALUES, refuse_word
from .fit import Fit, Needs
from .guards import KEYS as GUARDS
from .guards import GuardReader, Renames
from .limits import PlacedLimit, read_limits
from .report import Report
from .scenario import Tested
from .yaml import ListNode, MapNode, Node, ScalarNode

E = TypeVar("E", bound=StrEnum)

KEYS = (
    *("title", "about", "stores", "while", "as_soon_as", "unless", "do"),
    *("mode", "because", "afterwards", "first_sight", *GUARDS, "formerly"),
)
"""The keys of a rule."""

_CODE = re.compile(r"\w[\w-]{0,99}")
_ABOUT = (SubjectKind.PRODUCT, SubjectKind.CATEGORY)


class Rules:
    """Reads rules. `left_out` grows with every rule that does not name its stores."""

    def __init__(self, report: Report, conditions: Conditions, effects: Effects, fit: Fit) -> None:
        self._report = report
        self._conditions = conditions
        self._effects = effects
        self._fit = fit
        self._guards = GuardReader(report, effects)
        self._renames = Renames(report)
        self._ceilings: tuple[PlacedLimit, ...] = ()
        self._left_out: dict[RuleCode, Mapping[StoreAlias, str]] = {}
        self._tested: dict[RuleCode, Tested] = {}
        self._uses: dict[RuleCode, tuple[FieldUse, ...]] = {}

    @property
    def left_out(self) -> Mapping[RuleCode, Mapping[StoreAlias, str]]:
        """For each rule without `stores:`, the stores that it does not run for, and why."""
        return dict(self._left_out)

    @property
    def uses(self) -> Mapping[RuleCode, tuple[FieldUse, ...]]:
        """The fields that each rule looks at, with their places."""
        return dict(self._uses)

    @property
    def tested(self) -> tuple[Tested, ...]:
        """What the tests of all rules need to know of them, also of those that are wrong."""
        return tuple(self._tested.values())

    def begin_file(self, limits: Node | None) -> None:
        """Begin with the rules of another file: `limits` are the ceilings that it sets for each of them."""
        self._ceilings = read_limits(self._report, limits)

    def check_renames(self, codes: Sequence[str]) -> None:
        """Check `formerly` of all rules that were read; `codes` are those of all rules."""
        self._renames.check(codes)

    def read(self, code: ScalarNode, node: Node, *, order: int) -> Rule | None:
        """The rule; None if something is wrong with it, which is reported."""
        rule = self._read(code, node, order)
        self._tested[RuleCode(code.text)] = Tested.from_rule(rule) if rule else self._guess(code, node)
        return rule

    def _guess(self, code: ScalarNode, node: Node) -> Tested:
        """What tests need to know of a rule that is wrong."""
        about = node.get("about") if isinstance(node, MapNode) else None
        is_category = isinstance(about, ScalarNode) and about.text == SubjectKind.CATEGORY
        kind = SubjectKind.CATEGORY if is_category else SubjectKind.PRODUCT
        is_moment = isinstance(node, MapNode) and node.get(Trigger.AS_SOON_AS) is not None
        return Tested(RuleCode(code.text), kind, self._fit.aliases, is_while=not is_moment)

    def _read(self, code: ScalarNode, node: Node, order: int) -> Rule | None:
        if not _CODE.fullmatch(code.text):
            said = f'"{code.text[:60]}" cannot be the code of a rule'
            slug = re.sub(r"[^\w-]+", "-", code.text[:60].strip()).strip("-_").casefold()
            example = f", such as `{slug}`" if slug else ""
            advice = f"use letters, digits, - and _{example}; put words into `title:`"
            self._report.error(code.place, "bad-code", said, advice)
            return None
        if not isinstance(node, MapNode):
            advice = "write `while:` or `as_soon_as:`, and `do:`"
            said = "a rule has keys of its own, in lines below its code that are indented further"
            self._report.error(node.place, "wrong-shape", said, advice)
            return None
        return self._rule(code, node, order)

    def _rule(self, code: ScalarNode, node: MapNode, order: int) -> Rule | None:
        meant = self._refuse_keys(node)
        about = self._about(node)
        trigger = self._trigger(code, node, meant)
        do = self._do(code, node, about or SubjectKind.PRODUCT, meant)
        conditions = [self._condition(node, key.text, about) for key, _ in node if key.text in set(Trigger)]
        condition = conditions[0] if conditions else None
        unless = self._condition(node, "unless", about)
        mode = self._mode(code, node)
        afterwards = self._afterwards(node, trigger)
        acts_at_first_sight = self._first_sight(node, trigger)
        placed = self._guards.read(node, trigger, do.effects if do else None, self._ceilings)
        formerly = self._formerly(code, node)
        aliases = self._stores(node)
        title, because = self._text(node, "title"), self._text(node, "because")
        is_unless_wrong = node.key("unless") is not None and unless is None
        if about is None or trigger is None or do is None or condition is None or is_unless_wrong or mode is None:
            return None
        if (aliases is None and node.key("stores") is not None) or "stores" in meant:
            return None
        uses = (*condition.uses, *(unless.uses if unless else ()))
        found = [FieldUse(use.path or use.field, use.place, use.via) for use in uses if use.field]
        self._uses[RuleCode(code.text)] = tuple(dict.fromkeys(found))
        puts_back = trigger is Trigger.WHILE and afterwards is Afterwards.PUT_BACK
        says = node.key("afterwards") is not None
        needs = Needs(
            code,
            about,
            trigger,
            do.effects,
            uses,
            puts_back=puts_back,
            says_afterwards=says,
            fallback=placed.fallback,
            floors=placed.guards.floors,
            limits=placed.limits,
        )
        return Rule(
            code=RuleCode(code.text),
            order=order,
            place=code.place,
            about=about,
            trigger=trigger,
            condition=condition.condition,
            effects=tuple(placed.effect for placed in do.effects),
            stores=self._fitting_stores(needs, aliases),
            title=title,
            unless=unless.condition if unless else None,
            mode=mode,
            because=because,
            afterwards=afterwards,
            acts_at_first_sight=acts_at_first_sight,
            guards=placed.guards,
            notifies=do.notifies,
            formerly=formerly,
        )

    def _fitting_stores(self, needs: Needs, aliases: tuple[StoreAlias, ...] | None) -> tuple[StoreAlias, ...]:
        if aliases is not None:
            found = self._fit.named(needs, aliases)
        else:
            found, left_out = self._fit.able(needs)
            if left_out:
                self._left_out[RuleCode(needs.code.text)] = left_out
        self._fit.warn_of_names(needs, found)
        self._fit.warn_of_shares(needs, found)
        return found

    def _about(self, node: MapNode) -> SubjectKind | None:
        value = node.get("about")
        if value is None:
            return SubjectKind.PRODUCT
        if isinstance(value, ScalarNode) and value.text == SubjectKind.BRAND:
            said = "no shop sends events about brands"
            advice = "write a product rule with a condition on `product.brand`"
            self._report.error(value.place, "about-brand", said, advice)
            return None
        return self._one_of(value, "about", _ABOUT)

    def _refuse_keys(self, node: MapNode) -> set[str]:
        """Report the keys that a rule has not; those that are probably meant by them are not missing then."""
        meant: set[str] = set()
        for key, _ in node:
            first = re.match(r"(\w+)\s*[{\[]", key.text)
            if key.text not in KEYS and first is not None and first[1] in KEYS:
                said, place = f"a `:` is missing after `{first[1]}`", replace(key.place, length=len(first[1]))
                self._report.error(
                    place, "unknown-key", said, f"write `{first[1]}: {key.text[first.end(1) :].strip()[0]}`"
                )
                meant.add(first[1])
            elif key.text not in KEYS:
                meant.add(refuse_word(self._report, key, "unknown-key", "a rule has no key", KEYS, RULE_KEYS))
        return meant

    def _trigger(self, code: ScalarNode, node: MapNode, meant: Container[str]) -> Trigger | None:
        """When the rule acts. `meant` are keys that are there under other names, which is reported."""
        keys = [key for key, _ in node if key.text in set(Trigger)]
        if len(keys) == 1:
            return Trigger(keys[0].text)
        if not keys and any(trigger in meant for trigger in Trigger):
            return None
        said = "a rule begins with either `while` or `as_soon_as`, not both" if keys else "the rule does not say when"
        advice = "write `while:` for a stretch of time, or `as_soon_as:` for a moment"
        place = keys[1].place if keys else code.place
        self._report.error(place, "two-triggers" if keys else "missing-key", said, advice)
        return None

    def _do(self, code: ScalarNode, node: MapNode, about: SubjectKind, meant: Container[str]) -> Do | None:
        value = node.get("do")
        if value is None and "do" in meant:
            return None
        if value is None:
            self._report.error(
                code.place, "missing-key", "the rule does nothing", "write `do:` and below it actions, such as `- hide`"
            )
            return None
        return self._effects.read(value, about)

    def _condition(self, node: MapNode, name: str, about: SubjectKind | None) -> Built | None:
        value = node.get(name)
        built = self._conditions.read(value, about) if value is not None else None
        if built is not None and about is not None:
            self._check_uses(built.uses, about, where=name)
        return built

    def _check_uses(self, uses: tuple[Use, ...], about: SubjectKind, where: str) -> None:
        """Changes belong to moments, and a rule sees the fields of what it is about."""
        for use in dict.fromkeys(uses):
            via = f' (in "{use.via}")' if use.via else ""
            if use.is_moment and where != Trigger.AS_SOON_AS:
                said = f"`{where}` cannot look at a change or an event{via}"
                advice = "write `as_soon_as:` instead of `while:`, or a condition without a change"
                if where != Trigger.WHILE:
                    advice = "write a condition without a change, such as `product.stock: 0`"
                self._report.error(use.place, "change-outside-moment", said, advice)
            root, _, name = use.field.partition(".")
            is_other = root in set(_ABOUT) and root != about
            if is_other or (root == "before" and name and name not in subject_fields(about)):
                said = f"a rule about a {about} cannot see {use.field}{via}"
                other = SubjectKind.CATEGORY if about is SubjectKind.PRODUCT else SubjectKind.PRODUCT
                advice = f"write `about: {other}`, or another field"
                if use.field in {"category.id", "category.name", "category.path"}:
                    advice = "the categories that a product is in are `product.categories: {contains: …}`"
                elif root != "before" and name in subject_fields(about):
                    advice = f"write `{about}.{name}`, or `about: {other}` for a rule about a {other}"
                self._report.error(use.place, "wrong-subject", said, advice)

    def _mode(self, code: ScalarNode, node: MapNode) -> Mode | None:
        value = node.get("mode")
        mode = Mode.LIVE if value is None else self._one_of(value, "mode", tuple(Mode))
        if mode is Mode.PAUSED and node.get("because") is None:
            place = (node.key("mode") or code).place
            self._report.error(place, "missing-key", "a paused rule says why", "write `because: …`")
            return None
        return mode

    def _afterwards(self, node: MapNode, trigger: Trigger | None) -> Afterwards:
        value = node.get("afterwards")
        if value is None:
            return Afterwards.LEAVE if trigger is Trigger.AS_SOON_AS else Afterwards.PUT_BACK
        found = self._one_of(value, "afterwards", tuple(Afterwards))
        if found is Afterwards.PUT_BACK and trigger is Trigger.AS_SOON_AS:
            said = "a moment takes nothing that it could put back"
            advice = "write the rule with `while:`, or leave `afterwards` out"
            self._report.error(value.place, "moment-puts-back", said, advice)
        return found or Afterwards.LEAVE

    def _first_sight(self, node: MapNode, trigger: Trigger | None) -> bool:
        value = node.get("first_sight")
        if value is None:
            return False
        if not isinstance(value, ScalarNode) or value.text != "act":
            said = "`first_sight` takes one word: act"
            advice = "write `first_sight: act`, or leave it out where the first sight is no moment"
            self._report.error(value.place, "unknown-value", said, advice)
        elif trigger is Trigger.WHILE:
            said = "a `while` rule acts at first sight anyway"
            self._report.error(value.place, "needless-key", said, "leave `first_sight` out")
        return True

    def _stores(self, node: MapNode) -> tuple[StoreAlias, ...] | None:
        """The stores that the rule names; None where it names none, or a wrong one, which is reported."""
        value = node.get("stores")
        if value is None:
            return None
        items = value.items if isinstance(value, ListNode) else (value,)
        if not items or (isinstance(value, ScalarNode) and value.is_null):
            said = "a store's name is missing here"
            self._report.error(value.place, "missing-value", said, "name a store, or leave `stores` out")
            return None
        found = [alias for item in items if (alias := self._alias(item))]
        return tuple(dict.fromkeys(found)) if len(found) == len(items) else None

    def _alias(self, node: Node) -> StoreAlias | None:
        if not isinstance(node, ScalarNode):
            self._report.error(node.place, "wrong-shape", "a store's name stands here", "write `stores: [web]`")
            return None
        if node.text in self._fit.aliases:
            return StoreAlias(node.text)
        said, advice = "stores.yaml has no store", ""
        several = re.split(r"\s*(?:,|;|&|\band\b)\s*", node.text.strip()[:300])
        if node.text.strip().casefold() in {"all", "any", "every", "*", "all stores"}:
            advice = "leave `stores` out: a rule runs for every store that can do it"
        elif len(several) > 1 and set(several) <= set(self._fit.aliases):
            advice = f"write `stores: [{', '.join(several)}]`"
        else:
            advice = self._fit.of_vendor(node.text)
        if advice:
            self._report.error(node.place, "unknown-store", f'{said} "{node.text[:60]}"', advice)
        else:
            self._report.unknown(node, "unknown-store", said, self._fit.aliases)
        return None

    def _formerly(self, code: ScalarNode, node: MapNode) -> tuple[RuleCode, ...]:
        value = node.get("formerly")
        if value is None:
            return ()
        items = value.items if isinstance(value, ListNode) else (value,)
        old = [item for item in items if isinstance(item, ScalarNode) and _CODE.fullmatch(item.text.strip())]
        if not items or len(old) < len(items):
            said = "`formerly` is the code that the rule had before, or a list of them"
            self._report.error(value.place, "wrong-shape", said, "write `formerly: old-code`")
        for item in old:
            self._renames.add(code.text, item.text.strip(), item.place)
        return tuple(dict.fromkeys(RuleCode(item.text.strip()) for item in old))

    def _text(self, node: MapNode, name: str) -> str:
        value = node.get(name)
        if value is None:
            return ""
        if isinstance(value, ScalarNode) and not value.is_null and value.text.strip():
            return value.text.strip()
        if isinstance(value, ScalarNode):
            said = "a text is missing here"
            self._report.error(value.place, "missing-value", said, f"write it behind `{name}:`, or leave `{name}` out")
            return ""
        self._report.error(value.place, "wrong-shape", f"`{name}` is a text", f"write `{name}: …`")
        return ""

    def _one_of(self, node: Node, name: str, known: tuple[E, ...]) -> E | None:
        if isinstance(node, ScalarNode):
            for word in known:
                if node.text == word:
                    return word
            refuse_word(self._report, node, "unknown-value", f"`{name}` cannot be", _texts(known), VALUES.get(name, {}))
            return None
        self._report.error(node.place, "wrong-shape", f"`{name}` takes one word", f"one of {', '.join(known)}")
        return None


def _texts(words: tuple[StrEnum, ...]) -> Iterator[str]:
    return (word.value for word in words)
