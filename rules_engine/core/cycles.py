"""Rules that would take and give back for ever, because what they do changes what their own conditions see.

Conditions see what is held as people made it, and our own effects are never a change: so neither a rule that holds
something nor a moment turns itself or another rule round, through categories, visibility or brand. Two fields escape
this, because they are not slots and show what the shop says: `category.product_count` falls when a category is emptied
and rises when it is filled again, and `product.updated_at` moves with each of our calls in a shop that dates them. A
rule with one of these is played here by the engine's own deciding. It is told of only if it flips, and does not where
its own calls leave the field alone: then it is not the clock that turns it.

Not played: what `raw` shows, whose meaning only the shop knows, and rings of rules that say `afterwards: leave`, of
which several must end in each other's wake; `flap_limit` bounds both.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from .action import ActionKind, Done, SlotRef, SlotValue
from .conflicts import Shop, wishes_of
from .decide import decide
from .demands import Ask
from .directory import CategoryEntry, Directory
from .outcome import answered, attempted
from .plan import ActionState, Case, PlannedAction, Step
from .rule import EffectKind, Guards, Identified, Mode, Named, Rule, Under
from .sighting import Context, Sighting
from .store import Capabilities
from .subject import Snapshot, SubjectKind, SubjectRef, category, complete, product
from .terms import Test, fields_of
from .view import named, shown
from .witness import Scene, Witness, find_witness
from .words import Word

COUNT, UPDATED = "category.product_count", "product.updated_at"
"""The fields that our own calls change, and that conditions see as they are."""

_STILL_TO_DO = {
    EffectKind.EMPTY_CATEGORY: Test(COUNT, Word.AT_LEAST, 1),
    EffectKind.HIDE: Test("product.published", Word.IS, value=True),
    EffectKind.SHOW: Test("product.published", Word.IS, value=False),
    EffectKind.UNASSIGN_BRAND: Test("product.brand", Word.NOT_EMPTY),
}
"""What the subject shows while the rule has something to do."""

_ROUNDS = 20
_SOON = timedelta(minutes=1)
_CATEGORY_ID = "its id"


@dataclass(frozen=True, slots=True)
class Cycle:
    """A rule that flips for ever on the witness: the field that its calls change, and what it does, step by step."""

    rule: Rule
    field: str
    witness: Witness
    steps: tuple[str, ...]


def find_cycles(rules: Sequence[Rule], shops: Sequence[Shop], *, now: datetime) -> tuple[Cycle, ...]:
    """The rules that would flip for ever, each with a witness; `now` is aware, in UTC."""
    known = {shop.alias: shop for shop in shops}
    return tuple(cycle for rule in rules if (cycle := _cycle(rule, known, now)) is not None)


def _cycle(rule: Rule, known: dict[Any, Shop], now: datetime) -> Cycle | None:
    fields = fields_of(rule.condition) | (fields_of(rule.unless) if rule.unless is not None else frozenset())
    is_category = rule.about is SubjectKind.CATEGORY
    turned = COUNT if is_category else UPDATED
    if turned not in fields or not rule.is_while or rule.mode is Mode.PAUSED or not rule.effects:
        return None
    stores = tuple((shop.alias, shop.vendor) for alias in rule.stores if (shop := known.get(alias)))
    more = [Ask(_STILL_TO_DO[effect.kind]) for effect in rule.effects[:1] if effect.kind in _STILL_TO_DO]
    witness = find_witness([rule], Scene(rule.about, stores, now), more=more).witness if stores else None
    if witness is None:
        return None
    steps = _Play(rule, witness).steps()
    if not steps or _Play(rule, witness, is_telling=False).steps():
        return None
    return Cycle(rule, turned, witness, steps)


@dataclass(slots=True)
class _Play:
    """One rule and one product in a shop that does what it is asked. `is_telling`: calls show in the field."""

    rule: Rule
    witness: Witness
    is_telling: bool = True
    at: datetime = field(init=False)
    fields: dict[str, Any] = field(init=False)
    cases: dict[SubjectRef, Case] = field(default_factory=dict)
    directory: Directory = field(init=False)

    def __post_init__(self) -> None:
        document = self.witness.document
        self.at = document.now
        self.directory = _directory(self.rule)
        self.fields = dict(document.fields)
        if self.rule.about is SubjectKind.CATEGORY:
            self.fields = {"id": "1", "category_ids": [str(document.fields.get("id", _CATEGORY_ID))]}
        else:
            # What the rule would do must not be so already.
            gone = [entry.id for entry in self.directory.categories.values()]
            wants_in = any(wish.effect.kind is EffectKind.ADD_TO_CATEGORY for wish in wishes_of(self.rule))
            kept = [id_ for id_ in self.fields.get("category_ids", ()) if id_ not in gone]
            self.fields["category_ids"] = kept if wants_in else [*kept, *gone]
        self.fields = named(self.fields, self.directory)

    def steps(self) -> tuple[str, ...]:
        """What happens until all is as it was once before, with something done in between; nothing if it never is."""
        said: list[str] = []
        seen: dict[object, int] = {}
        for _ in range(_ROUNDS):
            look_at = self._look()
            done = list(self._work())
            said += done
            state = self._state()
            if len(said) > seen.setdefault(state, len(said)):
                return tuple(said[: seen[state] + 2])
            if not done and (look_at is None or look_at <= self.at):
                return ()
            self.at = self.at + _SOON if done or look_at is None else look_at
        return ()

    def _look(self) -> datetime | None:
        """Show the subject to the rule; gives when it is to be looked at again."""
        looks: list[datetime | None] = []
        stretches = {}
        if self.rule.about is SubjectKind.CATEGORY:
            ref = category(str(self.witness.document.fields.get("id", _CATEGORY_ID)))
            count = self.witness.document.fields.get("product_count")
            is_in = ref.id in self.fields["category_ids"] or not self.is_telling
            looks.append(self._decide(ref, {**self.witness.document.fields, "product_count": count if is_in else 0}))
            stretches = dict(self.cases[ref].episodes)
        looks.append(self._decide(product(str(self.fields["id"])), complete(self.fields), stretches))
        return min((look for look in looks if look is not None), default=None)

    def _decide(self, ref: SubjectRef, fields: dict[str, Any], stretches: Any = None) -> datetime | None:
        document = self.witness.document
        context = Context(
            document.store,
            document.vendor,
            (replace(self.rule, mode=Mode.LIVE, guards=Guards(must_last=self.rule.guards.must_last)),),
            self.directory,
            _ABLE,
            stretches=stretches or {},
        )
        made = decide(self.cases.get(ref, Case(ref)), Sighting(ref, self.at, Snapshot(ref, fields)), context)
        self.cases[ref] = made.case
        return made.look_at

    def _work(self) -> Iterator[str]:
        """Do what is decided, and remember it as the ledger does."""
        ref = product(str(self.fields["id"]))
        case = self.cases[ref]
        for key, action in list(case.actions.items()):
            if action.state is not ActionState.PENDING:
                continue
            case = attempted(case, key, at=self.at)
            case = answered(
                case,
                key,
                Done(is_shown=True),
                at=self.at,
                retry_in=_SOON,
                is_proven=True,
                counts=True,
                directory=self.directory,
            )
            yield self._said(action)
            if self.is_telling:
                self.fields["updated_at"] = self.at.isoformat()
        open_ = {key: action for key, action in case.actions.items() if action.state.is_open}
        slots = {slot: replace(each, holds=each.open_holds) for slot, each in case.slots.items() if each.open_holds}
        self.cases[ref] = replace(case, actions=open_, slots=slots)
        if case.snapshot is not None:
            told = {"updated_at": self.fields["updated_at"]} if "updated_at" in self.fields else {}
            self.fields = {**case.snapshot.fields, **told}

    def _state(self) -> object:
        """What is to be the same again: every slot that was ever touched, and how the rule stands."""
        touched = [shown(self.fields, ref) for ref in sorted(self._slots())]
        stands = [(key[0], each.truth) for case in self.cases.values() for key, each in case.episodes.items()]
        return repr((touched, stands))

    def _slots(self) -> set[SlotRef]:
        return {ref for case in self.cases.values() for ref in case.slots}

    def _said(self, action: PlannedAction) -> str:
        if self.rule.about is SubjectKind.CATEGORY:
            return "it is filled again" if action.step is Step.GIVE_BACK else "its products leave it"
        what = _deed(action.kind, action.target, action.wish, self.directory)
        return f"{what} again" if action.step is Step.GIVE_BACK else f"the product {what}"


def _directory(rule: Rule) -> Directory:
    """Every category and brand that the rule names, as if the shop had it."""
    entries: dict[str, CategoryEntry] = {}
    for wish in wishes_of(rule):
        target = wish.target.target if isinstance(wish.target, Under) else wish.target
        if isinstance(target, Named):
            entries[target.name] = CategoryEntry(target.name, (target.name,))
        elif isinstance(target, Identified):
            entries[target.id] = CategoryEntry(target.id, (target.id,))
    below = {f"below {id_}": CategoryEntry(f"below {id_}", (f"a category below {id_}",), id_) for id_ in entries}
    return Directory({**entries, **below}, brands_are_names=True)


def _deed(kind: ActionKind, target: str, wish: SlotValue, directory: Directory) -> str:
    names = directory.category_names(target)
    name = names[0] if names else target
    match kind:
        case ActionKind.ADD_TO_CATEGORY:
            return f"joins {name}"
        case ActionKind.REMOVE_FROM_CATEGORY:
            return f"leaves {name}"
        case ActionKind.ASSIGN_BRAND:
            return f"has the brand {wish}"
        case ActionKind.UNASSIGN_BRAND:
            return "loses its brand"
        case ActionKind.SHOW:
            return "is shown"
        case ActionKind.HIDE:
            return "is hidden"


_ABLE = Capabilities(frozenset(ActionKind), rate=1, burst=1, batch=1, can_empty_category=True)
