"""`plan`: what the rules on disk would do, in words, as a pull request's comment or as JSON; and nothing is done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from command_house import House
from remembered import FEATURED, SHOP, a_category, a_product, dump, remember

from rules_engine.core.delivery import StoreAlias
from rules_engine.sandbox.stores import ENVIRONMENT

WEB = StoreAlias("web")
EARLIER = """
rules:
  sold-out-leaves-featured:
    title: Few pieces leave Featured
    stores: [web]
    while: {product.stock: {at_most: 2}}
    do: [{remove_from_category: Featured}]
"""
LATER = EARLIER.replace("at_most: 2", "at_most: 0").replace("stores", "formerly: old\n    stores")
GIT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull} | {
    f"GIT_{who}_{what}": "tests@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house whose web shop was seen, with one rule, and without any secret."""
    house = House(tmp_path)
    for name in ("brands.yaml", "categories.yaml"):
        (house.rules / name).unlink()
    house.write("featured.yaml", LATER)
    house.run("migrate")
    for name in ENVIRONMENT:
        del house.environment[name]
    with house.database() as database:
        remember(database, WEB, [*SHOP, a_category("0", "Store front page"), a_product("5", "Last Boot", stock=1)])
    return house


def git(house: House, *arguments: str) -> None:
    environment = {"PATH": os.environ["PATH"], **GIT}
    subprocess.run(["git", "-C", str(house.folder), *arguments], check=True, capture_output=True, env=environment)


def commit(house: House) -> None:
    if not (house.folder / ".git").exists():
        git(house, "init", "--initial-branch=main")
    git(house, "add", "rules")
    git(house, "commit", "--message=rules")


def test_a_plan_says_in_words_what_would_happen(house: House) -> None:
    result = house.run("plan", "--store", "web")
    assert result.exit_code == 0
    assert result.stdout == (
        "web (Ecwid): 1 rule would touch 2 of 5 products: 2 taken out. "
        "1 call, after 4 calls to look: about a second at the shop's rate.\n"
        "\n"
        "sold-out-leaves-featured: Few pieces leave Featured\n"
        "  rules/featured.yaml:3\n"
        "  would be taken out of Featured (9691094): 2 products\n"
        "    City Walker (S-2)\n"
        "    Trail Runner (S-1)\n"
        "  ! 1 of the products would be in no category any more, and the shop puts them into Store front page (0)\n"
        "  ! what comes back later loses the position inside the category\n"
    )


def test_long_lists_are_cut_where_the_limit_says(house: House) -> None:
    assert "    City Walker (S-2)\n    and 1 more\n" in house.run("plan", "--store", "web", "--limit", "1").stdout
    assert "    (not listed)\n" in house.run("plan", "--store", "web", "--limit", "0").stdout


def test_a_store_of_which_nothing_was_seen_says_what_to_do(house: House) -> None:
    said = house.run("plan", "--store", "ksa").stdout
    assert said.startswith("ksa (Zid): nothing of it was seen yet. Run `rules-engine serve`")


def test_a_store_of_which_only_categories_were_seen_says_so(house: House) -> None:
    with house.database() as database:
        remember(database, StoreAlias("ksa"), [a_category("540", "Summer")])
    house.write("again.yaml", "rules: {hides: {stores: [ksa], while: {product.stock: 0}, do: [hide]}}")
    for arguments in ((), ("--against", str(house.rules))):
        said = house.run("plan", "--store", "ksa", *arguments).stdout
        assert "ksa (Zid): none of its products was seen yet, only 1 category. Run `rules-engine serve`" in said
        assert "Would do nothing" not in said


def test_a_name_with_a_line_break_makes_no_line_of_its_own(house: House) -> None:
    with house.database() as database:
        remember(database, WEB, [a_product("8", "Boot\n\nweb (Ecwid): nothing would change", stock=0)])
    assert "    Boot  web (Ecwid): nothing would change (S-8)\n" in house.run("plan", "--store", "web").stdout


def test_a_plan_without_a_database_says_what_to_do(tmp_path: Path) -> None:
    result = House(tmp_path).run("plan")
    assert result.exit_code == 1
    assert "`rules-engine serve` makes it" in result.stderr


def test_invalid_rules_are_told_with_their_places(house: House) -> None:
    house.write("featured.yaml", LATER.replace("product.stock", "product.stok"))
    result = house.run("plan")
    assert result.exit_code == 1
    assert 'rules/featured.yaml:7:13: error: there is no field "product.stok"' in result.stderr
    assert house.run_json("plan", code=1)["problems"][0]["code"] == "unknown-field"


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (("--store", "wb"), 'did you mean "web"?\n'),
        (("--store", "warehouse"), "it has web, ksa, b2b and brands.\n"),
        (("--rule", "sold-out-leave-featured"), 'did you mean "sold-out-leaves-featured"?\n'),
        (("--markdown", "--json"), "choose one"),
        (("--against", "nowhere"), "is not in a git repository"),
        (("--against", " "), "--against names nothing"),
        (("--against=-p",), "is no folder, no rulebook that ran, and no git revision"),
    ],
)
def test_what_cannot_be_shown_is_wrong_usage_with_advice(house: House, arguments: tuple[str, ...], advice: str) -> None:
    result = house.run("plan", *arguments)
    assert result.exit_code == 2
    assert advice in result.stderr


def test_a_plan_as_json_has_everything(house: House) -> None:
    made = house.run_json("plan", "--store", "web")
    (store,) = made["stores"]
    assert (store["products"], store["touched"], store["calls"], store["reads"]) == (5, 2, 1, 4)
    (rule,) = store["rules"]
    assert [(each["product"]["name"], each["action"], each["doing"]) for each in rule["products"]] == [
        ("City Walker", "remove_from_category", "taken"),
        ("Trail Runner", "remove_from_category", "taken"),
    ]
    assert made["against"] is None


def test_a_pull_requests_comment_is_not_steered_by_names(house: House) -> None:
    with house.database() as database:
        remember(database, WEB, [a_product("8", "<b>|`@all` #1 [x](y)\n## big", stock=0)])
    said = house.run("plan", "--store", "web", "--markdown").stdout
    assert "&#60;b&#62;&#124;&#96;&#64;all&#96; &#35;1 &#91;x&#93;&#40;y&#41; &#35;&#35; big | S-8 | 8 |" in said
    assert said.count("<details>") == said.count("</details>") == 1
    assert "| sold-out-leaves-featured | would be taken out of Featured &#40;9691094&#41; | 3 |" in said


def test_a_shops_words_cannot_steer_the_terminal(house: House) -> None:
    with house.database() as database:
        remember(database, WEB, [a_category(FEATURED, "\x1b[2JFeatured"), a_product("8", "\x1b[2Jgone", stock=0)])
    assert "\x1b" not in house.run("plan").stdout


def test_the_difference_from_a_git_revision_is_what_would_be_different(house: House) -> None:
    house.write("featured.yaml", EARLIER)
    commit(house)
    house.write("featured.yaml", LATER)
    house.write("more.yaml", EARLIER.replace("sold-out-leaves-featured", "more"))
    result = house.run("plan", "--store", "web", "--against", "main")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        "Compared with main: added: more; edited: sold-out-leaves-featured.\n"
        "\n"
        "web (Ecwid): 1 of 5 products would be treated differently.\n"
        "\n"
        "more\n"
        "  would now also be taken out of Featured (9691094): 1 product\n"
        "    Last Boot (S-5)\n"
    )
    assert "  would no longer be taken out of Featured (9691094): 1 product\n    Last Boot (S-5)\n" in result.stdout


def test_an_earlier_revision_is_read_as_it_was(house: House) -> None:
    house.write("featured.yaml", EARLIER)
    commit(house)
    house.write("featured.yaml", LATER)
    commit(house)
    made = house.run_json("plan", "--store", "web", "--against", "HEAD~1")
    (differs,) = made["stores"][0]["differs"]
    assert (differs["only_in"], differs["product"]["name"]) == ("other", "Last Boot")


def test_a_revision_that_git_does_not_know_is_wrong_usage(house: House) -> None:
    commit(house)
    result = house.run("plan", "--against", "nowhere")
    assert result.exit_code == 2
    assert "no revision that git knows here" in result.stderr


def test_a_revision_without_rule_files_is_said(house: House) -> None:
    git(house, "init", "--initial-branch=main")
    git(house, "commit", "--allow-empty", "--message=nothing")
    result = house.run("plan", "--against", "HEAD")
    assert result.exit_code == 2
    assert "There were no rule files in" in result.stderr


def test_the_same_rules_at_a_revision_make_no_difference(house: House) -> None:
    commit(house)
    said = house.run("plan", "--store", "web", "--against", "HEAD", "--markdown").stdout
    assert "Compared with HEAD&#58; the rules say the same." in said
    assert "both would do the same with 5 products." in said


def test_rules_are_compared_with_those_of_a_folder(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "featured.yaml").write_text(EARLIER)
    made = house.run_json("plan", "--store", "web", "--against", str(other))
    assert made["changes"]["edited"] == ["sold-out-leaves-featured"]
    (differs,) = made["stores"][0]["differs"]
    assert (differs["only_in"], differs["product"]["name"]) == ("other", "Last Boot")


def test_rules_are_compared_with_a_rulebook_that_ran(house: House) -> None:
    house.write("featured.yaml", EARLIER)
    house.environment |= ENVIRONMENT
    ran = house.run_json("release")["rulebook"]
    house.write("featured.yaml", LATER)
    made = house.run_json("plan", "--store", "web", "--against", ran[:8])
    assert [each["product"]["name"] for each in made["stores"][0]["differs"]] == ["Last Boot"]


def test_rules_that_are_not_valid_any_more_are_told_apart_from_those_on_disk(house: House, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "featured.yaml").write_text("rules: {a: {}}")
    result = house.run("plan", "--against", str(other))
    assert result.exit_code == 1
    assert f"The rules to compare with ({other}) are not valid here:" in result.stderr


def test_a_plan_leaves_the_database_as_it_was(house: House) -> None:
    before = dump(house.file)
    assert house.run("plan").exit_code == 0
    assert house.run("plan", "--against", str(house.rules)).exit_code == 0
    assert dump(house.file) == before
