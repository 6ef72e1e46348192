"""What the laws are tried on: JSON values, keys, settings."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from appconfig_provider._azure.settings.records import Setting

SCALARS = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, 0.0, 1.0, "1", ""])
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)  # no -0.0
    | st.text(max_size=8)
)

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)

# Few letters and short texts: keys shall collide, be prefixes of one another, and be trimmed.
KEYS = st.text("ab/", min_size=1, max_size=4)
PREFIXES = st.lists(st.text("ab/", max_size=3), max_size=4)

GENERATIONS = st.dictionaries(KEYS, SCALARS | JSON_VALUES, max_size=6)

# Python takes many of these for equal; as JSON no two of them are.
ALIKE: tuple[Any, ...] = (True, 1, 1.0, "1", False, 0, 0.0, "0", "", None, [], {})


@st.composite
def edited(draw: st.DrawFn, value: Any) -> Any:
    """Give the value itself, or one that differs from it somewhere, however deep."""
    if isinstance(value, list) and draw(st.booleans()):
        place = draw(st.integers(0, len(value)))
        middle = [draw(edited(item)) for item in value[place : place + 1]]
        return value[:place] + draw(st.sampled_from([middle, []])) + value[place + 1 :]
    if isinstance(value, dict) and draw(st.booleans()):
        name = draw(st.sampled_from([*value, "new"]))
        rest = {other: item for other, item in value.items() if other != name}
        return draw(st.sampled_from([rest, {**rest, name: draw(edited(value.get(name)))}]))
    return draw(st.sampled_from([value, *ALIKE, [value], {"a": value}]))


@st.composite
def two_generations(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give two generations that share most keys and many values."""
    before = draw(st.dictionaries(KEYS, st.sampled_from(ALIKE) | JSON_VALUES, max_size=4))
    kept = [key for key in before if draw(st.integers(0, 4))]
    after = {key: draw(edited(before[key])) for key in kept}
    return before, {**after, **draw(st.dictionaries(KEYS, SCALARS, max_size=1))}


def settings_of(keys: st.SearchStrategy[str] = KEYS) -> st.SearchStrategy[Setting]:
    """Plain settings, told apart by their values."""
    labels = st.sampled_from([None, "prod"])
    return st.builds(Setting, keys, labels, st.text("0123456789", max_size=6), st.none())
