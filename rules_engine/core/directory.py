"""A store's categories and brands by name: what a rule's words mean there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .explain import closest
from .rule import Every, Identified, Named, Target, Under
from .store import Names
from .subject import Snapshot
from .words import fold

MOST_NAMED = 5
"""Of categories that have one name, so many are shown with what to write for each."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A name that means nothing here, or more than one thing: what is wrong, and what to write instead if known."""

    said: str
    advice: str = ""
    is_ambiguous: bool = False

    @property
    def reason(self) -> str:
        """Both as a sentence for the rule's author."""
        return f"{self.said}: {self.advice}" if self.advice else self.said


@dataclass(frozen=True, slots=True)
class CategoryEntry:
    """A category as the directory lists it; `names` holds every language's, the preferred one first.

    `member_ids` are its products in the shop's order when it was last read, empty where no read shows them.
    """

    id: str
    names: tuple[str, ...]
    parent_id: str | None = None
    member_ids: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Directory:
    """Names and ids of one store. `gone` are categories that a complete listing no longer showed.

    Of a shop that cannot list its categories only the names of stores.yaml are known. `brands_are_names` says that a
    brand has no id there but its name.
    """

    categories: Mapping[str, CategoryEntry] = field(default_factory=dict)
    names: Names = field(default_factory=Names)
    gone: frozenset[str] = frozenset()
    brands_are_names: bool = False
    # Every product of a page asks for the same few names: what was found for one is kept for the others.
    _found: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False, compare=False)
    _named: dict[str, tuple[str, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def from_snapshots(
        cls, snapshots: Iterable[Snapshot], *, names: Names, gone: Iterable[str] = (), brands_are_names: bool = False
    ) -> Directory:
        """The directory of a store, from its categories as last listed and the names of stores.yaml."""
        entries = {}
        for snapshot in snapshots:
            known = [*snapshot.fields.get("names", ()), snapshot.fields.get("name")]
            preferred = snapshot.fields.get("name")
            ordered = dict.fromkeys(name for name in ([preferred, *known]) if name)
            parent = snapshot.fields.get("parent_id")
            members = tuple(snapshot.fields.get("member_ids") or ())
            entries[snapshot.ref.id] = CategoryEntry(snapshot.ref.id, tuple(ordered), parent, members)
        return cls(entries, names, frozenset(gone), brands_are_names)

    def category(self, target: Named | Identified) -> str | Unresolved:
        """The id of one category, or why there is none."""
        if isinstance(target, Identified):
            if target.id in self.gone:
                return Unresolved(f"category {target.id} no longer exists")
            return target.id
        found = self._called(target.name)
        if len(found) == 1:
            return found[0]
        if not found:
            return Unresolved(f'no category "{target.name}"', self._advice(target.name))
        said = f'{len(found)} categories are called "{target.name}"'
        shown = [self._unmistakable(id_) for id_ in found[:MOST_NAMED]]
        return Unresolved(said, f"write {' or '.join(shown)}", is_ambiguous=True)

    def brand(self, target: Named | Identified) -> str | Unresolved:
        """The id of one brand, from the names of stores.yaml, or why there is none."""
        if isinstance(target, Identified):
            return target.id
        for name, id_ in self.names.brands.items():
            if fold(name) == fold(target.name):
                return id_
        if self.brands_are_names:
            return target.name.strip()
        near = closest(target.name, self.names.brands)
        advice = f'did you mean "{near}" ({self.names.brands[near]})?' if near else ""
        return Unresolved(f'no brand "{target.name}"', advice or "give its id under names/brands in stores.yaml")

    def targets(self, target: Target, member_of: Iterable[str]) -> tuple[str, ...] | Unresolved:
        """The ids of the categories that a rule's target means for a product in the categories `member_of`."""
        if isinstance(target, Every):
            return tuple(member_of)
        if isinstance(target, Under):
            top = self.category(target.target)
            if isinstance(top, Unresolved):
                return top
            return tuple(id_ for id_ in member_of if top in self.ancestors(id_))
        found = self.category(target)
        return found if isinstance(found, Unresolved) else (found,)

    def ancestors(self, id_: str) -> tuple[str, ...]:
        """The categories above this one, the nearest first."""
        above: list[str] = []
        entry = self.categories.get(id_)
        while entry is not None and entry.parent_id is not None and entry.parent_id not in above:
            above.append(entry.parent_id)
            entry = self.categories.get(entry.parent_id)
        return tuple(above)

    def path(self, id_: str) -> str:
        """The category with those above it, like `Home / Featured`."""
        ids = (*reversed(self.ancestors(id_)), id_)
        return " / ".join(self.categories[part].names[0] if part in self.categories else part for part in ids)

    def standing(self, id_: str, product: str) -> str:
        """Where a product stands among those of a category, such as `4 of 20`; empty where nobody knows."""
        members = self.categories[id_].member_ids if id_ in self.categories else ()
        return f"{members.index(product) + 1} of {len(members)}" if product in members else ""

    def category_names(self, id_: str) -> tuple[str, ...]:
        """Every known name of a category, the preferred one first."""
        if id_ not in self._named:
            given = (name for name, known in self.names.categories.items() if known == id_)
            entry = self.categories.get(id_)
            self._named[id_] = tuple(dict.fromkeys((*(entry.names if entry else ()), *given)))
        return self._named[id_]

    def brand_name(self, id_: str) -> str | None:
        """The name that stores.yaml gives to a brand."""
        return next((name for name, known in self.names.brands.items() if known == id_), None)

    def _called(self, name: str) -> list[str]:
        """The ids of the categories that have this name or path; a name of stores.yaml comes before the shop's own."""
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def _find(self, name: str) -> list[str]:
        wanted = fold(name)
        for known, id_ in self.names.categories.items():
            if fold(known) == wanted:
                return [id_]
        found = [entry.id for entry in self.categories.values() if wanted in map(fold, entry.names)]
        if not found and "/" in name:
            path = tuple(fold(part) for part in name.split("/"))
            found = [id_ for id_ in self.categories if path in self._paths(id_)]
        return found

    def _unmistakable(self, id_: str) -> str:
        """What to write for a category so that no other is meant: its path, or its id where that has to be."""
        path = self.path(id_)
        return f'"{path}"' if self._called(path) == [id_] else f"{{id: {id_}}}"

    def _paths(self, id_: str) -> set[tuple[str, ...]]:
        ids = (*reversed(self.ancestors(id_)), id_)
        paths: set[tuple[str, ...]] = {()}
        for part in ids:
            names = self.categories[part].names if part in self.categories else (part,)
            paths = {(*path, fold(name)) for path in paths for name in names}
        # A path may be written from the top or from any category on the way.
        return {path[start:] for path in paths for start in range(len(path))}

    def _advice(self, name: str) -> str:
        known = {fold(n): (n, entry.id) for entry in self.categories.values() for n in entry.names}
        known |= {fold(n): (n, id_) for n, id_ in self.names.categories.items()}
        close = difflib.get_close_matches(fold(name), known, n=1)
        if not close:
            return ""
        found, id_ = known[close[0]]
        return f'did you mean "{found}" ({id_})?'
