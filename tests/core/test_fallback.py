"""`if_no_category_is_left`: a product that the rules would leave without a category gets one, and gives it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core_builders import (
    BRANDS,
    EMPTIES,
    FEATURED,
    FEW,
    LEAVES,
    PROMOTING,
    READABLE,
    SALE,
    SOLD_OUT,
    TOP,
    UNPUBLISHED,
    UNSORTED,
    Bench,
    adds,
    as_soon_as,
    falls_back,
    guarded,
    hours,
    membership,
    removes,
    sees_category,
    stock,
    while_,
)

from rules_engine.core.action import ActionKind, Done
from rules_engine.core.condition import Word
from rules_engine.core.errors import PermanentError
from rules_engine.core.holds import HoldState
from rules_engine.core.judge import unknown_name
from rules_engine.core.plan import ActionState, Step
from rules_engine.core.retry import MAX_ATTEMPTS
from rules_engine.core.rule import Afterwards, Every, Mode, Named, Rule
from rules_engine.core.store import Capabilities
from rules_engine.core.subject import SubjectKind

FALLS_BACK = falls_back(LEAVES)
MOMENT = falls_back(as_soon_as(SOLD_OUT, removes("Featured", "Sale")))


def sold_out(*rules: Rule, categories: tuple[str, ...] = (FEATURED,), shop: Capabilities = READABLE) -> Bench:
    """A product in these categories that was seen in stock, and then sold out."""
    made = Bench(rules or (FALLS_BACK,), shop)
    made.sees(category_ids=list(categories))
    made.later(seconds=1).sees(stock=0)
    return made


def planned(desk: Bench) -> set[tuple[str, bool]]:
    """The open actions: category, and whether the product comes into it."""
    return {(action.slot.target, bool(action.wish)) for action in desk.actions()}


def work(desk: Bench, *, until: int = 6) -> Bench:
    """Make all calls, each seen at once, until nothing is left to do."""
    for _ in range(until):
        for action in desk.to_send():
            desk.calls(Done(is_shown=True), action.key)
            members = [id_ for id_ in desk.fields["p1"]["category_ids"] if id_ != action.slot.target]
            desk.fields["p1"]["category_ids"] = [*members, *([action.slot.target] if action.wish else [])]
        desk.later(seconds=1).sees()
    assert not desk.actions()
    return desk


def in_shop(desk: Bench) -> set[str]:
    """The categories that the product is in."""
    return set(desk.fields["p1"]["category_ids"])


# ------------------------------------------------------------------------------------ stretches


def test_a_product_that_would_be_left_without_a_category_gets_the_fallback() -> None:
    desk = sold_out()
    assert planned(desk) == {(FEATURED, False), (UNSORTED, True)}
    assert "no category would be left" in desk.says()
    assert "puts it into Unsorted (40)" in desk.says()


def test_the_fallback_comes_before_the_last_category_goes() -> None:
    desk = sold_out()
    (first,) = desk.to_send()
    assert (first.kind, first.target) == (ActionKind.ADD_TO_CATEGORY, UNSORTED)
    desk.calls(Done(), first.key)
    desk.later(seconds=1).sees(category_ids=[FEATURED, UNSORTED])
    (second,) = desk.to_send()
    assert (second.kind, second.target) == (ActionKind.REMOVE_FROM_CATEGORY, FEATURED)


def test_with_another_category_there_is_no_fallback() -> None:
    assert planned(sold_out(categories=(FEATURED, SALE))) == {(FEATURED, False)}


def test_a_product_that_people_put_into_the_fallback_stays_there() -> None:
    desk = work(sold_out(categories=(FEATURED, UNSORTED)))
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED, UNSORTED}


def test_the_fallback_is_given_back_when_the_condition_ends() -> None:
    desk = work(sold_out())
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=3)
    assert [(a.step, a.target) for a in desk.to_send()] == [(Step.GIVE_BACK, FEATURED)]
    assert in_shop(work(desk)) == {FEATURED}
    assert not desk.case().slots


def test_it_does_not_flap_because_it_would_make_itself_needless() -> None:
    desk = work(sold_out())
    for _ in range(3):
        desk.later(minutes=20).sees()
        assert not desk.actions()
        assert not desk.says()


def test_a_category_that_a_person_adds_makes_the_fallback_needless() -> None:
    desk = work(sold_out())
    desk.later(seconds=1).sees(category_ids=[UNSORTED, SALE])
    assert planned(desk) == {(UNSORTED, False)}
    assert in_shop(work(desk)) == {SALE}


def test_the_fallback_comes_when_a_person_takes_the_other_category_away() -> None:
    desk = work(sold_out(categories=(FEATURED, SALE)))
    desk.later(seconds=1).sees(category_ids=[])
    assert planned(desk) == {(UNSORTED, True)}


def test_who_took_the_product_out_of_the_fallback_wins() -> None:
    desk = work(sold_out())
    desk.later(seconds=1).sees(category_ids=[])
    assert not desk.actions()
    assert desk.hold(membership(UNSORTED)).state is HoldState.STEPPED_BACK


def test_a_category_in_which_the_rule_stepped_back_is_left() -> None:
    desk = work(sold_out())
    desk.later(seconds=1).sees(category_ids=[UNSORTED, FEATURED])
    assert desk.hold().state is HoldState.STEPPED_BACK
    assert in_shop(work(desk)) == {FEATURED}


def test_a_category_that_the_shop_never_let_go_is_left() -> None:
    desk = sold_out()
    adding, removing = sorted(desk.actions(), key=lambda action: not action.wish)
    desk.calls(Done(is_shown=True), adding.key)
    desk.later(seconds=1).sees(category_ids=[FEATURED, UNSORTED])
    desk.calls(PermanentError("no"), removing.key)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == {FEATURED}


def test_it_is_judged_on_what_all_rules_want_together() -> None:
    other = while_(FEW, removes("Sale"), code="b", order=1)
    desk = work(sold_out(FALLS_BACK, other, categories=(FEATURED, SALE)))
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=1)
    assert in_shop(work(desk)) == {FEATURED}
    moves = while_(FEW, adds("Sale"), code="b", order=1)
    assert in_shop(work(sold_out(FALLS_BACK, moves))) == {SALE}


def test_a_rule_that_takes_nothing_out_has_no_use_for_its_fallback() -> None:
    idle = falls_back(while_(SOLD_OUT, removes("Sale"), code="b", order=1))
    assert planned(sold_out(LEAVES, idle)) == {(FEATURED, False)}


def test_the_fallback_stays_until_the_last_rule_that_takes_out_lets_go() -> None:
    other = falls_back(while_(FEW, removes("Featured"), code="b", order=1))
    desk = work(sold_out(FALLS_BACK, other))
    desk.sees(stock=1)
    assert in_shop(work(desk)) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED}


def test_a_rule_that_takes_out_of_everything_leaves_the_product_in_its_fallback() -> None:
    rule = falls_back(while_(SOLD_OUT, removes(Every())))
    assert in_shop(work(sold_out(rule, categories=(FEATURED, SALE)))) == {UNSORTED}
    desk = work(sold_out(rule, categories=(FEATURED, UNSORTED)))
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED, UNSORTED}


def test_several_fallbacks_are_all_wanted() -> None:
    rule = guarded(LEAVES, fallbacks=(Named("Unsorted"), Named("Brands")))
    assert in_shop(work(sold_out(rule))) == {UNSORTED, BRANDS}


def test_a_fallback_that_is_edited_away_is_given_back() -> None:
    desk = work(sold_out())
    desk.rules = (guarded(LEAVES, fallbacks=(Named("Brands"),)),)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == {BRANDS}
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == set()


def test_while_nobody_can_tell_the_fallback_stays() -> None:
    desk = work(sold_out())
    del desk.fields["p1"]["stock"]
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == {UNSORTED}


def test_a_rule_whose_fallback_means_nothing_here_waits_and_says_why() -> None:
    rule = guarded(LEAVES, fallbacks=(Named("Unsorte"),))
    desk = sold_out(rule)
    assert not desk.actions()
    assert 'waits: no category "Unsorte": did you mean "Unsorted" (40)?' in desk.says()
    assert unknown_name(rule, desk.directory).startswith('no category "Unsorte"')
    assert not unknown_name(FALLS_BACK, desk.directory)


def test_a_paused_rule_keeps_the_fallback_and_a_watching_one_takes_none() -> None:
    desk = work(sold_out())
    desk.rules = (replace(FALLS_BACK, mode=Mode.PAUSED),)
    desk.later(seconds=1).sees(stock=3)
    assert in_shop(work(desk)) == {UNSORTED}
    assert not planned(sold_out(replace(FALLS_BACK, mode=Mode.WATCH)))


def test_where_categories_are_not_known_nothing_is_judged() -> None:
    desk = work(sold_out())
    del desk.fields["p1"]["category_ids"]
    desk.later(seconds=1).sees()
    assert not desk.actions()
    assert desk.is_held(membership(UNSORTED))


def test_while_the_taking_has_to_wait_the_fallback_is_needless() -> None:
    desk = work(sold_out(guarded(FALLS_BACK, flap_limit=1, insists=True)))
    desk.later(seconds=1).sees(category_ids=[FEATURED, UNSORTED])
    assert "taken once in 24 hours; waits until" in desk.says()
    assert planned(desk) == {(UNSORTED, False)}


def test_the_fallback_stays_when_somebody_else_takes_the_last_category_first() -> None:
    desk = sold_out()
    desk.calls(Done(is_shown=True), desk.to_send()[0].key)
    desk.later(seconds=1).sees(category_ids=[UNSORTED])
    assert not desk.actions()
    assert in_shop(work(desk)) == {UNSORTED}


def test_what_a_rule_left_out_for_good_when_it_ended_is_out() -> None:
    leaves = while_(FEW, removes("Sale"), code="b", order=1, afterwards=Afterwards.LEAVE)
    desk = Bench((leaves, falls_back(while_(stock(Word.AT_LEAST, 5), removes("Featured"), code="c", order=2))))
    desk.sees(stock=1, category_ids=[FEATURED, SALE])
    work(desk)
    desk.sees(stock=5)
    assert planned(desk) == {(FEATURED, False), (UNSORTED, True)}


def test_the_fallback_does_not_wait_for_the_rules_last_act() -> None:
    desk = work(sold_out(guarded(FALLS_BACK, at_most_every=timedelta(days=1)), categories=(FEATURED, SALE)))
    desk.later(hours=1).sees(category_ids=[])
    assert planned(desk) == {(UNSORTED, True)}
    assert desk.to_send()


def test_the_fallback_waits_with_the_rest_for_the_hours() -> None:
    desk = sold_out(guarded(FALLS_BACK, hours=hours(12, 18)))
    assert {action.due_at for action in desk.actions()} == {desk.at.replace(hour=12, second=0)}


# ------------------------------------------------------------------------------------ the shop's own doing


def test_where_the_shop_promotes_a_product_by_itself_there_is_nothing_to_promote() -> None:
    desk = work(sold_out(shop=PROMOTING))
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED}


def test_what_the_shop_adds_by_itself_is_no_category() -> None:
    desk = sold_out(LEAVES, shop=PROMOTING)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[TOP])
    desk.rules = (FALLS_BACK,)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED}


def test_nor_is_the_top_level_of_such_a_shop_where_people_put_the_product_there() -> None:
    assert in_shop(work(sold_out(categories=(FEATURED, TOP), shop=PROMOTING))) == {TOP, UNSORTED}


# ------------------------------------------------------------------------------------ moments


def test_a_moment_has_a_fallback_too_and_gives_nothing_back() -> None:
    desk = sold_out(MOMENT, categories=(FEATURED, SALE))
    assert planned(desk) == {(FEATURED, False), (SALE, False), (UNSORTED, True)}
    assert {action.step for action in desk.actions()} == {Step.MOMENT}
    assert in_shop(work(desk)) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {UNSORTED}


def test_a_moment_that_leaves_a_category_needs_no_fallback() -> None:
    assert planned(sold_out(MOMENT, categories=(FEATURED, BRANDS))) == {(FEATURED, False)}


def test_a_moment_counts_what_other_rules_hold_out() -> None:
    holds = while_(SOLD_OUT, removes("Brands"), code="b", order=1)
    assert in_shop(work(sold_out(MOMENT, holds, categories=(FEATURED, BRANDS)))) == {UNSORTED}


def test_a_moment_counts_what_is_held_against_it() -> None:
    holds = while_(SOLD_OUT, adds("Sale"), code="b", order=1)
    assert in_shop(work(sold_out(MOMENT, holds))) == {SALE}


def test_a_rule_counts_what_a_moment_takes_out() -> None:
    moment = as_soon_as(SOLD_OUT, removes("Sale"), order=1)
    assert in_shop(work(sold_out(FALLS_BACK, moment, categories=(FEATURED, SALE)))) == {UNSORTED}


def test_a_moment_that_waits_for_its_hours_is_judged_again() -> None:
    desk = sold_out(guarded(MOMENT, hours=hours(12, 18)), categories=(FEATURED, BRANDS))
    assert planned(desk) == {(FEATURED, False)}
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    assert planned(desk) == {(FEATURED, False), (UNSORTED, True)}
    desk.later(seconds=1).sees(category_ids=[FEATURED, BRANDS])
    assert planned(desk) == {(FEATURED, False)}
    desk.later(seconds=1).sees(category_ids=[FEATURED])
    desk.later(hours=3).sees()
    assert in_shop(work(desk)) == {UNSORTED}


def test_a_fallback_that_the_shop_refuses_is_not_tried_for_ever() -> None:
    desk = sold_out(guarded(MOMENT, hours=hours(8, 18)))
    adding = next(action for action in desk.actions() if action.wish)
    desk.calls(PermanentError("no"), adding.key)
    work(desk)
    dead = [action for action in desk.memory.actions.values() if action.state is ActionState.DEAD]
    assert [action.slot.target for action in dead] == [UNSORTED]


def test_nor_is_one_that_the_shop_never_shows() -> None:
    desk = sold_out(MOMENT)
    adding = next(action for action in desk.actions() if action.wish)
    for _ in range(MAX_ATTEMPTS):
        desk.calls(Done(), adding.key)
        desk.later(minutes=10).sees()
    assert planned(desk) == {(FEATURED, False)}


# ------------------------------------------------------------------------------------ rules about categories


def test_members_of_a_category_that_is_emptied_get_the_fallback_and_give_it_back() -> None:
    desk = Bench((falls_back(EMPTIES),))
    sees_category(desk, is_published=True)
    desk.sees(category_ids=[SALE])
    sees_category(desk.later(seconds=1), is_published=False)
    desk.sees()
    assert planned(desk) == {(SALE, False), (UNSORTED, True)}
    assert in_shop(work(desk)) == {UNSORTED}
    sees_category(desk, is_published=True)
    desk.sees()
    assert in_shop(work(desk)) == {SALE}


def test_a_category_is_not_emptied_into_itself() -> None:
    desk = Bench((guarded(EMPTIES, fallbacks=(Named("Sale"),)),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[SALE])
    assert not desk.actions()


def test_a_fallback_of_a_rule_about_categories_that_is_edited_away_is_given_back() -> None:
    desk = Bench((falls_back(EMPTIES),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[SALE])
    assert in_shop(work(desk)) == {UNSORTED}
    desk.rules = (EMPTIES,)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == set()


def unpublished(name: str) -> Bench:
    """A member of Sale at the moment in which that is unpublished, for a rule that falls back to this category."""
    rule = as_soon_as(UNPUBLISHED, *EMPTIES.effects, code="e", about=SubjectKind.CATEGORY)
    desk = Bench((guarded(rule, fallbacks=(Named(name),)),))
    sees_category(desk, is_published=True)
    desk.sees(category_ids=[SALE])
    desk.moments = sees_category(desk.later(seconds=1), is_published=False).moments
    desk.sees()
    desk.moments = ()
    return desk


def test_the_moment_of_a_category_has_a_fallback_too() -> None:
    assert in_shop(work(unpublished("Unsorted"))) == {UNSORTED}
    assert not unpublished("Sale").actions()


def test_the_moment_of_a_category_waits_while_its_fallback_means_nothing() -> None:
    desk = unpublished("Unsorte")
    assert not desk.actions()
    assert "waits: no category" in desk.says("e")


def test_a_rule_about_categories_that_only_tells_people_empties_nothing() -> None:
    desk = Bench((replace(EMPTIES, effects=(), notifies=("shop",)),))
    sees_category(desk, is_published=False)
    desk.sees(category_ids=[SALE])
    assert not desk.actions()
