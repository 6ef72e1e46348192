"""JSON values of the configuration: equal to plain ones, and never writable."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider.readonly import read_only

from .strategies import JSON_VALUES

OBJECTS = st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=4)
ARRAYS = st.lists(JSON_VALUES, max_size=4)


def types_within(value: Any) -> set[type]:
    """Return the types of a value and of everything in it."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value)}.union(*map(types_within, parts))


def is_ordinary(value: Any) -> bool:
    return types_within(value) <= {dict, list, str, int, float, bool, type(None)}


@given(JSON_VALUES)
def test_read_only_values_equal_the_plain_ones(value: Any) -> None:
    """`==` holds both ways, and `isinstance` finds dict, list and the scalars."""
    frozen: Any = read_only(value)
    assert frozen == value
    assert value == frozen
    assert isinstance(frozen, type(value))
    assert repr(frozen) == repr(value)
    assert bool(frozen) == bool(value)


@given(JSON_VALUES)
def test_read_only_values_serialise_as_the_plain_ones(value: Any) -> None:
    """`json.dumps` gives the same text, compact, indented and sorted."""
    frozen = read_only(value)
    assert json.dumps(frozen) == json.dumps(value)
    assert json.dumps(frozen, indent=1, sort_keys=True) == json.dumps(
        value, indent=1, sort_keys=True
    )


@given(JSON_VALUES)
def test_reading_only_wraps_and_does_not_touch_the_original(value: Any) -> None:
    """The decoded value stays ordinary and writable; the read-only one shares nothing with it."""
    before = json.dumps(value)
    frozen = read_only(value)
    assert is_ordinary(value)
    if isinstance(value, dict | list):
        value.clear()
    assert json.dumps(frozen) == before


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@given(value=JSON_VALUES)
def test_pickles_are_ordinary(protocol: int, value: Any) -> None:
    """What comes out of a pickle is plain all the way down, and equal."""
    thawed = pickle.loads(pickle.dumps(read_only(value), protocol))
    assert thawed == value
    assert is_ordinary(thawed)


@given(JSON_VALUES)
def test_deep_copies_are_ordinary(value: Any) -> None:
    """`copy.deepcopy` gives what may be written to, all the way down."""
    copied = copy.deepcopy(read_only(value))
    assert copied == value
    assert is_ordinary(copied)


@given(OBJECTS, OBJECTS)
def test_shallow_copies_of_objects_are_plain_dicts(one: Any, two: Any) -> None:
    """`copy.copy`, `.copy()`, `dict()` and `|` from either side give plain dicts."""
    frozen: Any = read_only(one)
    for copied in (copy.copy(frozen), frozen.copy(), dict(frozen), {**frozen}):
        assert type(copied) is dict
        assert copied == one
    for joined in (frozen | two, frozen | read_only(two), one | read_only(two)):
        assert type(joined) is dict
        assert joined == one | two


@given(ARRAYS, ARRAYS)
def test_shallow_copies_of_arrays_are_plain_lists(one: Any, two: Any) -> None:
    """`copy.copy`, `.copy()`, `list()`, slices, `+` and `*` give plain lists."""
    frozen: Any = read_only(one)
    for copied in (copy.copy(frozen), frozen.copy(), list(frozen), frozen[:], frozen * 1):
        assert type(copied) is list
        assert copied == one
    for joined in (frozen + two, frozen + read_only(two), one + read_only(two)):
        assert type(joined) is list
        assert joined == one + two


@given(OBJECTS)
def test_joining_into_a_callers_own_dict_works(one: Any) -> None:
    """A caller's dict may be updated from a read-only one without becoming read-only."""
    mine = {"mine": 1}
    mine |= read_only(one)  # type: ignore[arg-type]
    assert type(mine) is dict
    assert mine == {"mine": 1} | one
