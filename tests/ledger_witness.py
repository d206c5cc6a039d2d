"""Who watches the shop: each change that the engine makes is judged as the shop sees it, by what people did before.

What a rule may do to a slot is told from the shop's own log: which changes the engine made, which people made, and
what the engine had looked at. The engine's tables are not asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lane_law import FIRST, LAST, SECOND, TOP
from ledger_rules import FLOOR, HALF, RARE, SLOTS, STRETCHES, RuleFile

from rules_engine.sandbox import Call

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOST: Mapping[str, tuple[timedelta, int]] = {"hour": (HOUR, 3), "day": (DAY, 4), "asks": (HOUR, 2)}
"""How many products the first rule may take within how long without asking, by its guard."""
LASTS = timedelta(minutes=15)
EVER = datetime.min.replace(tzinfo=UTC)

Right = tuple[str, str, str]
"""A rule, a product and a category: the rule may take the slot once in each of its stretches."""


@dataclass
class Witness:
    """What is known of a shop, its people and its rules, and what the engine did there that it might not do (`found`).

    `people` are the categories of each product as people made them, `stock` what there is of it. `stopped` are the
    rules that are paused by command, an empty name for all.

    `took` are the slots that a rule took in its present stretch, or joined another in. `barred` are those of them that
    it has to leave alone, because a person undid it or said no. `doubtful` are those of both whose stretch may have
    ended unseen: nobody but the engine can tell whether it runs on. `may_be` is whether the engine may think that the
    second category is published. `since` says when the first rule's condition began to hold at the earliest.

    `taken` and `returned` say when which product was taken, or given back, by the first rule, without anybody having
    `agreed`; `beyond` says when that was last done which counted without being limited. `lately` are those taken in
    the last run of the engine, with when their stretch began. `asked` are the questions of that rule that were open
    before it, by id, and when it asked them. `moments` are the products that may have a moment to come. `looked_at` is
    what the engine saw in this run; it `is_clean` if no call failed. There were `most` products at a time.
    """

    file: RuleFile
    clock: Callable[[], datetime]
    memberships: Callable[[], Mapping[str, Iterable[str]]]
    people: dict[str, set[str]] = field(default_factory=dict)
    stock: dict[str, int] = field(default_factory=dict)
    is_published: bool = True
    stopped: set[str] = field(default_factory=set)
    was: dict[str, set[str]] = field(default_factory=dict)
    took: set[Right] = field(default_factory=set)
    barred: set[Right] = field(default_factory=set)
    doubtful: set[Right] = field(default_factory=set)
    may_be: set[bool] = field(default_factory=lambda: {True})
    since: dict[str, datetime] = field(default_factory=dict)
    taken: list[tuple[datetime, str]] = field(default_factory=list)
    returned: list[tuple[datetime, str]] = field(default_factory=list)
    lately: dict[str, datetime] = field(default_factory=dict)
    asked: dict[str, datetime] = field(default_factory=dict)
    agreed: set[tuple[str, bool]] = field(default_factory=set)
    beyond: dict[tuple[str, bool], datetime] = field(default_factory=dict)
    moments: set[str] = field(default_factory=set)
    looked_at: set[str] = field(default_factory=set)
    is_clean: bool = True
    most: int = 0
    found: list[str] = field(default_factory=list)

    # ------------------------------------------------------------------------------------ what rules want

    def wishes(self, name: str, id_: str, *, is_published: bool | None = None) -> Mapping[str, bool]:
        """What a rule wants of a product now, by category."""
        is_shown = self.is_published if is_published is None else is_published
        return self.file.wishes(name, self.stock[id_], is_published=is_shown) if id_ in self.stock else {}

    def may_act(self, name: str) -> bool:
        """Whether a rule is in force: not removed, paused or stopped."""
        return name in self.file.names and name not in self.file.paused and not self.stopped & {"", name}

    def _may_want(self, name: str, id_: str, target: str, *, value: bool) -> bool:
        """Whether a rule that may act wants this, for all that the engine may know."""
        shown = self.may_be if name == "emptied" else {self.is_published}
        return self.may_act(name) and any(
            self.wishes(name, id_, is_published=is_published).get(target) is value for is_published in shown
        )

    def is_wrong(self, id_: str, target: str) -> bool:
        """Whether a slot is otherwise than it has to be once all is done."""
        is_in = target in self.was[id_]
        if is_in in self.outcomes(id_, target):
            return False
        is_floored = self.file.guard == "floor" and target == FIRST and is_in
        return not is_floored or sum(FIRST in inside for inside in self.was.values()) > FLOOR

    def outcomes(self, id_: str, target: str) -> set[bool]:
        """How the slot may be once all is done: the baseline, or the wish of the first rule that has its right."""
        found: set[bool] = set()
        for name in STRETCHES:
            wish, right = self.wishes(name, id_).get(target), (name, id_, target)
            if wish is None or (right in self.barred and right not in self.doubtful):
                continue
            found.add(wish)
            if right not in self.barred:
                return found
        return found | {target in self.people[id_]}

    # ------------------------------------------------------------------------------------ what happens

    def begins(self, id_: str) -> None:
        """A product is there that was not."""
        self.was[id_] = set(self.people[id_])
        self.turns()

    def ends(self, id_: str) -> None:
        """A product is there no more."""
        self.was.pop(id_, None)
        self.since.pop(id_, None)
        for rights in (self.took, self.barred, self.doubtful):
            rights -= {right for right in rights if right[1] == id_}

    def sold(self, id_: str) -> None:
        """The stock of a product is another now."""
        if self.stock[id_] == RARE:
            self.moments.add(id_)
        self.turns()

    def turns(self) -> None:
        """Something is otherwise that conditions see: where one does not hold, its stretch may have ended."""
        self.may_be.add(self.is_published)
        self.most = max(self.most, len(self.stock))
        for right in self.took | self.barred:
            if self.wishes(right[0], right[1]).get(right[2]) is None:
                self.doubtful.add(right)
        for id_ in self.stock:
            if self.wishes("gone", id_):
                self.since.setdefault(id_, self.clock())

    def edited(self, id_: str, target: str, *, value: bool, is_ours: bool) -> None:
        """A person changed a membership: rules that took it otherwise leave it so until their conditions end.

        `is_ours` says that it had been the engine's doing.
        """
        self.was[id_] ^= {target}
        is_contested = any(self.wishes(name, id_).get(target) is value for name in STRETCHES)
        for name in STRETCHES:
            right = (name, id_, target)
            is_against = self.wishes(name, id_).get(target) is (not value) or right in self.doubtful & self.took
            is_insisting = name == "much" and self.file.insists
            if not is_against or (is_insisting and self.may_act(name)):
                continue
            if right in self.took and not is_insisting:
                self.barred.add(right)
            elif is_ours or is_contested:  # the engine may have let it join another, or hold on against another
                self.bar([id_], [name])

    def bar(self, ids: Iterable[str], names: Iterable[str] = STRETCHES) -> None:
        """Rules may have to leave these products alone now, until their conditions end."""
        rights = {(name, id_, target) for name in names for id_ in ids for target in SLOTS}
        self.doubtful |= rights - (self.barred - self.doubtful)
        self.barred |= rights

    def refused(self, id_: str, target: str, name: str) -> None:
        """A person does not want that the rule takes it."""
        right = (name, id_, target)
        self.barred.add(right)
        if self.wishes(name, id_).get(target) is None:
            self.doubtful.add(right)

    def frees(self, id_: str) -> None:
        """A person lets rules take again what they left alone."""
        self.doubtful |= {right for right in self.barred if right[1] == id_}

    def adopts(self, file: RuleFile) -> None:
        """The rules are edited."""
        if file.guard != self.file.guard:
            self.beyond |= {(id_, True): at for at, id_ in self.taken} | {(id_, False): at for at, id_ in self.returned}
            self.taken.clear()
            self.returned.clear()
            self.since = dict.fromkeys(self.since, EVER)  # what was decided before goes on
        if file.insists != self.file.insists:
            self.bar(self.stock, ["much"])
            self.doubtful |= {right for right in self.barred if right[0] == "much"}
        self.file = file
        self.turns()

    # ------------------------------------------------------------------------------------ what the shop sees

    def hears(self, call: Call) -> None:
        """The engine called: what it saw, and what it did."""
        if call.is_write:
            self._judge()
        if call.status != 200:
            self.is_clean = False
        elif not call.is_write:
            self._saw(call)

    def _saw(self, call: Call) -> None:
        place = call.path.rpartition("/1003/")[2].split("/")
        if place[0] == "products":
            named = [each for each in call.query.get("productId", "").split(",") if each]
            all_ = () if "updatedFrom" in call.query else self.stock
            self.looked_at |= set(place[1:] or named or all_)
        elif place == ["categories"] and "offset" in call.query:
            self.looked_at.add(SECOND)  # of one category alone only the members may be looked at

    def is_asked(self, asked: dict[str, datetime]) -> None:
        """These questions of the first rule are open after a run of the engine: meanwhile it started nothing new."""
        for id_, asked_at in asked.items():
            new = [product for product, since in self.lately.items() if id_ in self.asked and since > asked_at]
            if new:
                self.found.append(f"at {self.clock()} {new} were taken before the question {id_} was answered")
        self.asked = asked

    def rests(self, *, is_alive: bool) -> set[str]:
        """The engine has worked. If nothing went wrong meanwhile, it has decided about these, which it looked at."""
        seen: set[str] = set()
        if self.is_clean and is_alive:
            if SECOND in self.looked_at:
                self.may_be = {self.is_published}
            seen = self.looked_at & set(self.stock)
            for id_ in seen:
                for name in STRETCHES:
                    if self.may_act(name):
                        self._settle(name, id_)
        self.looked_at.clear()
        self.lately.clear()
        self.is_clean = True
        return seen

    def _settle(self, name: str, id_: str) -> None:
        """The engine knows of a product what a rule may want of it: its stretch ended, or goes on with what is so."""
        if name == "emptied" and len(self.may_be) > 1:
            return
        wishes = self.wishes(name, id_)
        if name == "gone" and not wishes:
            self.since.pop(id_, None)
        for target in SLOTS:
            right = (name, id_, target)
            if target not in wishes:
                for rights in (self.took, self.barred, self.doubtful):
                    rights.discard(right)
            elif wishes[target] is (target in self.was[id_]):
                self._hold_on(right, is_ours=wishes[target] is not (target in self.people[id_]))

    def _hold_on(self, right: Right, *, is_ours: bool) -> None:
        """A slot is as a rule wants it: it joined another that took it, or may hold on to it against a third."""
        name, id_, target = right
        wish = self.wishes(name, id_)[target]
        is_contested = any(self.wishes(other, id_).get(target) is (not wish) for other in STRETCHES)
        if not is_ours and is_contested and right not in self.took:
            self.doubtful.add(right)
        if is_ours or is_contested:
            self.took.add(right)

    # ------------------------------------------------------------------------------------ what has to be true

    def _judge(self) -> None:
        """What a call did is wanted, and undoes no edit of a person."""
        now: dict[str, set[str]] = {id_: set() for id_ in self.stock}
        for category, members in self.memberships().items():
            for id_ in members:
                if id_ in now:
                    now[id_].add(category)
        for id_, inside in now.items():
            for target in (inside ^ self.was[id_]) - {TOP}:
                self._judge_effect(id_, target, now, value=target in inside)
            self.was[id_] = inside

    def _judge_effect(self, id_: str, target: str, now: Mapping[str, set[str]], *, value: bool) -> None:
        if "" in self.stopped:
            self._finds(id_, target, "changed while everything was stopped")
        if target == LAST:
            self._judge_moment(id_, value=value)
            return
        takers = [name for name in STRETCHES if self._may_want(name, id_, target, value=value)]
        barred = self.barred - self.doubtful
        if any((name, id_, target) not in barred for name in takers):
            self.took |= {(name, id_, target) for name in takers}
            if target == FIRST:
                self._judge_take(id_, now)
        elif value is not (target in self.people[id_]):
            what = "a person's edit was fought" if takers else "nobody wants it so"
            self._finds(id_, target, f"{what}: {'put in' if value else 'taken out'}")
        elif target == FIRST and not self._is_agreed(id_, is_take=False):
            self.returned.append((self.clock(), id_))

    def _judge_take(self, id_: str, now: Mapping[str, set[str]]) -> None:
        """The first rule took a product: within its guard."""
        match self.file.guard:
            case "floor":
                left = sum(FIRST in inside for inside in now.values())
                if left < FLOOR:
                    self._finds(id_, FIRST, f"only {left} products are left")
            case "lasts" if self.clock() < self.since[id_] + LASTS:
                self._finds(id_, FIRST, f"taken too soon: it began at {self.since[id_]}")
        if not self._is_agreed(id_, is_take=True):
            self.taken.append((self.clock(), id_))
            self.lately[id_] = self.since[id_]

    def _judge_moment(self, id_: str, *, value: bool) -> None:
        """A moment acts once, and gives nothing back: what it made is how it is from then on."""
        if not value or id_ not in self.moments or not self.may_act("once"):
            self._finds(id_, LAST, "no moment came" if value else "a moment was given back")
        self.moments.discard(id_)
        self.people[id_].add(LAST)

    def _is_agreed(self, id_: str, *, is_take: bool) -> bool:
        """Whether a person said yes to it: once. What counts already needs no more room within the day."""
        key = (id_, is_take)
        span, _ = MOST.get(self.file.guard, (HOUR, 0))
        is_it = key in self.agreed or (key in self.beyond and self.clock() - self.beyond[key] < span)
        self.agreed.discard(key)
        if is_it:
            self.beyond[key] = self.clock()
        return is_it

    def _finds(self, id_: str, target: str, what: str) -> None:
        self.found.append(f"at {self.clock()} product {id_}, category {target}: {what}")

    def check(self) -> None:
        """Nothing was done that might not be done, and no limit was exceeded."""
        assert not self.found, self.found
        span, most = MOST.get(self.file.guard, (HOUR, 99))
        if self.file.guard == "percent":
            most = self.most * HALF // 100
        _assert_within(self.taken, span, most)
        # Giving back is counted apart, by the same limits.
        if self.file.guard != "asks":
            _assert_within(self.returned, span, most)


def _assert_within(times: list[tuple[datetime, str]], span: timedelta, most: int) -> None:
    for at, _ in times:
        within = {id_ for when, id_ in times if at <= when < at + span}
        assert len(within) <= most, f"{sorted(within)} within {span} of {at}"
