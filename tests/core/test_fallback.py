"""`if_no_category_is_left`: a product that the rules would leave without a category gets one, and gives it back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from core_builders import (
    BRANDS,
    FEATURED,
    FEW,
    LEAVES,
    PROMOTING,
    SALE,
    SOLD_OUT,
    TOP,
    UNSORTED,
    Bench,
    adds,
    falls_back,
    guarded,
    hours,
    membership,
    removes,
    stock,
    while_,
)
from core_fallback import FALLS_BACK, in_shop, planned, sold_out_in, work

from rules_engine.core.action import ActionKind, Done
from rules_engine.core.condition import Word
from rules_engine.core.errors import PermanentError
from rules_engine.core.holds import HoldState
from rules_engine.core.judge import unknown_name
from rules_engine.core.plan import Step
from rules_engine.core.rule import Afterwards, Every, Mode, Named

# ------------------------------------------------------------------------------------ stretches


def test_a_product_that_would_be_left_without_a_category_gets_the_fallback() -> None:
    desk = sold_out_in()
    assert planned(desk) == {(FEATURED, False), (UNSORTED, True)}
    assert "no category would be left" in desk.says()
    assert "puts it into Unsorted (40)" in desk.says()


def test_the_fallback_comes_before_the_last_category_goes() -> None:
    desk = sold_out_in()
    (first,) = desk.to_send()
    assert (first.kind, first.target) == (ActionKind.ADD_TO_CATEGORY, UNSORTED)
    desk.calls(Done(), first.key)
    desk.later(seconds=1).sees(category_ids=[FEATURED, UNSORTED])
    (second,) = desk.to_send()
    assert (second.kind, second.target) == (ActionKind.REMOVE_FROM_CATEGORY, FEATURED)


def test_with_another_category_there_is_no_fallback() -> None:
    assert planned(sold_out_in(categories=(FEATURED, SALE))) == {(FEATURED, False)}


def test_a_product_that_people_put_into_the_fallback_stays_there() -> None:
    desk = work(sold_out_in(categories=(FEATURED, UNSORTED)))
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED, UNSORTED}


def test_a_fallback_that_was_needless_for_a_while_is_taken_again_in_the_same_stretch() -> None:
    desk = work(sold_out_in())
    keys = []
    for _ in range(2):
        desk.later(hours=1).sees(category_ids=[UNSORTED, SALE])
        assert in_shop(work(desk)) == {SALE}
        desk.later(hours=1).sees(category_ids=[])
        keys.append(desk.action().key)
        assert in_shop(work(desk)) == {UNSORTED}
    assert len(set(keys)) == 2
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED}
    assert not desk.case().slots


def test_the_fallback_is_given_back_when_the_condition_ends() -> None:
    desk = work(sold_out_in())
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=3)
    assert [(a.step, a.target) for a in desk.to_send()] == [(Step.GIVE_BACK, FEATURED)]
    assert in_shop(work(desk)) == {FEATURED}
    assert not desk.case().slots


def test_it_does_not_flap_because_it_would_make_itself_needless() -> None:
    desk = work(sold_out_in())
    for _ in range(3):
        desk.later(minutes=20).sees()
        assert not desk.actions()
        assert not desk.says()


def test_a_category_that_a_person_adds_makes_the_fallback_needless() -> None:
    desk = work(sold_out_in())
    desk.later(seconds=1).sees(category_ids=[UNSORTED, SALE])
    assert planned(desk) == {(UNSORTED, False)}
    assert in_shop(work(desk)) == {SALE}


def test_the_fallback_comes_when_a_person_takes_the_other_category_away() -> None:
    desk = work(sold_out_in(categories=(FEATURED, SALE)))
    desk.later(seconds=1).sees(category_ids=[])
    assert planned(desk) == {(UNSORTED, True)}


def test_who_took_the_product_out_of_the_fallback_wins() -> None:
    desk = work(sold_out_in())
    desk.later(seconds=1).sees(category_ids=[])
    assert not desk.actions()
    assert desk.hold(membership(UNSORTED)).state is HoldState.STEPPED_BACK


def test_a_category_in_which_the_rule_stepped_back_is_left() -> None:
    desk = work(sold_out_in())
    desk.later(seconds=1).sees(category_ids=[UNSORTED, FEATURED])
    assert desk.hold().state is HoldState.STEPPED_BACK
    assert in_shop(work(desk)) == {FEATURED}


def test_a_category_that_the_shop_never_let_go_is_left() -> None:
    desk = sold_out_in()
    adding, removing = sorted(desk.actions(), key=lambda action: not action.wish)
    desk.calls(Done(is_shown=True), adding.key)
    desk.later(seconds=1).sees(category_ids=[FEATURED, UNSORTED])
    desk.calls(PermanentError("no"), removing.key)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == {FEATURED}


def test_it_is_judged_on_what_all_rules_want_together() -> None:
    other = while_(FEW, removes("Sale"), code="b", order=1)
    desk = work(sold_out_in(FALLS_BACK, other, categories=(FEATURED, SALE)))
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=1)
    assert in_shop(work(desk)) == {FEATURED}
    moves = while_(FEW, adds("Sale"), code="b", order=1)
    assert in_shop(work(sold_out_in(FALLS_BACK, moves))) == {SALE}


def test_a_rule_that_takes_nothing_out_has_no_use_for_its_fallback() -> None:
    idle = falls_back(while_(SOLD_OUT, removes("Sale"), code="b", order=1))
    assert planned(sold_out_in(LEAVES, idle)) == {(FEATURED, False)}


def test_the_fallback_stays_until_the_last_rule_that_takes_out_lets_go() -> None:
    other = falls_back(while_(FEW, removes("Featured"), code="b", order=1))
    desk = work(sold_out_in(FALLS_BACK, other))
    desk.sees(stock=1)
    assert in_shop(work(desk)) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED}


def test_a_rule_that_takes_out_of_everything_leaves_the_product_in_its_fallback() -> None:
    rule = falls_back(while_(SOLD_OUT, removes(Every())))
    assert in_shop(work(sold_out_in(rule, categories=(FEATURED, SALE)))) == {UNSORTED}
    desk = work(sold_out_in(rule, categories=(FEATURED, UNSORTED)))
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED, UNSORTED}


def test_several_fallbacks_are_all_wanted() -> None:
    rule = guarded(LEAVES, fallbacks=(Named("Unsorted"), Named("Brands")))
    assert in_shop(work(sold_out_in(rule))) == {UNSORTED, BRANDS}


def test_a_fallback_that_is_edited_away_is_given_back() -> None:
    desk = work(sold_out_in())
    desk.rules = (guarded(LEAVES, fallbacks=(Named("Brands"),)),)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == {BRANDS}
    desk.rules = (LEAVES,)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == set()


def test_while_nobody_can_tell_the_fallback_stays() -> None:
    desk = work(sold_out_in())
    del desk.fields["p1"]["stock"]
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == {UNSORTED}


def test_a_rule_whose_fallback_means_nothing_here_waits_and_says_why() -> None:
    rule = guarded(LEAVES, fallbacks=(Named("Unsorte"),))
    desk = sold_out_in(rule)
    assert not desk.actions()
    assert 'waits: no category "Unsorte": did you mean "Unsorted" (40)?' in desk.says()
    assert unknown_name(rule, desk.directory).startswith('no category "Unsorte"')
    assert not unknown_name(FALLS_BACK, desk.directory)


def test_a_paused_rule_keeps_the_fallback_and_a_watching_one_takes_none() -> None:
    desk = work(sold_out_in())
    desk.rules = (replace(FALLS_BACK, mode=Mode.PAUSED),)
    desk.later(seconds=1).sees(stock=3)
    assert in_shop(work(desk)) == {UNSORTED}
    assert not planned(sold_out_in(replace(FALLS_BACK, mode=Mode.WATCH)))


def test_where_categories_are_not_known_nothing_is_judged() -> None:
    desk = work(sold_out_in())
    del desk.fields["p1"]["category_ids"]
    desk.later(seconds=1).sees()
    assert not desk.actions()
    assert desk.is_held(membership(UNSORTED))


def test_while_the_taking_has_to_wait_the_fallback_is_needless() -> None:
    desk = work(sold_out_in(guarded(FALLS_BACK, flap_limit=1, insists=True)))
    desk.later(seconds=1).sees(category_ids=[FEATURED, UNSORTED])
    assert "taken once in 24 hours; waits until" in desk.says()
    assert planned(desk) == {(UNSORTED, False)}


def test_the_fallback_stays_when_somebody_else_takes_the_last_category_first() -> None:
    desk = sold_out_in()
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
    desk = work(sold_out_in(guarded(FALLS_BACK, at_most_every=timedelta(days=1)), categories=(FEATURED, SALE)))
    desk.later(hours=1).sees(category_ids=[])
    assert planned(desk) == {(UNSORTED, True)}
    assert desk.to_send()


def test_the_fallback_waits_with_the_rest_for_the_hours() -> None:
    desk = sold_out_in(guarded(FALLS_BACK, hours=hours(12, 18)))
    assert {action.due_at for action in desk.actions()} == {desk.at.replace(hour=12, second=0)}


# ------------------------------------------------------------------------------------ the shop's own doing


def test_where_the_shop_promotes_a_product_by_itself_there_is_nothing_to_promote() -> None:
    desk = work(sold_out_in(shop=PROMOTING))
    assert in_shop(desk) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED}


def test_what_the_shop_adds_by_itself_is_no_category() -> None:
    desk = sold_out_in(LEAVES, shop=PROMOTING)
    desk.calls()
    desk.later(seconds=1).sees(category_ids=[TOP])
    desk.rules = (FALLS_BACK,)
    desk.later(seconds=1).sees()
    assert in_shop(work(desk)) == {UNSORTED}
    desk.sees(stock=3)
    assert in_shop(work(desk)) == {FEATURED}


def test_nor_is_the_top_level_of_such_a_shop_where_people_put_the_product_there() -> None:
    assert in_shop(work(sold_out_in(categories=(FEATURED, TOP), shop=PROMOTING))) == {TOP, UNSORTED}
