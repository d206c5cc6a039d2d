"""The names in rules are compared with what a shop has: each that is not one category there is told at its place."""

from __future__ import annotations

import pytest
from core_builders import DIRECTORY, FEATURED
from engine_world import B2B, BRANDS, KSA, WEB, rulebook, stores

from rules_engine.core.directory import CategoryEntry, Directory
from rules_engine.core.problem import Problem, Severity
from rules_engine.core.store import Names, Store
from rules_engine.preview.names import names_brands, names_categories, report_names
from rules_engine.rulebook.report import Report

TEXT = """\
rules:
  leaves:
    stores: [web]
    while: {product.stock: {at_most: 0}}
    do:
      - remove_from_category: TARGET
"""


def store(alias: str) -> Store:
    return next(each for each in stores() if each.alias == alias)


def problems(
    text: str, *, alias: str = WEB, directory: Directory = DIRECTORY, is_listed: bool = True
) -> tuple[Problem, ...]:
    """What is said of the names in a rule file."""
    report = Report()
    report.add_file("rules/a.yaml", text)
    report_names(report, rulebook({"rules/a.yaml": text}), store(alias), directory, is_listed=is_listed)
    return report.problems


def of_target(target: str, **how: object) -> list[tuple[str, str, str, str]]:
    """What is said of one target: code, what is underlined, message and help."""
    found = problems(TEXT.replace("TARGET", target), **how)  # type: ignore[arg-type]  # handed on as it came
    assert all(problem.severity is Severity.ERROR for problem in found)
    return [(each.code, _underlined(each), each.message, each.help) for each in found]


def _underlined(problem: Problem) -> str:
    start = problem.place.column - 1
    return problem.source[start : start + problem.place.length]


def test_the_whole_message_is_as_it_is_documented() -> None:
    (problem,) = problems(TEXT.replace("TARGET", "Featurd"))
    assert problem.render() == (
        'rules/a.yaml:6:31: error: no category "Featurd" in store "web"\n'
        "    6 |       - remove_from_category: Featurd\n"
        "      |                               ^^^^^^^\n"
        f'   help: did you mean "Featured" ({FEATURED})?   [unknown-category]'
    )


@pytest.mark.parametrize("target", ["Featured", "Brands / Acme", "{under: Brands}", "{id: 10}", "all", "[Sale, Acme]"])
def test_of_a_name_that_is_right_nothing_is_said(target: str) -> None:
    assert of_target(target) == []


@pytest.mark.parametrize(
    ("target", "underlined", "said"),
    [
        ("{under: Brandz}", "Brandz", 'no category "Brandz"'),
        ('{under: "Brandz"}', "Brandz", 'no category "Brandz"'),
        ("[Sale, Brandz]", "Brandz", 'no category "Brandz"'),
        ("{id: 77}", "77", "no category with the id 77"),
        ("{under: {id: 77}}", "77", "no category with the id 77"),
    ],
)
def test_the_name_itself_is_underlined(target: str, underlined: str, said: str) -> None:
    ((code, marked, message, _),) = of_target(target)
    assert (code, marked, message) == ("unknown-category", underlined, f'{said} in store "web"')


def test_where_no_name_is_near_the_shops_own_are_listed() -> None:
    ((_, _, _, advice),) = of_target("Umbrellas")
    assert advice == "the shop has: Acme, Brands, Featured, Globex, Sale, Unsorted"


def test_a_long_list_is_left_out_and_a_shop_without_categories_says_so() -> None:
    many = Directory({str(at): CategoryEntry(str(at), (f"Aisle {at}",)) for at in range(31)})
    assert of_target("Umbrellas", directory=many)[0][3] == ""
    assert of_target("Umbrellas", directory=Directory())[0][3] == "the shop has no categories"


def test_of_two_with_one_name_the_paths_are_asked_for() -> None:
    twice = {"5": CategoryEntry("5", ("Women",)), "6": CategoryEntry("6", ("Men",))}
    twice |= {"51": CategoryEntry("51", ("Sale",), "5"), "61": CategoryEntry("61", ("Sale",), "6")}
    assert of_target("Sale", directory=Directory(twice)) == [
        (
            "ambiguous-category",
            "Sale",
            '2 categories are called "Sale" in store "web"',
            'write "Women / Sale" or "Men / Sale"',
        )
    ]


def test_an_id_of_stores_yaml_that_the_shop_does_not_have_is_told_with_the_name() -> None:
    directory = Directory(DIRECTORY.categories, Names(categories={"Front": "99"}))
    ((code, _, message, advice),) = of_target("Front", directory=directory)
    assert code == "unknown-category"
    assert message == ('stores.yaml says that "Front" is category 99, and there is none of that id in store "web"')
    assert "`names:`" in advice


def test_where_the_shop_lists_nothing_only_the_names_of_stores_yaml_are_known_and_ids_are_believed() -> None:
    text = TEXT.replace("[web]", "[b2b]") + "    afterwards: leave\n"
    directory = Directory(names=store(B2B).settings.names)

    def said(target: str) -> list[str]:
        found = problems(text.replace("TARGET", target), alias=B2B, directory=directory, is_listed=False)
        return [problem.help for problem in found]

    assert said("Featured") == said("{id: anything}") == []
    assert said("Featurd") == ['did you mean "Featured" (collection-id-1)?']
    assert said("Umbrellas") == ["give its id in stores.yaml: `names: {categories: {Umbrellas: …}}`"]


def test_the_category_for_what_has_none_left_is_looked_up_too() -> None:
    text = TEXT.replace("TARGET", "Sale") + "    if_no_category_is_left: {add_to_category: [Unsorted, Unsortd]}\n"
    (problem,) = problems(text)
    assert (problem.place.line, _underlined(problem)) == (7, "Unsortd")


def test_a_brand_is_looked_up_where_it_needs_an_id() -> None:
    text = TEXT.replace("[web]", "[brands]").replace("remove_from_category: TARGET", "assign_brand: Acmee")
    (problem,) = problems(text, alias=BRANDS)
    assert (problem.code, problem.message) == ("unknown-brand", 'no brand "Acmee" in store "brands"')
    assert problem.help == 'did you mean "Acme" (a1)?'
    assert problems(text, alias=BRANDS, directory=Directory(brands_are_names=True)) == ()


def test_a_rule_is_looked_at_for_its_own_stores_only() -> None:
    assert problems(TEXT.replace("TARGET", "Featurd"), alias=KSA) == ()


def test_only_a_store_whose_rules_name_something_has_to_be_asked() -> None:
    named, brands = rulebook(TEXT.replace("TARGET", "Sale")), rulebook(TEXT.replace("TARGET", "all"))
    assert names_categories(named, store(WEB))
    assert not names_categories(named, store(KSA))
    assert not names_categories(brands, store(WEB))
    assert not names_brands(named, store(WEB))
    branded = TEXT.replace("remove_from_category: TARGET", "assign_brand: Acme")
    assert names_brands(rulebook(branded), store(WEB))
    assert not names_categories(rulebook(branded), store(WEB))


def test_what_a_rule_never_leaves_is_a_name_too() -> None:
    text = TEXT.replace("TARGET", "{under: Brands}") + "    never_leave: fewer than 4 products in Acmee\n"
    (problem,) = problems(text)
    assert (problem.code, problem.place.line, _underlined(problem)) == ("unknown-category", 7, "Acmee")
    assert 'did you mean "Acme"' in problem.help
    assert problems(text.replace("Acmee", "Acme")) == ()
    by_id = text.replace("fewer than 4 products in Acmee", "{fewer_than: 4, in: {id: 999}}")
    assert [(each.code, _underlined(each)) for each in problems(by_id)] == [("unknown-category", "999")]
