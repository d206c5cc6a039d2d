"""`check --stores` asks the shops what the names in the rules mean there, and says so when it cannot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import pytest
from command_house import House, Shop
from engine_world import BRANDS, KSA, WEB, rulebook, stores

from rules_engine.app import Outside
from rules_engine.commands.check_stores import Listing, ask_stores
from rules_engine.core.action import Request, Response
from rules_engine.core.errors import PermanentError, TemporaryError

WRONG = """\
rules:
  leaves:
    stores: [web, ksa]
    while: {product.stock: {at_most: 0}}
    do:
      - remove_from_category: [Featurd, {under: Brandz}]
    if_no_category_is_left: {add_to_category: Unsortd}
  ends:
    stores: [brands]
    as_soon_as: {product.brand: empty}
    do: [{assign_brand: Acmee}]
"""
RIGHT = "rules: {leaves: {stores: [web, ksa], while: {product.stock: 0}, do: [{remove_from_category: Shoes}]}}\n"

Send = Callable[[Request], Awaitable[Response]]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


# Against sandbox shops, over HTTP.


def test_the_shipped_rules_name_what_the_sandbox_has(house: House) -> None:
    with house.shops() as shops:
        result = house.run("check", "--stores")
        assert result.exit_code == 0, result.output
        assert "web (Ecwid) was asked: 7 categories were read.\n" in result.stdout
        assert "b2b (Zave) cannot be asked for names: what counts is what stores.yaml says of them.\n" in result.stdout
        assert "ksa" not in result.stdout, "its rules name nothing"
        assert _calls(shops["ksa"]) == []
        assert all(shop.writes() == [] for shop in shops.values())


def test_every_wrong_name_is_told_at_its_place_once_for_each_store(house: House) -> None:
    house.write("wrong.yaml", WRONG)
    with house.shops():
        problems = house.run_json("check", "--stores", code=1)["problems"]
    assert [(each["line"], each["column"], each["length"], each["message"]) for each in problems] == [
        (6, 32, 7, 'no category "Featurd" in store "web"'),
        (6, 32, 7, 'no category "Featurd" in store "ksa"'),
        (6, 49, 6, 'no category "Brandz" in store "web"'),
        (6, 49, 6, 'no category "Brandz" in store "ksa"'),
        (7, 47, 7, 'no category "Unsortd" in store "web"'),
        (7, 47, 7, 'no category "Unsortd" in store "ksa"'),
        (11, 25, 5, 'no brand "Acmee" in store "brands"'),
    ]
    assert problems[0]["help"] == 'did you mean "Featured" (9691094)?'
    assert problems[2]["help"] == 'did you mean "Brands" (9691096)?'
    assert "Shoes" in problems[1]["help"]
    assert {each["severity"] for each in problems} == {"error"}


def test_where_a_brand_has_no_id_but_its_name_any_will_do(house: House) -> None:
    house.write("brand.yaml", "rules: {a: {stores: [web], while: {product.stock: 0}, do: [{assign_brand: Initech}]}}\n")
    with house.shops():
        assert house.run_json("check", "--stores")["problems"] == []


def test_a_wrong_name_is_an_annotation_too(house: House) -> None:
    house.write("wrong.yaml", WRONG)
    with house.shops():
        lines = house.run("check", "--stores", "--format", "github").stdout.splitlines()
    place = "file=rules/wrong.yaml,line=6,col=32,endColumn=39"
    assert lines[0] == (
        f'::error {place},title=unknown-category::no category "Featurd" in store "web"'
        '%0Adid you mean "Featured" (9691094)?'
    )
    assert len(lines) == 7


def test_two_categories_of_one_name_are_told_apart(house: House) -> None:
    house.write("right.yaml", RIGHT)
    with house.shops() as shops:
        shops["web"].edit("add_category", "Shoes")
        (problem,) = house.run_json("check", "--stores", code=1)["problems"]
    assert (problem["code"], problem["message"]) == (
        "ambiguous-category",
        '2 categories are called "Shoes" in store "web"',
    )


def test_a_store_without_its_variables_is_named_and_the_others_are_asked(house: House) -> None:
    house.write("right.yaml", RIGHT)
    with house.shops():
        result = house.run("check", "--stores", WEB_TOKEN="")
    assert result.exit_code == 0
    assert ":7:3: warning: web was not asked: set WEB_TOKEN in the environment\n" in result.stdout
    assert "    7 |   web:  " in result.stdout
    assert "[store-not-asked]" in result.stdout
    assert "ksa (Zid) was asked: 4 categories were read.\n" in result.stdout
    assert result.stdout.endswith("no errors, 1 warning.\n")


def test_what_only_stores_yaml_can_say_is_told_without_any_variable(house: House) -> None:
    house.write("wrong.yaml", WRONG)
    house.environment |= dict.fromkeys(_SECRETS, "")
    problems = house.run_json("check", "--stores", code=1)["problems"]
    assert [each["code"] for each in problems if each["severity"] == "error"] == ["unknown-brand"]
    assert [each["code"] for each in problems if each["severity"] == "warning"] == ["store-not-asked"] * 2


def test_offline_the_same_names_are_no_errors(house: House) -> None:
    house.write("wrong.yaml", WRONG)
    found = house.run_json("check")
    assert [(each["code"], each["severity"]) for each in found["problems"]] == [("unknown-brand", "warning")]
    assert found["asked"] == {}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 500, "times": 9}, "Ecwid has a fault of its own"),
        ({"status": 429, "times": 9}, "web could not be asked: "),
        ({"kind": "drop", "times": 9}, "hung up before its answer was complete"),
        ({"status": 302, "times": 9}, "web could not be asked: "),
        ({"status": 404, "times": 9}, "web could not be asked: "),
        ({"status": 200, "body": "no list", "times": 9}, "web could not be asked: "),
    ],
)
def test_a_shop_that_does_not_answer_as_it_should_is_a_warning_in_a_sentence(
    house: House, fault: dict[str, object], said: str
) -> None:
    house.write("right.yaml", RIGHT)
    with house.shops() as shops:
        shops["web"].fail(**fault)
        result = house.run("check", "--stores")
    assert result.exit_code == 0
    assert said in result.stdout
    assert "ksa (Zid) was asked" in result.stdout
    assert "Traceback" not in result.output


def test_a_shop_that_refuses_the_token_says_so_without_showing_it(house: House) -> None:
    with house.shops():
        result = house.run("check", "--stores", WEB_TOKEN="secret_wrong_token")
    assert "web could not be asked: Ecwid refuses our token" in result.stdout
    assert "secret_wrong_token" not in result.output


def test_nobody_is_asked_while_the_files_are_wrong(house: House) -> None:
    house.write("broken.yaml", "rules: {a: {while: {product.stok: 0}, do: [hide]}}\n")
    with house.shops() as shops:
        found = house.run_json("check", "--stores", code=1)
        assert [each["code"] for each in found["problems"]] == ["unknown-field"]
        assert _calls(shops["web"]) == []


def test_a_wrong_setting_counts_only_where_it_is_needed(house: House) -> None:
    assert house.run("check", ALLOW_PRIVATE_HOSTS="perhaps").exit_code == 0
    result = house.run("check", "--stores", ALLOW_PRIVATE_HOSTS="perhaps")
    assert result.exit_code == 2
    assert result.stderr == "ALLOW_PRIVATE_HOSTS is not usable: set it to true or false.\n"


# How shops are asked, without any.


def asked(send: Send, text: str = RIGHT, patience: float = 60) -> Mapping[str, Listing]:
    """What comes of asking the stores of a rule file, by their names."""
    found = asyncio.run(ask_stores(stores(), rulebook(text), send, Outside(), patience=patience))
    return {each.store: each for each in found}


def _answer(request: Request, **body: object) -> Response:
    whole = body or {"items": [], "total": 0, "categories": []}
    return Response(200, Outside().now(), {"content-type": "application/json"}, json.dumps(whole).encode())


def test_all_shops_are_asked_at_once() -> None:
    async def run() -> list[Listing]:
        everybody = asyncio.Barrier(2)

        async def send(request: Request) -> Response:
            async with asyncio.timeout(10):
                await everybody.wait()  # nobody is answered before both were asked
            return _answer(request)

        return await ask_stores(stores(), rulebook(RIGHT), send, Outside())

    assert [(each.store, each.failed) for each in asyncio.run(run())] == [(WEB, False), (KSA, False)]


def test_a_shop_that_never_answers_is_not_waited_for_and_delays_no_other() -> None:
    async def send(request: Request) -> Response:
        if "37213" not in request.url and "zid" not in request.url:
            await asyncio.Event().wait()
        return _answer(request)

    found = asked(send, patience=0.2)
    assert found[WEB].said == "web could not be asked: it did not show its categories within 0.2 seconds."
    assert not found[KSA].failed


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TemporaryError("The shop sleeps."), "The shop sleeps."),
        (PermanentError("There is no such host."), "There is no such host."),
        (KeyError("whatever"), "its answer could not be read."),
    ],
)
def test_whatever_goes_wrong_is_one_sentence(error: Exception, said: str) -> None:
    async def send(request: Request) -> Response:
        raise error

    assert asked(send)[WEB] == Listing(WEB, f"web could not be asked: {said}", failed=True)


def test_a_store_without_names_in_its_rules_is_left_alone() -> None:
    async def send(request: Request) -> Response:
        raise AssertionError(request.url)

    assert asked(send, "rules: {hides: {stores: [web], while: {product.stock: 0}, do: [hide]}}\n") == {}
    only_a_brand = "rules: {ends: {stores: [brands], while: {product.stock: 0}, do: [{assign_brand: Acme}]}}\n"
    assert [(each.store, each.failed) for each in asked(send, only_a_brand).values()] == [(BRANDS, False)]


_SECRETS = ("WEB_TOKEN", "KSA_AUTHORIZATION", "B2B_AUTH", "BRANDS_TOKEN")


def _calls(shop: Shop) -> list[str]:
    return [call["path"] for call in httpx.get(f"{shop.base_url}/__sandbox/calls").json()]
