"""Rules that want the opposite of one thing: which pairs these are, and the product on which they meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, islice, product

from .delivery import StoreAlias
from .demands import Ask
from .directory import Directory, Unresolved
from .problem import Place
from .rule import Effect, EffectKind, Every, Identified, Mode, Named, Rule, Target, Under
from .subject import SubjectKind
from .terms import Test
from .witness import Scene, Witness, find_witness
from .words import Word, fold

MOST_PAIRS = 2000
"""Of lines that want the opposite, so many pairs are looked at in one rulebook."""
MOST_LOST = 3
"""A rule is told of so many others that win over it."""
_WORK_OF_PAIR, _WORK_OF_ALL = 4000, 100_000
"""Single looks at imagined products: a few seconds at worst."""

_CATEGORY = frozenset({EffectKind.ADD_TO_CATEGORY, EffectKind.REMOVE_FROM_CATEGORY, EffectKind.EMPTY_CATEGORY})
_BRAND = frozenset({EffectKind.ASSIGN_BRAND, EffectKind.UNASSIGN_BRAND})
_VISIBILITY = frozenset({EffectKind.HIDE, EffectKind.SHOW})


@dataclass(frozen=True, slots=True)
class Shop:
    """A store as far as it can be known without asking it: its vendor, and the names of stores.yaml in `directory`."""

    alias: StoreAlias
    vendor: str
    directory: Directory


@dataclass(frozen=True, slots=True)
class Wish:
    """One line of a rule's `do`, with one of its targets."""

    rule: Rule
    effect: Effect
    target: Target | None
    place: Place

    def __str__(self) -> str:
        return f"{self.effect.kind}: {_written(self.target)}" if self.target is not None else str(self.effect.kind)


@dataclass(frozen=True, slots=True)
class Fight:
    """Two wishes that meet on one product. `winner` has its way; the witness shows when, and `other` the category
    that a rule about categories empties then.
    """

    winner: Wish
    loser: Wish
    witness: Witness
    other: Witness | None = None


def find_fights(rules: Sequence[Rule], shops: Sequence[Shop], *, now: datetime) -> tuple[Fight, ...]:
    """Rules that come to want the opposite of one thing of one product at once; each loser with a few of its winners.

    Of rules of one kind the earlier wins; what `while` holds beats a moment. A rule about categories, which mostly
    means many of them, is told once. A rule that does not run now fights with nobody. What is not found within bounds
    is not told.
    """
    known = {shop.alias: shop for shop in shops}
    fights: list[Fight] = []
    done: set[tuple[str, str]] = set()
    lost: Counter[str] = Counter()
    left = _WORK_OF_ALL
    for winner, loser in islice(_opposed([rule for rule in rules if rule.mode is not Mode.PAUSED], known), MOST_PAIRS):
        about_category = [wish.rule.code for wish in (winner, loser) if wish.rule.about is SubjectKind.CATEGORY]
        pair = (about_category[0], "") if about_category else (winner.rule.code, loser.rule.code)
        if pair in done or lost[loser.rule.code] >= MOST_LOST or left <= 0:
            continue
        common = [known[alias] for alias in winner.rule.stores if alias in loser.rule.stores and alias in known]
        fight, work = _fight(winner, loser, common, now)
        left -= work
        if fight is not None:
            done.add(pair)
            lost[loser.rule.code] += 1
            fights.append(fight)
    return tuple(fights)


def _opposed(rules: Sequence[Rule], known: Mapping[StoreAlias, Shop]) -> Iterator[tuple[Wish, Wish]]:
    """Pairs of wishes that are opposed in a store where both rules run, who wins first."""
    for one, other in _pairs([wish for rule in rules for wish in wishes_of(rule)], known.values()):
        if one.rule.code == other.rule.code or not _may_meet(one.rule, other.rule):
            continue
        common = [alias for alias in one.rule.stores if alias in other.rule.stores and alias in known]
        if any(are_opposed(one, other, known[alias].directory) for alias in common):
            yield _ranked(one, other)


def _pairs(wishes: Sequence[Wish], shops: Iterable[Shop]) -> Iterator[tuple[Wish, Wish]]:
    """Pairs of wishes that may be opposed: of those for categories only whose names or ids may be the same."""
    for kinds in (_VISIBILITY, _BRAND):
        each = [wish for wish in wishes if wish.effect.kind in kinds]
        forward = [wish for wish in each if wish.effect.kind in _FORWARD]
        yield from product(forward, (wish for wish in each if wish.effect.kind not in _FORWARD))
        yield from combinations((wish for wish in forward if wish.effect.kind is EffectKind.ASSIGN_BRAND), 2)
    directories = [shop.directory for shop in shops]
    adds: dict[str, list[Wish]] = {}
    for wish in wishes:
        if wish.effect.kind is EffectKind.ADD_TO_CATEGORY:
            for key in _keys_of(wish.target, directories):
                adds.setdefault(key, []).append(wish)
    for wish in wishes:
        if wish.effect.kind not in _CATEGORY or wish.effect.kind is EffectKind.ADD_TO_CATEGORY:
            continue
        keys = _keys_of(wish.target, directories) or list(adds)
        found = {id(add): add for key in keys for add in adds.get(key, ())}
        yield from ((add, wish) for add in found.values())


def _keys_of(target: Target | None, directories: Iterable[Directory]) -> list[str]:
    """What a category may be found by: the last part of its path, and every id that stores.yaml gives to its name."""
    if isinstance(target, Identified):
        return [f"id {target.id}"]
    if not isinstance(target, Named):
        return []
    last = _path_of(target)[-1]
    ids = {
        f"id {id_}"
        for each in directories
        for name, id_ in each.names.categories.items()
        if fold(name) in {last, fold(target.name)}
    }
    return [f"name {last}", *sorted(ids)]


_FORWARD = frozenset({EffectKind.SHOW, EffectKind.ASSIGN_BRAND, EffectKind.ADD_TO_CATEGORY})


def _may_meet(one: Rule, other: Rule) -> bool:
    """Whether both can want something at one look: moments of a product and of a category are never at one look."""
    return one.about is other.about or one.is_while or other.is_while


def _ranked(one: Wish, other: Wish) -> tuple[Wish, Wish]:
    """Who wins first: a hold beats a moment, and else the earlier rule."""
    first, second = sorted((one, other), key=lambda wish: (not wish.rule.is_while, wish.rule.order))
    return first, second


def wishes_of(rule: Rule) -> Iterator[Wish]:
    """The lines of a rule's `do`, target by target."""
    for effect in rule.effects:
        place = effect.place or rule.place
        if not effect.targets:
            yield Wish(rule, effect, None, place)
        for at, target in enumerate(effect.targets):
            yield Wish(rule, effect, target, effect.places[at] if at < len(effect.places) else place)


def are_opposed(one: Wish, other: Wish, directory: Directory) -> bool:
    """Whether two wishes of one aspect want the opposite of the same thing, as far as names tell."""
    kinds = {one.effect.kind, other.effect.kind}
    if kinds in {_VISIBILITY, _BRAND}:
        return True
    if kinds == {EffectKind.ASSIGN_BRAND}:
        return _are_other_brands(one.target, other.target, directory)
    if EffectKind.ADD_TO_CATEGORY not in kinds or len(kinds) == 1:
        return False
    adds, takes = (one, other) if one.effect.kind is EffectKind.ADD_TO_CATEGORY else (other, one)
    if not isinstance(adds.target, Named | Identified):
        return False
    if takes.effect.kind is EffectKind.EMPTY_CATEGORY or isinstance(takes.target, Every):
        return True
    if isinstance(takes.target, Under):
        return _is_below(adds.target, takes.target.target)
    return isinstance(takes.target, Named | Identified) and _is_same(adds.target, takes.target, directory)


def _is_same(one: Named | Identified, other: Named | Identified, directory: Directory) -> bool:
    ids = [found for each in (one, other) if not isinstance(found := directory.category(each), Unresolved)]
    if len(ids) == 2:
        return ids[0] == ids[1]
    if isinstance(one, Identified) or isinstance(other, Identified):
        return False  # only the shop knows what the name means
    short, long = sorted((_path_of(one), _path_of(other)), key=len)
    return long[-len(short) :] == short


def _is_below(target: Named | Identified, top: Named | Identified) -> bool:
    """Whether a path names a category that lies below another; of a name alone only the shop knows."""
    if not isinstance(target, Named) or not isinstance(top, Named):
        return False
    path, above = _path_of(target)[:-1], _path_of(top)
    return any(path[start : start + len(above)] == above for start in range(len(path)))


def _are_other_brands(one: Target | None, other: Target | None, directory: Directory) -> bool:
    if not isinstance(one, Named | Identified) or not isinstance(other, Named | Identified):
        return False
    ids = [found for each in (one, other) if not isinstance(found := directory.brand(each), Unresolved)]
    if len(ids) == 2:
        return ids[0] != ids[1]
    return isinstance(one, Named) and isinstance(other, Named) and fold(one.name) != fold(other.name)


def _path_of(named: Named) -> tuple[str, ...]:
    return tuple(fold(part) for part in named.name.split("/"))


# ---------------------------------------------------------------------------------------- where they meet


def _fight(winner: Wish, loser: Wish, shops: Sequence[Shop], now: datetime) -> tuple[Fight | None, int]:
    """Where the two meet, if that is found, and how many looks it took."""
    wishes = (winner, loser)
    alike = [shop for shop in shops if are_opposed(winner, loser, shop.directory)]
    stores = tuple((shop.alias, shop.vendor) for shop in alike)
    if winner.rule.about is loser.rule.about:
        scene = Scene(winner.rule.about, stores, now)
        rules = [winner.rule, loser.rule]
        found = find_witness(rules, scene, more=_membership(wishes), most_work=_WORK_OF_PAIR)
        meets = _likely(found.witness)
        return Fight(winner, loser, meets) if meets is not None else None, found.work
    of_product, of_category = sorted(wishes, key=lambda wish: wish.rule.about is SubjectKind.CATEGORY)
    member = find_witness([of_product.rule], Scene(SubjectKind.PRODUCT, stores, now), most_work=_WORK_OF_PAIR)
    if member.witness is None or _likely(member.witness) is None:
        return None, member.work
    seen = member.witness.document
    scene = Scene(SubjectKind.CATEGORY, ((seen.store, seen.vendor),), seen.now)
    more = _called(of_product.target)
    emptied = find_witness([of_category.rule], scene, more=more, most_work=_WORK_OF_PAIR)
    category = _likely(emptied.witness)
    is_at_once = category is not None and category.document.now == seen.now
    work = member.work + emptied.work
    return Fight(winner, loser, member.witness, category) if is_at_once else None, work


def _likely(witness: Witness | None) -> Witness | None:
    """The witness, unless it is called one thing by one rule and another by the other: so in two languages at most."""
    return witness if witness is not None and len(witness.document.fields.get("names") or ()) <= 1 else None


def _membership(wishes: Iterable[Wish]) -> list[Ask]:
    """For `all` and `{under: …}`, that the product is in the category that the other rule adds."""
    every = list(wishes)
    if not any(isinstance(wish.target, Every | Under) for wish in every):
        return []
    added = next((wish.target for wish in every if wish.effect.kind is EffectKind.ADD_TO_CATEGORY), None)
    if isinstance(added, Identified):
        return [Ask(Test("product.category_ids", Word.CONTAINS, added.id))]
    return [Ask(Test("product.categories", Word.CONTAINS, _last(added)))] if isinstance(added, Named) else []


def _called(target: Target | None) -> list[Ask]:
    """That the category is the one to which the other rule adds."""
    if isinstance(target, Identified):
        return [Ask(Test("category.id", Word.IS, target.id))]
    return [Ask(Test("category.name", Word.IS, _last(target)))] if isinstance(target, Named) else []


def _last(named: Named) -> str:
    return named.name.rpartition("/")[2].strip()


def _written(target: Target) -> str:
    match target:
        case Named(name):
            return name
        case Identified(id_):
            return f"{{id: {id_}}}"
        case Under(top):
            return f"{{under: {_written(top)}}}"
        case Every():
            return "all"
