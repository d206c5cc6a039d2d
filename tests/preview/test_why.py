"""The answer to "why?" says of every rule how it stands, what it holds, why it does nothing, and what comes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from engine_world import WEB
from why_desk import START, Desk

from rules_engine.core.errors import PermanentError, TemporaryError
from rules_engine.core.question import QuestionId, QuestionState
from rules_engine.database.lanes import save_lane
from rules_engine.database.tables import history
from rules_engine.preview.why_text import as_plain

LEAVES = """
meanings:
  sold out: {product.tracks_stock: true, product.can_be_ordered: false}
rules:
  sold-out-leaves-featured:
    title: Sold-out products leave Featured and come back when restocked
    stores: [web]
    while: sold out
    do: [{remove_from_category: Featured}]
"""
IN_STOCK = """
rules:
  in-stock:
    stores: [web]
    while: {product.stock: {at_least: 1}}
    do: [{add_to_category: Sale}]
"""
CODE = "sold-out-leaves-featured"


def in_stock(*more: str, effect: str = "{add_to_category: Sale}") -> str:
    """The rule for what is in stock, with more keys."""
    return IN_STOCK.replace("{add_to_category: Sale}", effect) + "".join(f"    {line}\n" for line in more)


def sold_out(connection: sa.Connection, rules: str = LEAVES) -> Desk:
    """The boot is seen at 14:00, sold out at 14:03 and out of Featured since."""
    return Desk(connection, rules).sees().later(minutes=3).sees(stock=0).calls()


def held(connection: sa.Connection, rules: str = LEAVES) -> Desk:
    """A look at 14:04 showed that the boot is out of Featured."""
    return sold_out(connection, rules).later(minutes=1).sees()


# The whole answer.


def test_a_product_that_is_sold_out_is_held(connection: sa.Connection) -> None:
    desk = held(connection).later(hours=1, minutes=56)
    assert desk.tells() == (
        """\
Boot (product 17, SKU B-1) in web
last seen at 14:04, 1 hour 56 minutes ago · rules RULES, in force since 14:00 · times in UTC

sold-out-leaves-featured: Sold-out products leave Featured and come back when restocked
  while
    ✓ sold out
      ✓ tracks_stock is true
      ✓ can_be_ordered is false
  → It keeps the product out of Featured (1) since 14:03 (after the webhook product.updated, delivery d-1).
  → The product goes back into Featured (1) when the condition ends.

What happened last
  14:03  sold-out-leaves-featured: its condition began to hold; takes it out of Featured (1) (rules RULES)"""
    )


def test_a_restocked_product_waits_for_the_shop(connection: sa.Connection) -> None:
    desk = held(connection).later(minutes=1).sees(stock=3).calls(TemporaryError("The shop answered 503."))
    assert desk.tells() == (
        """\
Boot (product 17, SKU B-1) in web
last seen at 14:05, now · rules RULES, in force since 14:00 · times in UTC

sold-out-leaves-featured: Sold-out products leave Featured and come back when restocked
  while
    ✗ sold out
      ✓ tracks_stock is true
      ✗ can_be_ordered is true, must be false
  → It gives back what it took: its condition ended. The product goes back into Featured (1).

What comes next
  14:14, in 9 minutes: the product goes back into Featured (1), because sold-out-leaves-featured gives back what it \
took, if that is still wanted then (tried once: The shop answered 503)

What happened last
  14:03  sold-out-leaves-featured: its condition began to hold; takes it out of Featured (1) (rules RULES)
  14:05  sold-out-leaves-featured: its condition ended; gives back: puts it into Featured (1) (rules RULES)"""
    )


def test_a_stretch_that_has_not_lasted_yet_says_when_the_rule_acts(connection: sa.Connection) -> None:
    rules = LEAVES + "    must_last: 15 minutes\n"
    desk = Desk(connection, rules).sees().later(minutes=3).sees(stock=0).later(minutes=6)
    assert desk.tells() == (
        """\
Boot (product 17, SKU B-1) in web
last seen at 14:03, 6 minutes ago · rules RULES, in force since 14:00 · times in UTC

sold-out-leaves-featured: Sold-out products leave Featured and come back when restocked
  while
    ✓ sold out
      ✓ tracks_stock is true
      ✓ can_be_ordered is false
  → This must last 15 minutes, and has been so since 14:03: the rule acts at 14:18, in 9 minutes, if it is still so \
then.

What comes next
  14:18, in 9 minutes: sold-out-leaves-featured acts, if its condition is still met then

What happened last
  14:03  sold-out-leaves-featured: its condition began to hold; it must last 15 minutes, until 14:18 (UTC) \
(rules RULES)"""
    )


def test_a_rule_that_does_not_run_for_the_store_says_why(connection: sa.Connection) -> None:
    rules = """
rules:
  zid-only:
    stores: [ksa]
    while: {product.stock: {at_most: 0}}
    do: [hide]
  no-tags-here:
    while: {product.tags: {contains: sale}}
    do: [unassign_brand]
"""
    assert Desk(connection, rules).sees().tells() == (
        """\
Boot (product 17, SKU B-1) in web
last seen at 14:00, now · rules RULES, in force since 14:00 · times in UTC

Rules that do not run for web
  zid-only: its `stores:` names ksa
  no-tags-here: web (Ecwid) has no product.tags"""
    )


# How it stands.


def test_a_person_who_changed_it_back_wins(connection: sa.Connection) -> None:
    desk = held(connection).later(minutes=16).sees(category_ids=["1"])
    (said,) = desk.says(CODE)
    assert said == (
        "A person changed it back (14:20): the product is in Featured (1). "
        "The person wins: the rule leaves this alone until its condition ends."
    )


def test_a_rule_that_is_overruled_names_the_other(connection: sa.Connection) -> None:
    rules = (
        LEAVES + "  keep:\n    stores: [web]\n    while: {product.brand: Acme}\n    do: [{add_to_category: Featured}]\n"
    )
    desk = held(connection, rules)
    (said,) = desk.says("keep")
    assert said == (
        "It wants to put the product into Featured (1), but is overruled by sold-out-leaves-featured, "
        "which stands before it in the rules."
    )
    assert desk.says(CODE)[1] == "The product goes back into Featured (1) when the condition ends."


def test_two_rules_that_hold_the_same_let_go_together(connection: sa.Connection) -> None:
    rules = (
        LEAVES
        + "  cheap:\n    stores: [web]\n    while: {product.price: 80}\n    do: [{remove_from_category: Featured}]\n"
    )
    assert held(connection, rules).says(CODE)[1] == (
        "The product goes back into Featured (1) when the condition ends, and when cheap lets go as well."
    )


def test_what_nobody_can_tell_changes_nothing(connection: sa.Connection) -> None:
    desk = Desk(connection, LEAVES).sees(without="stock")
    assert "    ? sold out\n      ? tracks_stock is not known\n" in desk.tells()
    assert desk.says(CODE) == ("Nobody can tell whether this is so; until somebody can, it takes nothing.",)


def test_what_nobody_can_tell_keeps_what_is_held(connection: sa.Connection) -> None:
    desk = held(connection).sees(without="stock")
    assert desk.says(CODE)[0] == (
        "Nobody can tell whether this is so; until somebody can, what it holds stays as it is."
    )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (in_stock("mode: watch"), "It only watches: it records what it would do, and calls nothing."),
        (
            in_stock("mode: paused", "because: the buyer is away"),
            "It is paused (the buyer is away): it takes nothing, and what it holds stays.",
        ),
    ],
)
def test_a_rule_that_may_not_act_says_what_it_would_do(connection: sa.Connection, rules: str, expected: str) -> None:
    desk = Desk(connection, rules).sees()
    assert desk.says("in-stock") == (expected, "It would put the product into Sale (2).")


def test_a_paused_rule_lets_go_only_when_it_is_live_again(connection: sa.Connection) -> None:
    desk = held(connection)
    desk.adopt(LEAVES + "    mode: paused\n    because: x\n")
    said = desk.sees(stock=5).says(CODE)
    assert "This is not so any more: once it is live again, the rule lets go of what it holds." in said


def test_what_waits_for_an_answer_names_the_question_and_is_not_said_to_be_done(connection: sa.Connection) -> None:
    desk = Desk(connection, LEAVES).sees().later(minutes=3).sees(stock=0)
    desk.holds_back("waits for an answer: it wants to take 3 products within a day", QuestionId("3f2a81c0-1"))
    desk.asks(QuestionId("3f2a81c0-1"), CODE)
    waits = (
        "waits for an answer: it wants to take 3 products within a day; "
        "`rules-engine questions show 3f2a81c0` tells what is asked"
    )
    assert f"It is to take the product out of Featured (1), but that is held back: {waits}." in desk.says(CODE)
    told = desk.tells()
    assert f"  held back: {CODE} is to take the product out of Featured (1): {waits}\n" in told
    assert "said done" not in told
    desk.asks(QuestionId("3f2a81c0-1"), CODE, QuestionState.YES)
    assert "questions show" not in desk.tells(), "nothing is asked any more"


def test_what_waits_for_a_category_to_fill_says_so(connection: sa.Connection) -> None:
    desk = Desk(connection, LEAVES).sees().later(minutes=3).sees(stock=0)
    waits = "would leave Featured with fewer than 2 products; waits until there are more"
    desk.holds_back(waits)
    assert f"It is to take the product out of Featured (1), but that is held back: {waits}." in desk.says(CODE)


def test_a_rule_waits_for_a_name(connection: sa.Connection) -> None:
    desk = Desk(connection, in_stock(effect="{add_to_category: Salle}")).sees()
    assert desk.says("in-stock") == (
        'It waits, and does nothing in this store: no category "Salle": did you mean "Sale" (2)?',
    )


def test_a_rule_waits_for_its_hours(connection: sa.Connection) -> None:
    desk = Desk(connection, in_stock("between: 09:00 and 12:00")).sees()
    assert desk.says("in-stock")[0] == "It may act only between 09:00 and 12:00: next 21 November 09:00, in 19 hours."
    assert "  21 November 09:00, in 19 hours: in-stock is to put the product into Sale (2), if" in desk.tells()


def test_what_has_to_last_beyond_the_hours_of_its_rule_waits_until_they_open(connection: sa.Connection) -> None:
    desk = Desk(connection, in_stock("must_last: 2 hours", "between: 09:00 and 15:00")).sees()
    said, *_ = desk.says("in-stock")
    assert said.endswith(
        "the rule acts on 21 November 09:00, in 19 hours, when its hours open, if it is still so then."
    )
    assert "  21 November 09:00, in 19 hours: in-stock acts, if its condition is still met then" in desk.tells()


def test_a_rule_that_took_a_product_too_often_waits(connection: sa.Connection) -> None:
    desk = Desk(connection, in_stock("flap_limit: 1")).sees().calls().later(minutes=1).sees(stock=0).calls()
    desk.later(minutes=1).sees().later(minutes=1).sees(stock=4)
    assert desk.says("in-stock")[0] == (
        "It is to put the product into Sale (2), but is put off: taken once in 24 hours; waits until 2026-11-21 14:00 "
        "(UTC)."
    )


def test_what_is_so_anyway_needs_nothing(connection: sa.Connection) -> None:
    desk = Desk(connection, in_stock(effect="{add_to_category: Featured}")).sees()
    assert desk.says("in-stock") == ("Nothing to do: the product is in Featured (1) anyway.",)


def test_what_the_shop_does_not_show_is_not_touched(connection: sa.Connection) -> None:
    desk = Desk(connection, in_stock(effect="hide")).sees(without="published")
    assert desk.says("in-stock") == ("The shop does not show whether the product is hidden, so nothing is called.",)


def test_what_was_given_up_says_where_to_look(connection: sa.Connection) -> None:
    desk = Desk(connection, LEAVES).sees(stock=0).calls(PermanentError("The shop answered 404: no such category."))
    (said,) = desk.says(CODE)
    assert said.startswith(
        "Given up: to take the product out of Featured (1) (The shop answered 404: no such category). "
        "`rules-engine dead-letters show "
    )


def test_what_was_asked_of_the_shop_without_an_answer_is_not_known(connection: sa.Connection) -> None:
    desk = Desk(connection, LEAVES).sees(stock=0).calls(TemporaryError("no answer"))
    assert desk.says(CODE)[0] == (
        "The shop was asked to take the product out of Featured (1); whether it did is not known yet."
    )


def test_what_stays_afterwards_is_not_said_to_go_back(connection: sa.Connection) -> None:
    desk = held(connection, LEAVES + "    afterwards: leave\n")
    assert desk.says(CODE)[1] == "It stays so when the condition ends."


def test_unless_says_whether_it_applies(connection: sa.Connection) -> None:
    rules = LEAVES + "    unless: {product.attributes.Featured: always}\n"
    assert "    ✓ unless: does not apply\n      ✗ Featured is empty" in Desk(connection, rules).sees(stock=0).tells()
    desk = Desk(connection, rules).later(minutes=1).sees(attributes={"Featured": "always"})
    assert '    ✗ unless: applies\n      ✓ Featured is "always"' in desk.tells()


def test_conditions_see_a_held_slot_as_it_was_before(connection: sa.Connection) -> None:
    rules = LEAVES.replace("while: sold out", "while: {product.categories: {contains: Featured}}")
    assert (
        '    ✓ categories are "Featured"\n  → It keeps the product out of Featured (1)'
        in held(connection, rules).tells()
    )


def test_what_the_clock_ended_is_let_go_at_the_next_look(connection: sa.Connection) -> None:
    rules = IN_STOCK.replace("{product.stock: {at_least: 1}}", "{now.date: 2026-11-20}")
    desk = Desk(connection, rules).sees().calls().later(minutes=1).sees().later(hours=10)
    assert desk.says("in-stock")[0] == "This is not so any more: at the next look the rule lets go of what it holds."


# Moments.

TURNS = """
rules:
  cheap:
    stores: [web]
    as_soon_as: {product.price: {at_most: 90}}
    do: [{add_to_category: Sale}]
"""


def test_the_first_sight_is_no_moment(connection: sa.Connection) -> None:
    (said,) = Desk(connection, TURNS).sees().says("cheap")
    assert said.startswith("The product is as it was when it was seen for the first time, which is no moment")


def test_what_was_met_already_is_no_moment(connection: sa.Connection) -> None:
    desk = Desk(connection, TURNS).sees().later(minutes=5).sees(price=70).later(minutes=1).sees()
    assert desk.says("cheap") == (
        "It acts when this turns from unmet to met, and it was met already before the product last changed (14:05).",
    )


def test_a_moment_that_came_says_when(connection: sa.Connection) -> None:
    desk = Desk(connection, TURNS).sees(price=95).later(minutes=5).sees(price=70).later(minutes=2)
    assert desk.says("cheap") == ("It last acted at 14:05, 2 minutes ago.",)
    assert "What comes next\n  now: cheap is to put the product into Sale (2)" in desk.tells()


def test_a_moment_is_remembered_when_others_did_much_since(connection: sa.Connection) -> None:
    desk = Desk(
        connection, TURNS + LEAVES.partition("rules:\n")[2].replace("while: sold out", "while: {product.stock: 0}")
    )
    desk.sees(price=95).later(minutes=5).sees(price=70).calls()
    for stock in (0, 5, 0, 5, 0, 5):
        desk.later(minutes=1).sees(stock=stock)
    assert desk.says("cheap")[0] == "It last acted at 14:05, 6 minutes ago."
    assert {each.trace.rule for each in desk.why().facts.told} == {CODE}
    assert {each.trace.rule for each in desk.why(only="cheap").facts.told} == {"cheap"}


def test_a_change_is_told_from_what_to_what(connection: sa.Connection) -> None:
    rules = TURNS.replace("{product.price: {at_most: 90}}", "{product.price: {falls_below: 90}}")
    desk = Desk(connection, rules).sees(price=95).later(minutes=5).sees(price=70)
    assert "    ✓ price was 95, now 70\n" in desk.tells()


def test_a_moment_that_may_come_says_how(connection: sa.Connection) -> None:
    desk = Desk(connection, TURNS).sees(price=95)
    assert desk.says("cheap") == ("It acts at the moment when this turns to met.",)
    desk.adopt(TURNS.replace("{at_most: 90}", "{falls_below: 90}"))
    assert desk.says("cheap") == ("It acts at the moment when this happens.",)


# Other times.


def test_the_past_is_judged_by_what_was_known_and_in_force_then(connection: sa.Connection) -> None:
    desk = held(connection).later(minutes=6).sees(stock=5).calls().later(minutes=1).sees().later(days=2)
    old = desk.hash[:12]
    desk.adopt(IN_STOCK)
    told = desk.tells(at=START + timedelta(minutes=8)).replace(old, "OLD")
    assert told == (
        """\
Boot (product 17, SKU B-1) in web
as it was on 20 November 14:08, 2 days ago · rules OLD, in force since 20 November 14:00 · times in UTC

sold-out-leaves-featured: Sold-out products leave Featured and come back when restocked
  while
    ✓ sold out
      ✓ tracks_stock is true
      ✓ can_be_ordered is false
  → It keeps the product out of Featured (1) since 20 November 14:03 (after the webhook product.updated, delivery d-1).
  → The product goes back into Featured (1) when the condition ends.

What happened
  20 November 14:03  sold-out-leaves-featured: its condition began to hold; takes it out of Featured (1) (rules OLD)
  20 November 14:10  sold-out-leaves-featured: its condition ended; gives back: puts it into Featured (1) (rules OLD)"""
    )


def test_before_a_hold_began_it_is_not_told(connection: sa.Connection) -> None:
    (rule,) = held(connection).why(at=START + timedelta(minutes=1)).rules
    assert (rule.says, rule.held) == (("This is not so, and the rule does nothing with the product.",), ())


def test_a_past_stretch_that_had_lasted_is_told_by_what_it_held(connection: sa.Connection) -> None:
    desk = Desk(connection, in_stock("must_last: 5 minutes")).sees().later(minutes=5).sees().calls()
    desk.later(minutes=1).sees(stock=0).calls().later(minutes=1).sees().later(minutes=1).sees(stock=2)
    assert desk.says("in-stock", at=START + timedelta(minutes=5))[0].startswith("It keeps the product in Sale (2)")
    assert desk.says("in-stock", at=START + timedelta(minutes=2)) == (
        "This must last 5 minutes; since when it had been so is not kept.",
    )


def test_before_the_first_sight_nothing_was_known(connection: sa.Connection) -> None:
    assert Desk(connection, LEAVES).sees().tells(at=START - timedelta(hours=1)) == (
        """\
Boot (product 17, SKU B-1) in web
as it was at 13:00, 1 hour ago · rules RULES · times in UTC
! No rules were in force then: this is by the rule files of today.
! The engine did not know this product yet."""
    )


def test_a_past_that_is_not_kept_any_more_is_said_to_be_so(connection: sa.Connection) -> None:
    desk = held(connection).later(days=40).sees(stock=5)
    connection.execute(sa.delete(history).where(history.c.until < desk.at - timedelta(days=30)))
    note = desk.why(at=START + timedelta(minutes=1)).notes[0]
    assert note.startswith("How it was on 20 November 14:01, 40 days ago, is not kept any more")


def test_a_time_to_come_is_judged_as_if_nothing_changes(connection: sa.Connection) -> None:
    rules = IN_STOCK.replace("{product.stock: {at_least: 1}}", "{now.date: {between: 2026-12-01 and 2026-12-31}}")
    desk = Desk(connection, rules).sees()
    assert desk.why().next[0].at == datetime(2026, 12, 1, tzinfo=UTC)
    why = desk.why(at=datetime(2026, 12, 5, tzinfo=UTC))
    assert why.notes == ("This is how it would be on 5 December 00:00, in 14 days, if nothing changes until then.",)
    assert why.rules[0].says == ("It would put the product into Sale (2).",)


def test_the_clock_turns_nothing_of_a_rule_that_is_paused(connection: sa.Connection) -> None:
    rules = in_stock("mode: paused", "because: x").replace("product.stock: {at_least: 1}", "now.date: 2026-11-21")
    assert Desk(connection, rules).sees().why().next == ()


def test_one_rule_alone_is_told_with_what_comes_next_for_it(connection: sa.Connection) -> None:
    more = """
  tomorrow:
    stores: [web]
    while: {now.date: 2026-11-21}
    do: [hide]
  about-categories:
    about: category
    stores: [ksa]
    while: {category.published: false}
    do: [empty_category]
"""
    desk = Desk(connection, IN_STOCK + more).sees()
    assert [each.text for each in desk.why().next] == [
        "in-stock is to put the product into Sale (2)",
        "the clock may turn the condition of tomorrow",
    ]
    assert len(desk.why(only="in-stock").next) == len(desk.why(only="tomorrow").next) == 1
    assert desk.why(only="about-categories").next == ()
    assert desk.why().elsewhere == ()


# What stands in the way of everything.


def test_a_parked_store_is_said_before_the_rules(connection: sa.Connection) -> None:
    desk = Desk(connection, LEAVES).sees(stock=0)
    save_lane(connection, WEB, parked_because="The shop refuses our token.")
    assert desk.why().notes == ("The store is parked, and nothing is called: The shop refuses our token.",)


def test_a_shop_that_is_left_alone_says_until_when(connection: sa.Connection) -> None:
    desk = Desk(connection, LEAVES).sees(stock=0)
    save_lane(connection, WEB, blocked_until=desk.at + timedelta(minutes=2))
    assert desk.why().notes == ("The shop is left alone until 14:02, in 2 minutes; then calls go on.",)


def test_a_product_that_is_gone_is_said_to_be(connection: sa.Connection) -> None:
    told = held(connection).later(minutes=1).finds_gone().tells()
    assert "! The shop said that this product no longer exists: no rule does anything with it.\n" in told
    assert "while" not in told


def test_what_a_vanished_rule_holds_is_named(connection: sa.Connection) -> None:
    desk = held(connection)
    desk.adopt(IN_STOCK)
    assert desk.why().notes == (
        "sold-out-leaves-featured, which is in these rules no more, keeps the product out of Featured (1).",
    )


# Rules about categories.

EMPTIES = """
rules:
  offline-is-emptied:
    stores: [web]
    about: category
    while: {category.published: false}
    do: [empty_category]
"""


def test_a_rule_about_categories_is_told_for_the_product_that_it_holds(connection: sa.Connection) -> None:
    desk = Desk(connection, EMPTIES).sees()
    assert desk.why().rules == ()
    desk.later(minutes=1).sees_category("1", name="Featured", parent_id=None, published=False)
    desk.sees().calls().later(minutes=1).sees()
    assert """
offline-is-emptied (for Featured)
  while
    ✓ published is false
  → It keeps the product out of Featured (1) since 14:01 (after the webhook product.updated, delivery d-1).
  → The product goes back into Featured (1) when the condition ends.
""" in desk.tells()


def test_a_category_is_told_like_a_product(connection: sa.Connection) -> None:
    told = Desk(connection, EMPTIES).sees().tells("featured")
    assert told.startswith("Featured (category 1) in web\n")
    assert (
        "    ✗ published is true, must be false\n  → This is not so, and the rule does nothing with the category."
        in told
    )


# Programs.


def test_programs_get_plain_values(connection: sa.Connection) -> None:
    plain = as_plain(held(connection).why())
    rules = plain["rules"]
    assert isinstance(rules, list)
    (rule,) = rules
    assert (plain["store"], plain["id"], plain["name"], plain["is_exact"]) == ("web", "17", "Boot", True)
    assert rule["condition"][1] == {"depth": 1, "truth": "met", "text": "tracks_stock is true", "kind": "field"}
    (hold,) = rule["holds"]
    assert (hold["state"], hold["wish"], hold["baseline"]) == ("holding", False, True)
    assert hold["slot"] == {"aspect": "membership", "target": "1"}
