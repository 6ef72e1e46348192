"""Generated configs of format v6 and users: most as ConfigCat makes them, some odd."""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone
from typing import Any

from hypothesis import strategies as st

SALT = "c2FsdA=="
KEYS = ("a", "b", "c", "d")
SEGMENTS = ("Beta", "Dev")
ATTRIBUTES = ("Identifier", "Email", "Country", "Custom")
WORDS = ("jane@example.com", "joe@x.org", "US", "ex", "1.2.0", "5", "", "é", "12345")
VERSIONS = ("1.2.0", "1.2.0-rc.1", "1.2.0-2", "2.0.0+b", " 1.10.0 ", "01.0.0", "x", "", "1.2")
NUMBERS = (0, 5, 5.5, -1, 1e300, 1680307200, 1700000000.5)
FIELDS = ("b", "s", "i", "d")
VALUES: dict[int, tuple[Any, ...]] = {
    0: (True, False),
    1: ("x", "y", ""),
    2: (1, 2, 5),
    3: (0.5, 3.0, 7),
}
SEMVER_LISTS = {4, 5}
SEMVERS = {6, 7, 8, 9}
NUMERIC = {10, 11, 12, 13, 14, 15, 18, 19}
HASHED_LISTS = {16, 17, 26, 27}
HASHED_TEXTS = {20, 21}
HASHED_PARTS = {22, 23, 24, 25}
TEXTS = {28, 29}


def rarely(common: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return the one, and the other in one of twenty-five cases."""
    return st.integers(0, 24).flatmap(lambda number: odd if number == 24 else common)


def hashed(text: bytes, context: str) -> str:
    """Return what a config has instead of a sensitive text."""
    return hashlib.sha256(text + SALT.encode() + context.encode()).hexdigest()


@st.composite
def operands(draw: st.DrawFn, comparator: int, context: str) -> dict[str, Any]:
    """Return the comparison value of a comparator."""
    if comparator in NUMERIC:
        return {"d": draw(st.sampled_from(NUMBERS))}
    if comparator in SEMVERS:
        return {"s": draw(st.sampled_from(VERSIONS))}
    word = draw(st.sampled_from(WORDS))
    if comparator in HASHED_TEXTS:
        return {"s": hashed(word.encode(), context)}
    return {"s": word} if comparator in TEXTS else {"l": draw(lists(comparator, context))}


@st.composite
def lists(draw: st.DrawFn, comparator: int, context: str) -> list[str]:
    """Return the comparison value of a comparator that has a list."""
    if comparator in SEMVER_LISTS:
        return draw(st.lists(st.sampled_from(VERSIONS), max_size=3))
    words = draw(st.lists(st.sampled_from(WORDS), max_size=12))
    if comparator in HASHED_LISTS:
        return [hashed(one.encode(), context) for one in words]
    if comparator in HASHED_PARTS:
        parts = [one.encode()[:3] if comparator < 24 else one.encode()[-3:] for one in words if one]
        parts = parts or [b"x"]
        return [f"{len(part)}_{hashed(part, context)}" for part in parts]
    return words


@st.composite
def user_conditions(draw: st.DrawFn, context: str) -> dict[str, Any]:
    """Return a condition on an attribute of the user."""
    comparator = draw(rarely(st.integers(0, 35), st.just(36)))
    operand = draw(rarely(operands(comparator, context), st.just({})))
    return {"a": draw(st.sampled_from(ATTRIBUTES)), "c": comparator, **operand}


def values(kind: int) -> st.SearchStrategy[dict[str, Any]]:
    """Return a value of a type; rarely of none, or of another."""
    usual = st.sampled_from(VALUES[kind]).map(lambda value: {FIELDS[kind]: value})
    return rarely(usual, st.sampled_from([{}, {"b": True}, {"s": "z"}, {FIELDS[kind]: None}]))


@st.composite
def served(draw: st.DrawFn, kind: int) -> dict[str, Any]:
    """Return a value, with a variation id or without."""
    number = draw(st.integers(0, 9))
    return {"v": draw(values(kind)), **({"i": f"id{number}"} if number else {})}


@st.composite
def options(draw: st.DrawFn, kind: int) -> list[dict[str, Any]]:
    """Return percentage options; they rarely add up to less than 100."""
    shares = draw(st.sampled_from([(50, 50), (25, 25, 50), (100,), (0, 100), (40, 60), (30, 30)]))
    return [{"p": share, **draw(served(kind))} for share in shares]


@st.composite
def conditions(draw: st.DrawFn, key: str, kinds: dict[str, int]) -> dict[str, Any]:
    """Return a condition of any sort."""
    sort = draw(st.sampled_from("uuuusp"))
    if sort == "u":
        return {"u": draw(user_conditions(key))}
    comparator = draw(st.integers(0, 1))
    if sort == "s":
        return {"s": {"s": draw(st.integers(0, len(SEGMENTS) - 1)), "c": comparator}}
    later = [other for other in KEYS if other > key]  # so that circles are rare
    needed = draw(rarely(st.sampled_from(later or ["a"]), st.sampled_from([*KEYS, "unknown"])))
    return {"p": {"f": needed, "c": comparator, "v": draw(values(kinds.get(needed, 0)))}}


@st.composite
def settings(draw: st.DrawFn, key: str, kinds: dict[str, int]) -> dict[str, Any]:
    """Return a setting."""
    kind = kinds[key]
    setting: dict[str, Any] = {"t": kind, **draw(served(kind))}
    rules: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 3))):
        size = draw(rarely(st.integers(1, 3), st.just(0)))
        rule: dict[str, Any] = {"c": [draw(conditions(key, kinds)) for _ in range(size)]}
        if draw(st.integers(0, 3)):
            rule["s"] = draw(served(kind))
        else:
            rule["p"] = draw(options(kind))
        rules.append(rule)
    if rules:
        setting["r"] = rules
    if draw(st.booleans()):
        setting["p"] = draw(options(kind))
    if draw(st.integers(0, 3)) == 0:
        setting["a"] = draw(st.sampled_from(ATTRIBUTES))
    return setting


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """Return a config with a setting for each of `KEYS`, and two segments."""
    kinds = {key: draw(st.integers(0, 3)) for key in KEYS}
    return {
        "p": {"s": SALT},
        "s": [
            {"n": name, "r": draw(st.lists(user_conditions(name), min_size=1, max_size=2))}
            for name in SEGMENTS
        ],
        "f": {key: draw(settings(key, kinds)) for key in KEYS},
    }


ODD: tuple[Any, ...] = (
    5,
    5.0,
    5.5,
    1e21,
    float("nan"),
    float("-inf"),
    True,
    ["US", "ex"],
    [],
    ["1", 2],
    '["US"]',
    '["US", 5]',
    "[",
    "nan",
    " 5,5 ",
    "1680307200",
    datetime(2023, 4, 1, tzinfo=timezone.utc),
    datetime(2023, 4, 1),  # noqa: DTZ001 - counts as UTC
    {"x": 1},
)
ODD_ATTRIBUTES: st.SearchStrategy[Any] = st.sampled_from(ODD)
VALUES_OF_USERS = st.none() | st.sampled_from([*WORDS, *VERSIONS]) | ODD_ATTRIBUTES
USERS: st.SearchStrategy[dict[str, Any] | None] = st.none() | st.fixed_dictionaries(
    dict.fromkeys(ATTRIBUTES, VALUES_OF_USERS)
)
"""Attributes by name; None: no user."""
