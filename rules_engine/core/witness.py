"""The search for a witness: a product or category for which several rules come to act at once; or why there is none."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice, product
from typing import Any

from .condition import Document, judge
from .delivery import StoreAlias
from .demands import FIRST_SEEN, SEEN, Alternative, Ask, Demand, Group, SeenBefore, Side, alternatives, group_of
from .imagined import Imagined, groups_seen, hints_of
from .judge import judge_rules, whole_condition
from .rule import Mode, Rule
from .subject import SubjectKind, SubjectRef
from .terms import happens_in
from .words import Truth

MOST_WORK = 20_000
"""Single looks that one search may take, before it gives up."""
_FEW_VALUES = frozenset({"store", "now", "product_count"})
"""What holds so few values that one demand alone may fit none of them."""
_MOST_NAMED = 32
"""Of the demands that contradict each other."""
_MOST_PER_GROUP = 6
_MOST_PER_HINTED = 40
_MOST_DOCUMENTS = 400
"""Of one alternative: documents that are put together and judged whole."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a witness is looked for. `stores` are pairs of an alias and a vendor; `now` is aware, in UTC."""

    kind: SubjectKind
    stores: tuple[tuple[StoreAlias, str], ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Witness:
    """A subject that was found, as conditions see it, and the demands that it was made for.

    `before_at` is when it was seen before, where `document.before` says how it was then.
    """

    document: Document
    before_at: datetime
    demands: tuple[Demand, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to: a witness; or with `is_never` the proof that there is none, by demands that contradict.

    Neither means that it gave up: there may be one. `work` is how many looks it took.
    """

    witness: Witness | None = None
    is_never: bool = False
    contradiction: tuple[Demand, ...] = ()
    work: int = 0


def find_witness(rules: Sequence[Rule], scene: Scene, *, more: Iterable[Ask] = (), most_work: int = MOST_WORK) -> Found:
    """A subject for which all these rules come to act at one look, and which is as `more` asks.

    It gives up after `most_work` single looks. A witness counts only if the engine's own judgement says so of every
    rule.
    """
    search = _Search(rules, scene, most_work)
    return search.search([*(ask for rule in rules for ask in whole_asks(rule)), *more])


def prove_never(asks: Iterable[Ask], scene: Scene) -> Found:
    """Whether nothing can be as asked; what is not proven is left open."""
    return _Search((), scene, MOST_WORK, wants_witness=False).search(list(asks))


def whole_asks(rule: Rule) -> list[Ask]:
    """That the rule's condition is met, and its `unless` is not."""
    return [Ask(rule.condition), *([Ask(rule.unless, is_met=False)] if rule.unless is not None else [])]


def comes_to_act(rule: Rule, witness: Witness) -> bool:
    """Whether the rule acts on the witness at this look, by the judgement that the engine itself uses."""
    document = witness.document
    if rule.is_while:
        return whole_condition(rule, document).truth is Truth.MET
    ref = SubjectRef(document.kind, str(document.fields.get("id")))
    (judged,) = judge_rules(
        [replace(rule, mode=Mode.LIVE)],
        document,
        before_at=witness.before_at,
        ref=ref,
        episodes={},
        at=document.now,
    )
    return judged.is_moment


@dataclass(slots=True)
class _Branch:
    """One way in which all can be so, as far as it is followed: what is still to be said, and what is demanded."""

    open: list[tuple[Alternative, ...]]
    demands: dict[Group, tuple[Demand, ...]] = field(default_factory=dict)
    opaque: tuple[Demand, ...] = ()


def _is_looked_at(size: int) -> bool:
    """Whether so many demands of one group are tried at once, or only when there are more, or all."""
    return size <= 8 or size & (size - 1) == 0


class _Search:
    """Follows the alternatives of all asks, leaves those that contradict themselves, and tries values in the others."""

    def __init__(self, rules: Sequence[Rule], scene: Scene, most_work: int, *, wants_witness: bool = True) -> None:
        self._rules = rules
        self._scene = scene
        self._imagined = Imagined(scene.kind, scene.stores, scene.now, is_alive=wants_witness)
        self._wants_witness = wants_witness
        self._most = self._left = most_work
        self._fitting: dict[Hashable, tuple[tuple[Mapping[str, Any], ...], bool]] = {}
        self._contradiction: tuple[Demand, ...] = ()

    def search(self, asks: list[Ask]) -> Found:
        return replace(self._search(asks), work=self._most - self._left)

    def _search(self, asks: list[Ask]) -> Found:
        is_never = True
        for branch in self._branches(asks):
            if not self._wants_witness:
                return Found()
            is_never = False
            witness = self._try(branch)
            if witness is not None:
                return Found(witness)
            if self._left <= 0:
                break
        if is_never and self._left > 0:
            return Found(is_never=True, contradiction=self._contradiction)
        return Found()

    # ------------------------------------------------------------------------------------ alternatives

    def _branches(self, asks: list[Ask]) -> Iterator[_Branch]:
        """The ways in which all asks can be met that are not proven to contradict themselves."""
        stack = [_Branch([*(((ask,),) for ask in asks), *self._turns()])]
        while stack and self._left > 0:
            branch = stack.pop()
            if not self._unfold(branch):
                continue
            if not branch.open:
                if all(_is_looked_at(len(each)) or self._can_be(group, each) for group, each in branch.demands.items()):
                    yield branch
                continue
            # The choice with the fewest ways first; the first way of it is tried first.
            branch.open.sort(key=len)
            choice, rest = branch.open[0], branch.open[1:]
            stack += [_Branch([(way,), *rest], dict(branch.demands), branch.opaque) for way in reversed(choice)]

    def _turns(self) -> list[tuple[Alternative, ...]]:
        """For each moment that it turned: its condition was unmet before, or it is one of the first sight."""
        turns: list[tuple[Alternative, ...]] = []
        for rule in self._rules:
            if rule.is_while:
                continue
            was = [(SEEN, replace(ask, is_met=not ask.is_met, side=Side.BEFORE)) for ask in whole_asks(rule)]
            may_be_first = rule.acts_at_first_sight or happens_in(rule.condition)
            turns.append((*was, *([(FIRST_SEEN,)] if may_be_first else [])))
        return turns

    def _unfold(self, branch: _Branch) -> bool:
        """Follow what has only one way; False where it contradicts itself."""
        at = 0
        while at < len(branch.open):
            self._left -= 1
            ways = branch.open[at]
            if len(ways) == 1:
                del branch.open[at]
                for part in ways[0]:
                    if isinstance(part, Ask):
                        branch.open.append(alternatives(part, self._scene.kind))
                    elif not self._demand(branch, part):
                        return False
                at = 0
            elif not ways:
                return False
            else:
                at += 1
            if self._left <= 0:
                return True
        return True

    def _demand(self, branch: _Branch, demand: Demand) -> bool:
        """Add a demand; False where it is proven that nothing fits it and the others of its group."""
        group = group_of(demand, self._scene.kind)
        if group is None:
            branch.opaque += () if demand in branch.opaque else (demand,)
            return True
        earlier = branch.demands.get(group, ())
        if demand in earlier:
            return True
        branch.demands[group] = (*earlier, demand)
        if not earlier and group[-1] not in _FEW_VALUES:
            return True  # something fits nearly every single demand: that is seen when values are put together
        return not _is_looked_at(len(branch.demands[group])) or self._can_be(group, branch.demands[group])

    def _can_be(self, group: Group, demands: tuple[Demand, ...]) -> bool:
        """False where it is proven that nothing fits all these demands of one group."""
        values, is_complete = self._fits(group, demands)
        if values or not is_complete:
            return True
        self._contradiction = self._contradiction or self._fewest(group, demands)
        return False

    def _fewest(self, group: Group, demands: tuple[Demand, ...]) -> tuple[Demand, ...]:
        """The demands that contradict each other, without those that do not matter; nothing where they are many."""
        if len(demands) > _MOST_NAMED:
            return ()
        fewest = list(demands)
        for demand in demands:
            fewer = [each for each in fewest if each is not demand]
            if self._fits(group, tuple(fewer)) == ((), True):
                fewest = fewer
        return tuple(fewest)

    # ------------------------------------------------------------------------------------ values

    def _fits(
        self, group: Group, demands: tuple[Demand, ...], hints: tuple[object, ...] = (), most: int = 1
    ) -> tuple[tuple[Mapping[str, Any], ...], bool]:
        """The first values that meet all demands of one group, and whether, if there are none, there can be none."""
        key = (group, demands, tuple(map(repr, hints)), most)
        if key not in self._fitting:
            choice = self._imagined.values(group, demands, hints)
            fitting = (value for value in choice.values if self._meets(value, demands))
            self._fitting[key] = tuple(islice(fitting, most)), choice.is_complete and self._left > 0
        return self._fitting[key]

    def _meets(self, value: Mapping[str, Any], demands: Iterable[Demand]) -> bool:
        document = self._imagined.part(value)
        for demand in demands:
            self._left -= 1
            if isinstance(demand.leaf, SeenBefore):
                if value["is_known"] is not demand.is_met:
                    return False
            elif judge(demand.leaf, document).truth is not (Truth.MET if demand.is_met else Truth.UNMET):
                return False
        return self._left > 0

    def _try(self, branch: _Branch) -> Witness | None:
        """A witness of this way, put together from values that meet its demands one by one, and judged whole."""
        hints = hints_of(branch.opaque)
        hinted = [group for demand in branch.opaque for group in groups_seen(demand, self._scene.kind)]
        groups = list(dict.fromkeys([*branch.demands, *hinted]))
        fitting = []
        for group in groups:
            is_hinted = group in hinted
            most = _MOST_PER_HINTED if is_hinted else _MOST_PER_GROUP
            values, _ = self._fits(group, branch.demands.get(group, ()), hints if is_hinted else (), most)
            if not values:
                return None
            fitting.append(values)
        demands = (*branch.opaque, *(demand for each in branch.demands.values() for demand in each))
        for values in islice(product(*fitting), _MOST_DOCUMENTS):
            self._left -= 5
            if self._left <= 0:
                return None
            document, before_at = self._imagined.whole(dict(zip(groups, values, strict=True)))
            witness = Witness(document, before_at, demands)
            if self._is_sound(witness):
                return witness
        return None

    def _is_sound(self, witness: Witness) -> bool:
        """Whether the whole document is as demanded, and each rule acts on it. What was before, the latter tells."""
        for demand in witness.demands:
            if demand.side is Side.BEFORE or isinstance(demand.leaf, SeenBefore):
                continue
            if judge(demand.leaf, witness.document).truth is not (Truth.MET if demand.is_met else Truth.UNMET):
                return False
        return all(comes_to_act(rule, witness) for rule in self._rules)
