"""Generated settings of format v5: most as ConfigCat makes them, some odd."""

from __future__ import annotations

import hashlib
from typing import Any

from hypothesis import strategies as st

from .strategies import ATTRIBUTES, NUMBERS, VALUES, VERSIONS, WORDS, rarely

SEMVERS = range(4, 10)
NUMERIC = range(10, 16)
HASHED = (16, 17)
LISTS = (0, 1, 4, 5, *HASHED)


@st.composite
def comparisons(draw: st.DrawFn, comparator: int) -> object:
    """Return the comparison value of a comparator; lists are texts with commas."""
    words: st.SearchStrategy[Any] = st.sampled_from(WORDS)
    if comparator in SEMVERS:
        words = st.sampled_from(VERSIONS)
    elif comparator in NUMERIC:
        return draw(st.sampled_from(NUMBERS).map(str) | st.sampled_from(["5,5", "x", 5]))
    elif comparator in HASHED:
        words = words.map(lambda word: hashlib.sha1(word.encode()).hexdigest())
    if comparator in LISTS:
        return draw(st.lists(words, max_size=4).map(", ".join))
    return draw(words)


@st.composite
def rules(draw: st.DrawFn, kind: int) -> dict[str, Any]:
    """Return a rule with its one condition."""
    comparator = draw(rarely(st.integers(0, 17), st.just(18)))
    return {
        "o": 0,
        "a": draw(st.sampled_from(ATTRIBUTES)),
        "t": comparator,
        "c": draw(rarely(comparisons(comparator), st.none())) if comparator < 18 else "x",
        **draw(served(kind)),
    }


@st.composite
def served(draw: st.DrawFn, kind: int) -> dict[str, Any]:
    """Return a value, with a variation id or without; rarely one that is none."""
    value = draw(rarely(st.sampled_from(VALUES[kind]), st.sampled_from([None, []])))
    number = draw(st.integers(0, 9))
    return {"v": value, **({"i": f"id{number}"} if number else {})}


@st.composite
def settings(draw: st.DrawFn) -> dict[str, Any]:
    """Return a setting."""
    kind = draw(st.integers(0, 3))
    shares = draw(st.sampled_from([(), (), (50, 50), (100,), (0, 100), (30, 30)]))
    return {
        "t": kind,
        **draw(served(kind)),
        "r": draw(st.lists(rules(kind), max_size=3)),
        "p": [{"o": 0, "p": share, **draw(served(kind))} for share in shares],
    }
