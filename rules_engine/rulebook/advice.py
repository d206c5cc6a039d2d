"""What to write instead of a field, a word or a change that conditions do not have."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from rules_engine.core.explain import closest
from rules_engine.core.fields import ROOTS, FieldPath, FieldType, fields_below, read_path
from rules_engine.core.problem import Place
from rules_engine.core.subject import SubjectKind
from rules_engine.core.words import Change, Word

from .synonyms import GROUPS, field_of, is_opposite, plainly, word_of
from .value_advice import flag_advice
from .vocabulary import FITTING, ORDERS, SEVERAL
from .yaml import MapNode, Node, ScalarNode

_MOST_LISTED = 10
"""Fields that an advice lists; of more it names the nearest."""

_WORDS = frozenset({*Word, *Change})
_OF_THE_RULE = frozenset(
    {"must_last", "weekdays", "at_most_every", "flap_limit", "insist", "afterwards", "unless", "do"}
)
_OF_NUMBERS = (ORDERS - {Word.BETWEEN}) | {Change.RISES_ABOVE, Change.FALLS_BELOW}
_OF_SEVERAL = {Word.IS: Word.ONE_OF, Word.IS_NOT: Word.NONE_OF, Word.CONTAINS: Word.CONTAINS_ANY}


def field_advice(text: str, meanings: Iterable[str], about: SubjectKind | None) -> str:
    """What to write in the place of a field that there is not."""
    name = next((meaning for meaning in meanings if plainly(meaning) == plainly(text)), "")
    if name:
        return f"`{name[:60]}` is a meaning: write it alone, as in `all: [{name[:60]}]`"
    if meant := {"not": "none", **GROUPS, **{group: group for group in ("all", "any", "none")}}.get(plainly(text)):
        return f"write `{meant}:` and a list of conditions below it, each after `- `"
    if text in _OF_THE_RULE:
        return f"`{text}:` belongs to the rule: write it in a line of its own below `while:`, not in the condition"
    if text in _WORDS:
        return f"a field stands before it, as in `product.stock: {{{text}: 3}}`"
    denied = text.strip()[4:].strip()
    if plainly(text).startswith("not_") and (where := read_path(denied)) is not None:
        if where.type_of(about) is FieldType.FLAG:
            return f"write `{denied}: false`"
        return f"write `none:` and the condition below it, as in `- {denied}: …`"
    if plainly(text) in {"if", "when", "condition", "conditions", "where"}:
        return f"leave `{text}` out, and write the condition itself here: `product.stock: {{at_most: 3}}`"
    if plainly(text) in {"field", "fact", "property"}:
        return "write `product.stock: {at_most: 3}`: first the field, then the word and its value"
    if plainly(text) in {"expression", "formula", "query", "jmes_path", "jmespath"}:
        return "write `jmespath:`"
    return _of_document(text, about)


def _of_document(text: str, about: SubjectKind | None) -> str:
    """What is meant by a name that should be one of the document's."""
    root, _, name = text.partition(".")
    subject = str(about or SubjectKind.PRODUCT)
    if plainly(root) == "event" and not name:
        return "write `happens: created` or `happens: deleted`"
    if root in ROOTS and not name:
        example = {"product": "stock", "store": "alias", "now": "weekday"}.get(root, "published")
        return f"write each field in a line of its own with `{root}.` before it, as in `{root}.{example}: …`"
    meant = field_of(text, about)
    below = meant.partition(".")[2]
    first = name.partition(".")[0]
    if meant and "." in name and first == below:
        if fields_below(root, about)[below] is FieldType.OBJECTS:
            return 'write `jmespath: "length(product.variants[?stock == `0`]) > `0`"`, with what one of them must be'
        return f"{meant} has nothing below it: write `{meant}`"
    if meant:
        is_flag = fields_below(meant.partition(".")[0], about)[below] is FieldType.FLAG
        if is_flag and is_opposite(text):
            return f"did you mean `{meant}`? It says the opposite: write false where you would say true"
        return f"did you mean `{meant}`?" + (" It is true or false." if is_flag else "")
    top = root if root in ROOTS and name else subject
    what = {"event": "an event has", "now": "now has", "store": "a store has"}.get(top, f"a {subject} has")
    own = ""
    if top in {"product", "before"} and subject == SubjectKind.PRODUCT:
        own = f"an attribute of your own is `{top}.attributes.{(name or text)[:60]}`"
        own += ", and what only this shop has is below `product.raw`" if top == "product" else ""
    known = _known(what, (name or text)[:60], list(fields_below(top, about)))
    return f"{own}; {known}" if own else known


def _known(what: str, name: str, known: list[str]) -> str:
    """The fields that there are; of many the nearest, and where all of them stand."""
    if len(known) <= _MOST_LISTED:
        return f"{what}: {', '.join(known)}"
    near = get_close_matches(plainly(name), known, n=3, cutoff=0.6)
    nearest = f"the nearest are {', '.join(near)}; " if len(near) > 1 else f"the nearest is {near[0]}; " if near else ""
    return f'{nearest}all fields stand in README.md, "What conditions see"'


def word_advice(key: ScalarNode, word: ScalarNode, value: Node, kind: FieldType) -> str:
    """What to write in the place of a word that there is not, behind the field `key`."""
    name = key.text.strip()
    if name.rpartition(".")[2] in {"attributes", "raw"}:
        shown = value.text[:60] if isinstance(value, ScalarNode) else "…"
        return f"write `{name[:60]}.{word.text[:60]}: {shown}`"
    return word_of(word.text, kind, name)


def event_advice(text: str) -> str:
    """What to write behind `happens` instead of a word that is none."""
    name = plainly(text).rpartition(".")[2]
    if name in {"created", "create", "added", "add", "new", "create_product", "product_created"}:
        return "write `happens: created`"
    if name in {"deleted", "delete", "removed", "remove", "gone", "product_deleted"}:
        return "write `happens: deleted`"
    if near := closest(name, ("created", "deleted")) if len(name) < 9 else "":
        return f'did you mean "{near}"?'
    return "it knows only created and deleted; for a change of a field write `product.stock: {rises_above: 0}`"


def change_advice(where: FieldPath) -> str:
    """What to write where something is watched that is not."""
    if where.root == "before":
        subject = "product" if where.name in fields_below("product") else "category"
        return f"write it of `{subject}.{where.name}`: it knows by itself what was before"
    if where.root == "now":
        return f"write `{where.field}:` without the change: a moment comes when it begins to be so"
    if where.root == "store":
        return "no store changes: name the stores with `stores:`"
    if where.root == "event":
        return "write `happens: created` or `happens: deleted`"
    return "write `product.attributes.…`, or another field of the product"


def changes_advice(field: str, value: Node, kind: FieldType) -> str:
    """What to write instead of `changes` with something else than true."""
    if isinstance(value, ScalarNode) and flag_advice(value.text, is_quoted=False) == "write false":
        return f"write `none: [{{{field}: {{changes: true}}}}]`"
    if isinstance(value, ScalarNode) and not value.is_null and Change.BECOMES in FITTING[kind]:
        return f"write `{field}: {{becomes: {value.text[:60]}}}`"
    return f"write `{field}: {{changes: true}}`"


def broken_list(node: MapNode) -> tuple[Place, str, str] | None:
    """Where a comma in braces parts what belongs together, as `{one_of: a, b}`; what is wrong, and what to write."""
    if not node.entries or not isinstance(node.entries[0][1], ScalarNode):
        return None
    word, first = node.entries[0][0].text, node.entries[0][1]
    others = node.entries[1:]
    loose = [key for key, value in others if isinstance(value, ScalarNode) and value.is_null and not value.text]
    if not loose or len(loose) < len(others) or any(key.text in _WORDS for key in loose):
        return None
    is_beside = len(loose) == 1 and loose[0].place.column == first.last_column + 1
    if word in _OF_NUMBERS and is_beside and loose[0].text.isdecimal() and first.text.isdecimal():
        point = "" if len(loose[0].text) == 3 else "."
        return first.place, "a number has no comma in it", f"write `{word}: {first.text}{point}{loose[0].text}`"
    meant = _OF_SEVERAL.get(Word(word), word) if word in set(Word) else ""
    if meant not in {Word.BETWEEN, *SEVERAL}:
        return None
    values = ", ".join([first.text, *(key.text for key in loose)])
    return loose[0].place, "several values stand in brackets", f"write `{meant}: [{values[:60]}]`"
