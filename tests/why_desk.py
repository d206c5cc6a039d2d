"""One store on a database in memory, whose shop is played by the test, and the answers to "why?" there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from engine_world import WEB, rulebook, stores

from rules_engine.core.action import Done, Verdict
from rules_engine.core.admission import held_back
from rules_engine.core.decide import decide
from rules_engine.core.delivery import Delivery, DeliveryId
from rules_engine.core.outcome import answered, attempted
from rules_engine.core.plan import ActionState, Case
from rules_engine.core.question import Question, QuestionId, QuestionKind, QuestionState
from rules_engine.core.rule import RulebookHash, RuleCode
from rules_engine.core.sighting import Context, Sighting
from rules_engine.core.store import Store
from rules_engine.core.subject import Snapshot, SubjectRef, category, complete, product
from rules_engine.database import ledger
from rules_engine.database.arrivals import Arrival, insert, row_of
from rules_engine.database.catalogue import category_episodes, load_directory
from rules_engine.database.history import rulebook_at
from rules_engine.database.lanes import clear_looks, schedule_looks
from rules_engine.database.questions import save_questions
from rules_engine.database.rulebooks import activate, store_rulebook
from rules_engine.database.traces import add_traces
from rules_engine.preview.why import InForce, Why, explain
from rules_engine.preview.why_facts import Asked
from rules_engine.preview.why_find import find
from rules_engine.preview.why_text import text_of_why
from rules_engine.vendors import VENDORS

START = datetime(2026, 11, 20, 14, tzinfo=UTC)
"""A Friday."""
BOOT = product("17")
CATEGORIES = {"1": "Featured", "2": "Sale", "3": "Brands", "4": "Acme"}


@dataclass
class Desk:
    """The shop shows a boot in Featured with five in stock; `sees` says what it shows from then on."""

    connection: sa.Connection
    rules: str
    at: datetime = START
    fields: dict[str, Any] = field(
        default_factory=lambda: {
            "id": "17",
            "sku": "B-1",
            "name": "Boot",
            "brand": "Acme",
            "brand_id": "Acme",
            "stock": 5,
            "published": True,
            "price": 80,
            "compare_at_price": None,
            "category_ids": ["1"],
            "attributes": {},
        }
    )

    def __post_init__(self) -> None:
        arrival = Arrival(
            Delivery(DeliveryId("d-1"), WEB, self.at, b"{}"),
            WEB,
            scope="web",
            duplicate_key="e-1",
            vendor_type="product.updated",
            subjects=(BOOT,),
        )
        insert(self.connection, rows=[row_of(arrival)])
        self.adopt(self.rules)
        for id_, name in CATEGORIES.items():
            self.sees_category(id_, name=name, parent_id="3" if id_ == "4" else None, published=True)

    @property
    def store(self) -> Store:
        """The web shop."""
        return next(store for store in stores() if store.alias == WEB)

    def adopt(self, rules: str) -> None:
        """Put rules in force."""
        self.rules = rules
        store_rulebook(self.connection, self.hash, rulebook(rules).texts, now=self.at)
        activate(self.connection, self.hash, now=self.at, reason="test")

    @property
    def hash(self) -> RulebookHash:
        """The identity of the rules in force."""
        return rulebook(self.rules).hash

    def later(self, **by: float) -> Desk:
        """Let time go by."""
        self.at += timedelta(**by)
        return self

    def sees(self, *, without: str = "", **changes: Any) -> Desk:
        """The shop shows the boot with these fields changed, and `without` one of them."""
        self.fields |= changes
        self.fields.pop(without, None)
        self._decide(Sighting(BOOT, self.at, Snapshot(BOOT, complete(self.fields)), caused_by=("d-1",)))
        return self

    def sees_category(self, id_: str, **fields: Any) -> Desk:
        """The shop shows a category like this."""
        snapshot = Snapshot(category(id_), {"id": id_, "names": [fields["name"]], **fields})
        self._decide(Sighting(category(id_), self.at, snapshot, caused_by=("d-2",)))
        return self

    def finds_gone(self) -> Desk:
        """The shop says that there is no boot."""
        self._decide(Sighting(BOOT, self.at, is_gone=True))
        return self

    def _decide(self, sighting: Sighting) -> None:
        vendor = VENDORS[self.store.settings.vendor]
        context = Context(
            WEB,
            vendor.NAME,
            rulebook(self.rules).for_store(WEB),
            load_directory(self.connection, self.store, vendor.CAPABILITIES),
            replace(vendor.CAPABILITIES, promotes_to=None),
            stretches=category_episodes(self.connection, WEB),
        )
        case = self.case(sighting.ref)
        decision = decide(case, sighting, context)
        self._save(case, decision.case)
        add_traces(self.connection, WEB, self.hash, decision.traces)
        clear_looks(self.connection, WEB, [sighting.ref], not_after=self.at)
        if decision.look_at is not None:
            reason = "time alone may change it"
            schedule_looks(self.connection, WEB, [sighting.ref], due_at=decision.look_at, reason=reason)

    def calls(self, verdict: Verdict | None = None, *, retry_in: timedelta = timedelta(minutes=9)) -> Desk:
        """Make every call that is due; what was done shows."""
        for key, action in self.case(BOOT).actions.items():
            if action.state not in {ActionState.PENDING, ActionState.WAITING}:
                continue
            before = self.case(BOOT)
            case = attempted(before, key, at=self.at)
            self._save(before, case)
            before = self.case(BOOT)
            case = answered(
                before,
                key,
                verdict or Done(),
                at=self.at,
                retry_in=retry_in,
                is_proven=False,
                counts=True,
                directory=load_directory(self.connection, self.store, VENDORS["ecwid"].CAPABILITIES),
            )
            self._save(before, case)
            if case.snapshot is not None:
                self.fields["category_ids"] = case.snapshot.fields["category_ids"]
        return self

    def holds_back(self, reason: str, question: QuestionId | None = None) -> Desk:
        """Keep what was decided from being sent."""
        before = self.case(BOOT)
        case = before
        for key in before.actions:
            case = held_back(case, key, reason, question=question)
        self._save(before, case)
        return self

    def asks(self, id_: QuestionId, rule: str, state: QuestionState = QuestionState.OPEN) -> Desk:
        """A question of a rule, open or answered."""
        asked = Question(id_, WEB, RuleCode(rule), QuestionKind.TAKE, "it wants to", "f", state, self.at)
        save_questions(self.connection, [asked])
        return self

    def case(self, ref: SubjectRef) -> Case:
        """What is remembered."""
        return ledger.load_cases(self.connection, WEB, [ref], now=self.at)[ref]

    def _save(self, before: Case, after: Case) -> None:
        ledger.save_case(self.connection, WEB, before, after, now=self.at)

    def why(self, what: str = "B-1", at: datetime | None = None, *, only: str | None = None, kept: int = 30) -> Why:
        """The answer."""
        (match,) = find(self.connection, what, [WEB]).matches
        one = RuleCode(only) if only else None
        asked = Asked(at or self.at, self.at, self.at - timedelta(days=kept), only=one)
        ruling = rulebook_at(self.connection, min(asked.at, asked.now))
        texts = ruling.texts if ruling else {"rules/rules.yaml": self.rules}
        return explain(
            self.connection,
            match,
            store=self.store,
            vendor=VENDORS["ecwid"](self.store.settings),
            in_force=InForce(rulebook(texts), ruling.since if ruling else None),
            asked=asked,
        )

    def tells(self, what: str = "B-1", at: datetime | None = None, *, only: str | None = None, kept: int = 30) -> str:
        """The answer as people read it, with `RULES` for the hash of the rules."""
        return "\n".join(text_of_why(self.why(what, at, only=only, kept=kept))).replace(self.hash[:12], "RULES")

    def says(self, only: str, *, at: datetime | None = None) -> tuple[str, ...]:
        """The sentences about one rule."""
        (rule,) = self.why(at=at, only=only).rules
        return (*rule.says, *(text for held in rule.held for text in held.says))
