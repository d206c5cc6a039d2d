"""Which actions of a product may be sent, as far as some of them are held back."""

from __future__ import annotations

from datetime import UTC, datetime

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.plan import ActionState, Case, PlannedAction, Step
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, Snapshot, product
from rules_engine.lane.due import next_to_send, open_since

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOE = product("17")
MOVES, LEAVES = RuleCode("moves"), RuleCode("leaves")


def action(rule: RuleCode, kind: ActionKind, category: str, state: ActionState) -> PlannedAction:
    return PlannedAction(
        key=ActionKey(f"{kind} {category}"),
        kind=kind,
        slot=SlotRef(ProductId("17"), Aspect.MEMBERSHIP, category),
        target=category,
        wish=kind is ActionKind.ADD_TO_CATEGORY,
        step=Step.TAKE,
        rules=(rule,),
        about=SHOE,
        state=state,
        created_at=NOW,
    )


def case(*actions: PlannedAction, categories: tuple[str, ...] = ("a", "b", "c")) -> Case:
    snapshot = Snapshot(SHOE, {"category_ids": list(categories)})
    return Case(SHOE, snapshot=snapshot, actions={each.key: each for each in actions})


def sent(of: Case) -> list[str]:
    return [each.key for each in next_to_send(of, now=NOW, top=None)]


ADD_HELD = action(MOVES, ActionKind.ADD_TO_CATEGORY, "new", ActionState.HELD)
ITS_REMOVE = action(MOVES, ActionKind.REMOVE_FROM_CATEGORY, "a", ActionState.PENDING)
OTHERS_REMOVE = action(LEAVES, ActionKind.REMOVE_FROM_CATEGORY, "b", ActionState.PENDING)


def test_what_is_held_back_is_not_sent_and_brings_no_look() -> None:
    held = case(ADD_HELD, action(LEAVES, ActionKind.REMOVE_FROM_CATEGORY, "b", ActionState.HELD))
    assert sent(held) == []
    assert open_since(held, now=NOW, top=None) is None


def test_an_add_that_is_held_back_holds_back_the_removes_of_its_own_rule_only() -> None:
    assert sent(case(ADD_HELD, ITS_REMOVE, OTHERS_REMOVE)) == [OTHERS_REMOVE.key]


def test_an_add_that_is_held_back_keeps_the_product_in_its_last_category() -> None:
    assert sent(case(ADD_HELD, OTHERS_REMOVE, categories=("b",))) == []


def test_a_remove_that_is_held_back_holds_back_nobody() -> None:
    remove_held = action(MOVES, ActionKind.REMOVE_FROM_CATEGORY, "a", ActionState.HELD)
    assert sent(case(remove_held, OTHERS_REMOVE)) == [OTHERS_REMOVE.key]
