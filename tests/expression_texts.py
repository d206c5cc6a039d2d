"""Hypothesis strategies of expressions and of the documents that they are asked of."""

from __future__ import annotations

from hypothesis import strategies as st

ANY_TEXT = st.text(max_size=30) | st.text(alphabet="ab.!&|=<>()[]{}`'\"*@?,:0-1 \\“é", max_size=30)
"""Texts of which few are expressions."""

NAMES = st.sampled_from(
    ["product", "a", "b", "stock", "tags", '"odd name"', "product.stock", "product.tags", "now.time"]
)
LITERALS = st.sampled_from(["`0`", "`1`", "`1.5`", "`true`", "`null`", "`[1, 2]`", '`{"a": 1}`', "'a'", "''", "'10'"])
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "&&", "||", "|"])
STEPS = st.sampled_from(["[0]", "[-1]", "[]", "[*]", ".*", "[1:]", "[::-1]", "[?@]", ".a", ".length(@)", "[?a > `1`]"])
ONE = ["abs", "avg", "ceil", "floor", "keys", "length", "max", "min", "not_null", "reverse", "sort", "sum", "to_array"]
ONE += ["to_number", "to_string", "type", "values", "merge", "nothing"]
TWO = ["contains", "ends_with", "join", "starts_with", "not_null", "merge"]


def _larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, SIGNS, inner).map(lambda parts: f"{parts[0]} {parts[1]} {parts[2]}"),
        st.tuples(inner, STEPS).map("".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"!{text}"),
        st.tuples(st.sampled_from(ONE), inner).map(lambda parts: f"{parts[0]}({parts[1]})"),
        st.tuples(st.sampled_from(TWO), inner, inner).map(lambda parts: f"{parts[0]}({parts[1]}, {parts[2]})"),
        st.tuples(inner, inner).map(lambda parts: f"[{parts[0]}, {parts[1]}]"),
        st.tuples(inner, inner).map(lambda parts: f"{{a: {parts[0]}, b: {parts[1]}}}"),
        st.tuples(inner, inner).map(lambda parts: f"{parts[0]}[?{parts[1]}]"),
        st.tuples(inner, inner).map(lambda parts: f"map(&{parts[0]}, {parts[1]})"),
        st.tuples(st.sampled_from(["sort_by", "max_by", "min_by"]), inner, inner).map(
            lambda parts: f"{parts[0]}({parts[1]}, &{parts[2]})"
        ),
    )


EXPRESSIONS = st.recursive(NAMES | LITERALS | st.just("@"), _larger, max_leaves=6)
"""Well-formed expressions, and some that JMESPath refuses all the same."""

_SCALARS = st.none() | st.booleans() | st.integers(-3, 12) | st.floats(-5, 5) | st.sampled_from(["", "a", "10", "odd"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "stock", "tags", "odd name", "product"]), inner, max_size=3)
    ),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["product", "a", "b", "stock", "odd name"]), _VALUES, max_size=4)
