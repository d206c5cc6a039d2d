"""Hypothesis strategies for what the engine remembers and what conditions see, shared by all tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from rules_engine.core.action import ActionKey, ActionKind, Aspect, SlotRef
from rules_engine.core.condition import (
    All,
    AnyOf,
    Change,
    Condition,
    Document,
    Emptiness,
    Expression,
    Happens,
    Meaning,
    NoneOf,
    Test,
    Transition,
    Truth,
    Value,
    Word,
    Written,
)
from rules_engine.core.delivery import EventType, StoreAlias
from rules_engine.core.holds import Hold, HoldState, Slot
from rules_engine.core.plan import ActionState, Case, Episode, PlannedAction, Step
from rules_engine.core.question import QuestionId
from rules_engine.core.rule import RuleCode
from rules_engine.core.subject import ProductId, Snapshot, SubjectKind, SubjectRef, category

times = st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # bounds are naive
words = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=8)
rules = st.sampled_from([RuleCode(f"rule-{n}") for n in range(4)])
slot_values = st.one_of(st.none(), st.booleans(), words)
causes = st.lists(words, max_size=2).map(tuple)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
ENDED = [state for state in HoldState if not state.is_open]


def slot_refs(product: SubjectRef) -> st.SearchStrategy[SlotRef]:
    """A few slots of this product, so that they meet."""
    targets = st.sampled_from(
        [(Aspect.VISIBILITY, ""), (Aspect.BRAND, "")] + [(Aspect.MEMBERSHIP, f"c{n}") for n in "123"]
    )
    return targets.map(lambda pair: SlotRef(ProductId(product.id), *pair))


def holds(product: SubjectRef, states: list[HoldState] | None = None) -> st.SearchStrategy[Hold]:
    """Holds that are not stored yet, about the product or about a category."""
    return st.builds(
        Hold,
        rule=rules,
        subject=st.sampled_from([product, category("c1")]),
        wish=slot_values,
        episode=st.integers(1, 3),
        state=st.sampled_from(states or list(HoldState)),
        since=times,
        takes=st.integers(0, 3),
        is_left=st.booleans(),
        reason=st.one_of(st.just(""), words),
        cause=causes,
        changed_at=st.none() | times,
        is_ordered=st.booleans(),
        stood=st.one_of(st.just(""), words),
        id=st.none(),
    )


def planned_actions(product: SubjectRef) -> st.SearchStrategy[PlannedAction]:
    """Actions for this product, in any state."""
    return st.builds(
        PlannedAction,
        key=st.uuids().map(lambda key: ActionKey(str(key))),
        kind=st.sampled_from(ActionKind),
        slot=slot_refs(product),
        target=words,
        wish=slot_values,
        step=st.sampled_from(Step),
        rules=st.lists(rules, min_size=1, max_size=2, unique=True).map(tuple),
        about=st.sampled_from([product, category("c1")]),
        state=st.sampled_from(ActionState),
        created_at=times,
        due_at=st.none() | times,
        attempts=st.integers(0, 3),
        done_at=st.none() | times,
        reason=st.one_of(st.just(""), words),
        caused_by=causes,
        is_whole=st.booleans(),
        admitted_at=st.none() | times,
        called_at=st.none() | times,
        question=st.none() | words.map(QuestionId),
    )


def snapshots(ref: SubjectRef) -> st.SearchStrategy[Snapshot]:
    """The subject as it may have been seen, with any JSON in its fields."""
    return st.builds(Snapshot, st.just(ref), st.dictionaries(words, json_values, max_size=3), st.none() | times)


@st.composite
def cases(draw: st.DrawFn, product: SubjectRef) -> Case:
    """Whatever may be remembered of a product, including what a save tidies away."""
    baselines = draw(st.dictionaries(slot_refs(product), st.tuples(slot_values, times), max_size=3))
    slots = {
        ref: Slot(ref, baseline, since, tuple(draw(st.lists(holds(product), max_size=3))))
        for ref, (baseline, since) in baselines.items()
    }
    ended = draw(
        st.dictionaries(slot_refs(product), st.lists(holds(product, ENDED), min_size=1, max_size=2), max_size=2)
    )
    episodes = st.builds(Episode, number=st.integers(1, 3), truth=st.sampled_from(Truth), since=times)
    return Case(
        ref=product,
        snapshot=draw(st.none() | snapshots(product)),
        revision=draw(st.integers(1, 9)),
        seen_at=draw(times),
        is_gone=draw(st.booleans()),
        slots=slots,
        episodes={(rule, product): draw(episodes) for rule in draw(st.sets(rules))},
        actions={action.key: action for action in draw(st.lists(planned_actions(product), max_size=4))},
        ended={ref: tuple(each) for ref, each in ended.items()},
    )


_FIELD_NAMES = (
    *("id", "sku", "name", "names", "brand", "stock", "tracks_stock", "price", "categories", "category_ids", "raw"),
    *("category_names", "tags", "attributes", "variants", "created_at", "published", "path", "product_count"),
)
_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
_fields = st.dictionaries(st.sampled_from(_FIELD_NAMES), _anything, max_size=8)
_paths = st.sampled_from([f"{root}.{name}" for root in ("product", "category", "before") for name in _FIELD_NAMES]) | (
    st.sampled_from(
        ["product.attributes.A", "product.raw.a.b", "event.type", "event.time", "now.time", "now.date", "x"]
    )
    | st.sampled_from(["length(product.tags)", "product.variants[0]", "product.a.b", "now.nothing", "store.alias", "("])
)
_expressions = st.text(max_size=8) | st.sampled_from(
    (
        *("product.stock > `1`", "product.name == 'a'", "contains(product.tags, 'a')", "before.stock < product.stock"),
        *(
            "sort_by(product.variants, &sku)[0].stock == `1`",
            "max(product.tags) > `1`",
            "product.tags[?@ > `1`] | @[0]",
        ),
    )
)
_values: st.SearchStrategy[Value] = (
    st.text(max_size=4)
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["2026-01-31", "09:00", "9999-12-31", "14 days", "1 h"])
)
_written = _values | st.builds(Written, st.text(max_size=4), st.text(max_size=4) | st.booleans() | st.integers())
leaf_conditions: st.SearchStrategy[Condition] = (
    st.builds(Test, _paths, st.sampled_from(Word), _written | st.lists(_written, max_size=3).map(tuple))
    | st.builds(Transition, _paths, st.sampled_from(Change), _written | st.none() | st.sampled_from(Emptiness))
    | st.builds(Happens, st.sampled_from(["created", "deleted", "?"]))
    | st.builds(Expression, _expressions)
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaf_conditions,
    lambda inner: (
        st.builds(All, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(NoneOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(Meaning, st.text(max_size=3), inner)
    ),
    max_leaves=6,
)
documents = st.builds(
    Document,
    st.sampled_from([SubjectKind.PRODUCT, SubjectKind.CATEGORY]),
    _fields,
    st.just(datetime(2026, 1, 31, 9, 5, tzinfo=timezone(timedelta(hours=3)))) | st.datetimes(timezones=st.just(UTC)),
    st.just(StoreAlias("web")),
    before=st.none() | _fields,
    events=st.frozensets(st.sampled_from(EventType)),
    event_time=st.none() | st.datetimes(timezones=st.just(UTC)),
)
