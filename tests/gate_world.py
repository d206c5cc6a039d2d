"""What the tests of the gate share: rules with limits, products that sell out, and people who answer."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from engine_world import WEB, World

from rules_engine.core.delivery import StoreAlias
from rules_engine.core.plan import ActionState
from rules_engine.core.question import Question, QuestionState
from rules_engine.database.answers import answer
from rules_engine.database.questions import load_questions
from rules_engine.database.tables import actions, notices, traces
from rules_engine.sandbox.ecwid_catalogue import FEATURED, SHOES

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def sold_out_leaves(*guards: str, store: str = "web", category: str = "Featured") -> str:
    """A rule that takes what is sold out out of a category, with these keys besides."""
    more = "".join(f"    {guard}\n" for guard in guards)
    return f"""
rules:
  sold-out-leaves:
    stores: [{store}]
    while: {{product.stock: {{at_most: 0}}}}
    do: [{{remove_from_category: {category}}}]
{more}"""


def stock(world: World, count: int, *, categories: tuple[int, ...] = (FEATURED, SHOES)) -> list[str]:
    """So many new products that are in stock, in the Ecwid shop; their ids."""
    return [
        str(world.web.add_product(category_ids=list(categories), name=f"Shoe {n}", quantity=3, unlimited=False))
        for n in range(count)
    ]


def featured(world: World, ids: list[str]) -> list[str]:
    """Which of these products are in Featured."""
    return [id_ for id_ in ids if id_ in world.members(WEB).get(str(FEATURED), set())]


async def sell(world: World, ids: list[str]) -> None:
    """They sell out all together, and the engine hears of it."""
    for id_ in ids:
        world.web.sell_out(id_)
    await world.settle()


async def restock(world: World, ids: list[str]) -> None:
    """They are in stock again all together, and the engine hears of it."""
    for id_ in ids:
        world.web.restock(id_, 5)
    await world.settle()


async def asked(world: World, alias: StoreAlias = WEB, *states: QuestionState) -> list[Question]:
    """The questions in these states, else those that wait."""
    wanted = states or (QuestionState.GATHERING, QuestionState.OPEN)
    return await world.database.read(partial(load_questions, store=alias, states=wanted))


async def the_question(world: World, alias: StoreAlias = WEB) -> Question:
    """The one question that waits."""
    (question,) = await asked(world, alias)
    return question


async def say(world: World, question: Question, *, is_yes: bool) -> None:
    """A person answers, and the engine goes on."""
    told = partial(answer, question=question, is_yes=is_yes, said="", now=world.clock(), stores=list(world.lanes))
    await world.database.write(told)
    await world.settle()


async def held(world: World) -> list[dict[str, Any]]:
    """What is held back."""
    return [row for row in await world.every(actions) if row["state"] == ActionState.HELD.value]


async def said(world: World, id_: str) -> list[str]:
    """The sentences of the traces of a product, oldest first."""
    return [row["text"] for row in await world.every(traces) if row["subject"] == id_]


async def told(world: World) -> list[dict[str, Any]]:
    """The notices of questions."""
    return [row for row in await world.every(notices) if row["text"].startswith("asks")]
