"""Orders: each kind against each state of a hold, carried out once, in the decision that hears the rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from core_builders import (
    BRANDS,
    EMPTIES,
    FEATURED,
    FEW,
    LEAVES,
    SALE,
    SOLD_OUT,
    UNREADABLE,
    Bench,
    adds,
    as_soon_as,
    falls_back,
    guarded,
    holding,
    hours,
    membership,
    owing,
    removes,
    sees_category,
    sold_out,
    taken,
    while_,
)
from hypothesis import given
from hypothesis import strategies as st

from rules_engine.core.action import ActionKind, Aspect, Done, SlotRef
from rules_engine.core.decide import decide
from rules_engine.core.errors import PermanentError, TemporaryError
from rules_engine.core.holds import HoldState
from rules_engine.core.order import OrderKind
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.rule import Afterwards, Mode
from rules_engine.core.sighting import Sighting
from rules_engine.core.subject import ProductId, product

GIVE_BACK, KEEP, RESUME, REVERT = OrderKind.GIVE_BACK, OrderKind.KEEP, OrderKind.RESUME, OrderKind.REVERT
PAUSED = replace(LEAVES, mode=Mode.PAUSED)
OTHER = while_(FEW, removes("Featured"), code="b", order=1)
"""A second rule that keeps the product out of Featured too."""


def sent(*rules_: object) -> Bench:
    """A call was made for the product, and no answer came."""
    desk = sold_out()
    desk.attempts()
    return desk


def put_back() -> Bench:
    """A person put the product back, and the rule stepped back."""
    desk = holding()
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    return desk


def refused() -> Bench:
    """The shop refused for good to take the product out."""
    desk = sold_out()
    desk.calls(PermanentError("no"))
    desk.later(seconds=1).sees()
    return desk


def look(desk: Bench, **changes: object) -> Bench:
    desk.later(seconds=1).sees(**changes)  # type: ignore[arg-type]  # fields, as `sees` takes them
    return desk


# ---------------------------------------------------------------------------------------- give back


@pytest.mark.parametrize("stand", [taken, holding])
def test_what_is_held_is_given_back_though_the_condition_holds(stand: Callable[[], Bench]) -> None:
    desk = look(stand().told(GIVE_BACK), category_ids=[])
    assert (desk.hold().state, desk.hold().is_ordered) == (HoldState.OWED, True)
    assert desk.hold().reason == "a person said so"
    assert (desk.action().step, desk.action().kind) == (Step.GIVE_BACK, ActionKind.ADD_TO_CATEGORY)
    assert desk.came() == "Featured (10): is given back"
    assert "a person said so: Featured (10): is given back" in desk.says()
    desk.calls(Done(is_shown=True))
    look(look(desk, category_ids=[FEATURED]), stock=-1)
    assert not desk.is_held()
    assert not desk.actions(), "it takes no more in this stretch"


def test_a_new_stretch_takes_again() -> None:
    desk = look(holding().told(GIVE_BACK))
    desk.calls(Done(is_shown=True))
    look(look(desk, category_ids=[FEATURED], stock=3), stock=0)
    assert desk.action().step is Step.TAKE


def test_an_owed_hold_that_was_ordered_is_not_joined_by_its_own_rule() -> None:
    desk = look(holding().told(GIVE_BACK))
    look(desk, stock=-1)
    assert [hold.state for hold in desk.case().slots[membership()].holds] == [HoldState.OWED]
    assert desk.action().step is Step.GIVE_BACK


def test_what_was_only_decided_is_dropped_and_not_taken_any_more() -> None:
    desk = look(sold_out().told(GIVE_BACK))
    assert not desk.actions()
    assert desk.hold().state is HoldState.NEVER_TAKEN
    assert not look(desk).actions()
    assert desk.case().orders == ()


def test_a_call_that_was_not_answered_is_given_back_in_case_it_happened() -> None:
    desk = sent()
    desk.hears(TemporaryError("away"))
    desk.told(GIVE_BACK).later(seconds=1).recalls()
    assert desk.hold().state is HoldState.OWED
    assert desk.action().step is Step.GIVE_BACK


def test_a_call_of_which_a_read_shows_that_nothing_came_is_over() -> None:
    desk = look(sent().told(GIVE_BACK))
    assert not desk.is_held()
    assert not look(desk).actions()


def test_a_hold_that_stepped_back_ends() -> None:
    desk = look(put_back().told(GIVE_BACK))
    assert desk.hold().state is HoldState.RELEASED
    assert desk.came() == "Featured (10): a person had changed it back already"
    assert not look(desk).actions()


def test_what_is_owed_is_owed_by_order_and_given_back_though_the_rule_is_paused() -> None:
    desk = owing()
    desk.rules = (PAUSED,)
    assert not look(desk).actions()
    look(desk.told(GIVE_BACK))
    assert desk.action().step is Step.GIVE_BACK
    look(desk)
    assert desk.action().state is ActionState.PENDING
    desk.calls(Done(is_shown=True))
    assert not desk.is_held()


@pytest.mark.parametrize("rules_", [(PAUSED,), (), (replace(LEAVES, mode=Mode.WATCH),)])
def test_it_is_given_back_also_by_a_rule_that_is_paused_watches_or_is_gone(rules_: tuple[object, ...]) -> None:
    desk = holding()
    desk.rules = rules_  # type: ignore[assignment]  # rules, in every case
    look(desk.told(GIVE_BACK))
    assert desk.action().step is Step.GIVE_BACK
    assert "is given back" in desk.says()


def test_hours_do_not_hold_back_what_was_ordered() -> None:
    desk = sold_out(guarded(LEAVES, hours=hours(9, 10)))
    desk.calls(Done(is_shown=True))
    desk.later(hours=5).sees(category_ids=[])
    look(desk.told(GIVE_BACK))
    assert desk.action().due_at is None
    assert len(desk.to_send()) == 1


def test_who_wants_the_same_keeps_it_and_the_outcome_names_them() -> None:
    desk = look(holding(LEAVES, OTHER).told(GIVE_BACK))
    assert not desk.actions()
    assert desk.came() == "Featured (10): b still holds it"
    look(desk, stock=5)
    assert desk.action().step is Step.GIVE_BACK


def test_without_a_rule_every_hold_is_given_back() -> None:
    desk = look(holding(LEAVES, OTHER).told(GIVE_BACK, ""))
    assert desk.action().step is Step.GIVE_BACK
    assert not [hold for hold in desk.case().slots[membership()].open_holds if hold.state is not HoldState.OWED]


def test_what_a_rule_would_leave_is_given_back_all_the_same() -> None:
    desk = look(holding(replace(LEAVES, afterwards=Afterwards.LEAVE)).told(GIVE_BACK))
    assert desk.action().step is Step.GIVE_BACK


def test_a_rule_that_insists_takes_it_no_more_either() -> None:
    desk = look(holding(guarded(LEAVES, insists=True)).told(GIVE_BACK))
    desk.calls(Done(is_shown=True))
    assert not look(look(desk, category_ids=[FEATURED])).actions()


def test_a_rule_that_falls_back_does_not_take_its_fallback_again() -> None:
    desk = Bench((falls_back(LEAVES),))
    desk.sees()
    look(desk, stock=0)
    desk.calls(Done(is_shown=True), desk.to_send()[0].key)
    look(desk, category_ids=[FEATURED, "40"])
    desk.calls(Done(is_shown=True))
    look(desk, category_ids=["40"])
    look(desk.told(GIVE_BACK))
    for action in sorted(desk.actions(), key=lambda each: each.wish is not True):
        desk.calls(Done(is_shown=True), action.key)
    look(look(desk, category_ids=[FEATURED]))
    assert not desk.actions()
    assert not desk.case().slots


def test_one_slot_alone_can_be_given_back() -> None:
    desk = Bench((while_(SOLD_OUT, removes("Featured", "Sale")),))
    desk.sees(category_ids=[FEATURED, SALE])
    look(desk, stock=0)
    for action in desk.actions():
        desk.calls(Done(is_shown=True), action.key)
    look(desk.told(GIVE_BACK, slot=membership(SALE)), category_ids=[])
    assert desk.action().slot == membership(SALE)
    assert desk.hold().state is HoldState.HOLDING


def test_what_a_rule_about_a_category_took_is_given_back_and_stays_so() -> None:
    desk = Bench((EMPTIES,))
    sees_category(desk, is_published=True)
    desk.sees(category_ids=[FEATURED, SALE])
    sees_category(desk.later(seconds=1), is_published=False)
    look(desk)
    desk.calls(Done(is_shown=True))
    look(desk.told(GIVE_BACK, "e"), category_ids=[FEATURED])
    assert desk.action().step is Step.GIVE_BACK
    desk.calls(Done(is_shown=True))
    assert not look(look(desk, category_ids=[FEATURED, SALE])).actions()


def test_an_order_about_nothing_says_so() -> None:
    desk = Bench((LEAVES,))
    desk.sees()
    look(desk.told(GIVE_BACK))
    assert desk.came() == "nothing is held that this is about"


# ---------------------------------------------------------------------------------------- keep


@pytest.mark.parametrize("stand", [sold_out, sent, taken, holding, put_back, owing])
def test_what_is_kept_is_never_called_for(stand: Callable[[], Bench]) -> None:
    desk = stand()
    seen = list(desk.fields["p1"]["category_ids"])
    look(desk.told(KEEP))
    assert not desk.actions()
    assert not desk.is_held()
    assert desk.hold().reason == "kept, because a person said so"
    look(look(look(desk, category_ids=seen), stock=3), stock=0, category_ids=[])
    look(desk, stock=3)
    assert not desk.actions(), "the next stretch finds it out, and gives nothing back"


def test_what_is_owed_and_was_called_for_is_kept_as_it_is() -> None:
    desk = owing()
    desk.attempts()
    desk.hears(TemporaryError("away"))
    look(desk.told(KEEP))
    assert not desk.actions()
    assert not desk.is_held()


def test_another_rule_that_holds_it_is_named_and_gives_it_back() -> None:
    desk = look(holding(LEAVES, OTHER).told(KEEP))
    assert desk.came() == "Featured (10): let go; b still has a say in it"
    assert not desk.actions()
    look(desk, stock=5)
    assert desk.action().step is Step.GIVE_BACK


def test_nothing_undoes_what_all_rules_keep() -> None:
    desk = look(holding(LEAVES, OTHER).told(KEEP, ""))
    assert not desk.is_held()
    assert not look(desk, stock=5).actions()


def test_a_rule_that_comes_to_want_the_same_at_that_look_finds_it_as_people_made_it() -> None:
    desk = holding(LEAVES, while_(SOLD_OUT, removes("Featured"), code="b", order=1, mode=Mode.PAUSED))
    desk.rules = (LEAVES, while_(SOLD_OUT, removes("Featured"), code="b", order=1))
    look(desk.told(KEEP, "a"))
    assert not desk.is_held()


def test_something_is_kept_also_while_everything_is_stopped() -> None:
    desk = holding()
    desk.is_stopped = True
    look(desk.told(KEEP))
    assert not desk.is_held()


# ---------------------------------------------------------------------------------------- resume


def test_a_rule_that_stepped_back_takes_again() -> None:
    desk = look(put_back().told(RESUME))
    assert desk.came() == "Featured (10): the rule may take it again while its condition holds"
    assert desk.action().step is Step.TAKE
    desk.calls(Done(is_shown=True))
    look(desk, category_ids=[])
    assert (desk.hold().state, desk.hold().takes) == (HoldState.HOLDING, 2)


def test_what_the_shop_refused_is_tried_again() -> None:
    desk = refused()
    assert not look(desk).actions()
    look(desk.told(RESUME))
    assert (desk.action().step, desk.action().attempts) == (Step.TAKE, 0)
    assert desk.hold().state is HoldState.PENDING


def test_what_was_undone_can_be_taken_again() -> None:
    desk = look(holding().told(GIVE_BACK))
    look(desk.told(RESUME))
    assert not desk.actions(), "it was not given back yet, and is held on"
    assert desk.hold().state is HoldState.HOLDING
    look(desk.told(GIVE_BACK))
    desk.calls(Done(is_shown=True))
    look(desk, category_ids=[FEATURED])
    look(desk.told(RESUME))
    assert desk.action().step is Step.TAKE


def test_a_rule_that_holds_as_it_should_has_nothing_to_resume() -> None:
    desk = look(holding().told(RESUME))
    assert desk.came() == "the rule did not step back here: there is nothing to resume"
    assert desk.hold().state is HoldState.HOLDING


def test_a_stretch_that_ended_is_not_resumed() -> None:
    desk = look(refused(), stock=3)
    look(desk.told(RESUME))
    assert desk.came() == "nothing is held that this is about"


def test_a_rule_that_is_gone_is_not_resumed() -> None:
    desk = put_back()
    desk.rules = ()
    look(desk.told(RESUME))
    assert desk.hold().state is HoldState.STEPPED_BACK
    assert "a does not run here any more" in desk.came()


def test_a_rule_that_is_paused_is_resumed_once_it_may_act() -> None:
    desk = put_back()
    desk.rules = (PAUSED,)
    look(desk.told(RESUME))
    assert "once it may act" in desk.came()
    assert not desk.actions()
    desk.rules = (LEAVES,)
    assert look(desk).action().step is Step.TAKE


# ---------------------------------------------------------------------------------------- revert

MOMENT = as_soon_as(SOLD_OUT, removes("Featured"))


def moved_out(*rules_: object) -> Bench:
    """A moment took the product out of Featured, and a read showed it."""
    desk = Bench((MOMENT,))
    desk.sees(category_ids=[FEATURED, BRANDS])
    look(desk, stock=0)
    desk.calls(Done(is_shown=True))
    return look(desk, category_ids=[BRANDS])


def reverted(desk: Bench) -> Bench:
    return desk.told(REVERT, "m", membership(), expects=False, wish=True)


def test_what_a_moment_did_is_undone() -> None:
    desk = look(reverted(moved_out()))
    action = desk.action()
    assert (action.step, action.kind, action.rules) == (Step.UNDO, ActionKind.ADD_TO_CATEGORY, ("m",))
    assert desk.came() == "puts it into Featured (10)"
    desk.calls(Done())
    assert desk.action().state is ActionState.DONE
    look(desk, category_ids=[FEATURED, BRANDS])
    assert not desk.actions()
    assert not desk.is_held()


@pytest.mark.parametrize("rules_", [(), (replace(MOMENT, mode=Mode.PAUSED),), (guarded(MOMENT, hours=hours(1, 2)),)])
def test_it_is_undone_whatever_its_rule_may_do(rules_: tuple[object, ...]) -> None:
    desk = moved_out()
    desk.rules = rules_  # type: ignore[assignment]  # rules, in every case
    look(reverted(desk))
    assert len(desk.to_send()) == 1
    assert look(desk).action().step is Step.UNDO


def test_that_its_condition_no_longer_holds_does_not_stop_the_undoing() -> None:
    desk = look(reverted(moved_out()))
    assert look(desk, stock=9).action().step is Step.UNDO


def test_it_is_tried_again_and_becomes_a_dead_letter_like_others() -> None:
    desk = look(reverted(moved_out()))
    desk.calls(TemporaryError("away"))
    look(desk)
    assert desk.action().state is ActionState.WAITING
    key = desk.action().key
    desk.calls(PermanentError("no"))
    assert desk.memory.actions[key].state is ActionState.DEAD
    assert not look(desk).actions()


def test_an_undoing_counts_as_no_take() -> None:
    desk = look(reverted(moved_out()))
    before = desk.case().recent_takes
    desk.calls(Done(is_shown=True))
    assert desk.case().recent_takes == before


def test_what_somebody_changed_since_is_skipped() -> None:
    desk = look(moved_out(), category_ids=[FEATURED, BRANDS])
    look(reverted(desk))
    assert desk.came() == "Featured (10): skipped: somebody changed it back already"
    assert not desk.actions()


def test_a_brand_that_somebody_changed_since_is_skipped() -> None:
    slot = SlotRef(ProductId("p1"), Aspect.BRAND)
    desk = Bench(())
    desk.sees(brand_id="g1")
    desk.told(REVERT, "m", slot, expects=None, wish="a1")
    look(desk)
    assert desk.came() == 'brand: skipped: somebody changed it since; it is "g1" now'


def test_what_a_rule_holds_is_skipped() -> None:
    desk = moved_out()
    desk.rules = (MOMENT, while_(SOLD_OUT, adds("Featured"), code="b", order=1))
    look(desk)
    desk.calls(Done(is_shown=True))
    look(desk, category_ids=[FEATURED, BRANDS])
    desk.told(REVERT, "m", membership(), expects=True, wish=False)
    look(desk)
    assert desk.came() == "Featured (10): skipped: b holds it"
    assert not desk.actions()


def test_nobody_undoes_what_nobody_can_see() -> None:
    desk = Bench((), capabilities=UNREADABLE)
    desk.memory.save(decide(desk.case(), Sighting(product("p1"), desk.at), desk.context()).case)
    desk.sees()
    desk.told(REVERT, "m", SlotRef(ProductId("p1"), Aspect.BRAND), expects=None, wish="a1")
    look(desk)
    assert "nobody can tell how it is now" in desk.came()


# ---------------------------------------------------------------------------------------- stopped, and gone


@pytest.mark.parametrize("kind", [GIVE_BACK, RESUME, REVERT])
def test_what_may_need_a_call_waits_while_everything_is_stopped(kind: OrderKind) -> None:
    desk = holding()
    desk.is_stopped = True
    desk.told(kind, "a", membership() if kind is REVERT else None)
    look(desk)
    assert len(desk.case().orders) == 1
    assert not desk.actions()
    desk.is_stopped = False
    look(desk)
    assert desk.case().orders == ()


def test_what_was_ordered_and_not_called_stops_with_everything_and_goes_on_with_it() -> None:
    desk = look(holding().told(GIVE_BACK))
    key = desk.action().key
    desk.is_stopped = True
    look(desk)
    assert not desk.actions()
    assert desk.memory.actions[key].reason == "everything is paused"
    desk.is_stopped = False
    assert look(desk).action().key == key


def test_an_undoing_waits_while_everything_is_stopped() -> None:
    desk = look(reverted(moved_out()))
    desk.is_stopped = True
    look(desk)
    assert (desk.to_send(), desk.action().reason) == ([], "everything is paused")
    desk.is_stopped = False
    assert len(look(desk).to_send()) == 1


def test_nothing_is_taken_given_back_or_done_while_everything_is_stopped() -> None:
    for desk in (sold_out(), owing(), sold_out(MOMENT)):
        assert desk.actions()
        desk.is_stopped = True
        look(desk)
        assert not desk.actions()
    desk = Bench((MOMENT,), is_stopped=True)
    desk.sees()
    look(desk, stock=0)
    desk.is_stopped = False
    assert not look(desk).actions(), "a moment that came meanwhile is over"


@pytest.mark.parametrize("kind", list(OrderKind))
def test_for_a_product_that_is_gone_there_is_nothing_to_do(kind: OrderKind) -> None:
    desk = holding().told(kind, "a", membership())
    desk.finds_gone()
    assert desk.came() == "the product no longer exists"
    desk.told(kind, "a", membership()).recalls()
    assert desk.came() == "the product no longer exists"
    assert desk.case().orders == ()


@pytest.mark.parametrize("kind", list(OrderKind))
def test_an_order_about_a_product_that_was_never_seen_waits_for_a_read_or_says_that_there_is_none(
    kind: OrderKind,
) -> None:
    desk = holding().told(kind, "a", membership())
    case, sighting = replace(desk.case(), snapshot=None), Sighting(product("p1"), desk.at)
    assert decide(case, sighting, desk.context()).case.orders == case.orders
    blind = replace(desk.context(), capabilities=UNREADABLE)
    (order,) = decide(case, sighting, blind).case.orders
    assert order.outcome == (
        "nothing is done: no delivery has shown this product yet, and the shop cannot be asked about it"
    )


# ---------------------------------------------------------------------------------------- whatever happens

stands = st.sampled_from([sold_out, sent, taken, holding, put_back, owing, refused])
kinds = st.sampled_from([GIVE_BACK, KEEP, RESUME])
steps = st.lists(
    st.one_of(
        kinds.map(lambda kind: ("order", kind)),
        st.sampled_from([0, 3]).map(lambda left: ("stock", left)),
        st.sampled_from([[FEATURED], []]).map(lambda ids: ("edit", ids)),
        st.sampled_from([("work", Done(is_shown=True)), ("work", TemporaryError("away")), ("look", None)]),
    ),
    max_size=8,
)


def play(desk: Bench, step: tuple[str, object]) -> None:
    """One thing that happens to the product; the shop does what it is called for and says so."""
    word, what = step
    match word:
        case "order":
            assert isinstance(what, OrderKind)
            desk.told(what)
        case "stock":
            look(desk, stock=what)
        case "edit":
            look(desk, category_ids=what)
        case "look":
            look(desk)
        case _:
            work(desk, what)


def work(desk: Bench, verdict: object) -> None:
    """Make the call that is due, if any."""
    for action in desk.to_send()[:1]:
        desk.calls(verdict, action.key)  # type: ignore[arg-type]  # a verdict, by the strategy
        if isinstance(verdict, Done):
            desk.fields["p1"]["category_ids"] = [FEATURED] if action.wish else []
    look(desk)


def at_rest(desk: Bench) -> None:
    for _ in range(12):
        desk.later(seconds=61)
        work(desk, Done(is_shown=True))


@given(stands, kinds, steps)
def test_an_order_is_carried_out_once(
    stand: Callable[[], Bench], kind: OrderKind, after: list[tuple[str, object]]
) -> None:
    desk = stand()
    look(desk.told(kind))
    assert desk.came()
    assert desk.case().orders == ()
    for step in after:
        given_ = len(desk.case().orders)
        play(desk, step)
        assert len(desk.case().orders) in {0, given_ + (step[0] == "order")}


def test_of_two_orders_each_is_carried_out_for_itself_and_keeps_what_came_of_it() -> None:
    desk = look(holding().told(GIVE_BACK))
    assert desk.last is not None
    done = replace(desk.last.case.orders[0], outcome="carried out at another look")
    desk.memory.cases[product("p1")] = replace(desk.memory.cases[product("p1")], orders=())
    desk.told(KEEP)
    case = replace(desk.case(), orders=(done, *desk.case().orders))
    after = decide(case, Sighting(product("p1"), desk.at), desk.context()).case
    assert after.orders[0] == done
    assert after.orders[1].outcome == "Featured (10): stays as it is, and nothing is given back any more"


@given(stands, steps)
def test_deciding_twice_gives_equal_plans_also_with_orders(
    stand: Callable[[], Bench], before: list[tuple[str, object]]
) -> None:
    desk = stand()
    for step in before:
        play(desk, step)
    sighting = Sighting(product("p1"), desk.at, desk.case().snapshot)
    assert decide(desk.case(), sighting, desk.context()) == decide(desk.case(), sighting, desk.context())
    once = decide(desk.case(), sighting, desk.context()).case
    again = decide(once, sighting, desk.context()).case
    assert again.orders == once.orders
    assert {key: action.step for key, action in again.actions.items()} == {
        key: action.step for key, action in once.actions.items()
    }


@given(stands, st.sampled_from([0, 3]))
def test_after_a_keep_no_call_is_made(stand: Callable[[], Bench], left: int) -> None:
    desk = stand()
    look(desk.told(KEEP), stock=0)
    assert not desk.actions()
    desk.fields["p1"]["stock"] = left
    at_rest(desk)
    assert not [
        a for a in desk.memory.actions.values() if a.called_at and a.called_at > desk.at.replace(hour=9, minute=1)
    ]


@given(stands, st.lists(st.sampled_from([("look", None), ("work", TemporaryError("away"))]), max_size=4))
def test_after_a_give_back_the_slot_ends_at_its_baseline(
    stand: Callable[[], Bench], before: list[tuple[str, object]]
) -> None:
    desk = stand()
    for step in before:
        play(desk, step)
    look(desk.told(GIVE_BACK))
    at_rest(desk)
    assert desk.fields["p1"]["category_ids"] == [FEATURED]
    assert not desk.actions()
    assert not desk.is_held()
