"""A tree of the keys: where branches begin, what becomes a list, and what is refused."""

from __future__ import annotations

import json
import timeit
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider import load
from appconfig_provider.nesting import SEPARATORS, nested
from appconfig_provider.testing import Emulator

SEGMENTS = st.text(st.sampled_from("ab01"), max_size=3)


def tree(values: Mapping[str, Any], prefix: str = "", separator: str = ":") -> Any:
    """Return the tree with lists."""
    return nested(values, prefix, separator, lists=True)


def test_a_snapshot_is_handed_out_as_a_tree() -> None:
    """Keys with separators become branches; the same arguments give the same object."""
    with Emulator() as store:
        store.set_many({"db:host": "north", "db:ports:0": 1, "db:ports:1": 2, "color": "red"})
        with load(connection_string=store.connection_string) as config:
            whole = config.snapshot.nested()
            assert whole == {"color": "red", "db": {"host": "north", "ports": [1, 2]}}
            assert config.snapshot.nested("db") == whole["db"]
            assert config.snapshot.nested() is whole
            with pytest.raises(TypeError, match="read-only"):
                whole["db"]["host"] = "south"
            with pytest.raises(TypeError, match="read-only"):
                whole["db"]["ports"].append(3)
            assert json.loads(json.dumps(whole)) == whole


@pytest.mark.parametrize("separator", SEPARATORS)
def test_each_separator_of_the_other_providers_is_known(separator: str) -> None:
    """Any of the eight splits keys; others are refused by name."""
    assert tree({f"a{separator}b": 1}, separator=separator) == {"a": {"b": 1}}
    with pytest.raises(ValueError, match="separator must be one of"):
        tree({}, separator="|")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"a:0": "x", "a:1": "y"}, {"a": ["x", "y"]}),
        ({"a:1": "y", "a:0": "x"}, {"a": ["x", "y"]}),
        ({"a:0": "x", "a:2": "y"}, {"a": {"0": "x", "2": "y"}}),
        ({"a:0": "x", "a:b": "y"}, {"a": {"0": "x", "b": "y"}}),
        ({"a:00": "x"}, {"a": {"00": "x"}}),
        ({"a:0:k": 1, "a:1:k": 2}, {"a": [{"k": 1}, {"k": 2}]}),
        ({"a::b": 1, ":c": 2, "d:": 3}, {"a": {"": {"b": 1}}, "": {"c": 2}, "d": {"": 3}}),
    ],
)
def test_what_is_a_list_and_what_stays(values: dict[str, Any], expected: Any) -> None:
    """Only members called 0 to n-1 are a list, in their order; empty segments are names, too."""
    assert tree(values) == expected
    assert "[" not in json.dumps(nested(values, "", ":", lists=False))


def test_a_prefix_is_whole_segments() -> None:
    """`db` means what is below `db:`, and nothing of `dbx`; nothing below it is an empty tree."""
    values = {"db:host": 1, "dbx": 2, "db:pool:size": 3}
    assert tree(values, "db") == tree(values, "db:") == {"host": 1, "pool": {"size": 3}}
    assert tree(values, "db:pool") == {"size": 3}
    assert tree(values, "d") == {}
    assert tree({"a:0": "x", "a:1": "y"}, "a") == ["x", "y"]


def test_two_letters_split_from_the_left() -> None:
    """`a___b` is `a` and `_b`, as in any language that splits texts."""
    assert tree({"a___b": 1, "a__c": 2}, separator="__") == {"a": {"_b": 1, "c": 2}}


def test_feature_management_is_never_split() -> None:
    """Libraries look for it by its name, whatever the separator."""
    flags = {"feature_flags": [{"id": "beta"}]}
    assert tree({"feature_management": flags, "feature_x": 1}, separator="_") == {
        "feature_management": flags,
        "feature": {"x": 1},
    }


def test_feature_management_is_below_no_prefix() -> None:
    """It is no key of the store, so it stands in the whole tree alone."""
    values = {"feature_management": {}, "feature_x": 1, "db_0": 2}
    assert tree(values, "db", "_") == [2]
    assert tree(values, "feature", "_") == {"x": 1}
    assert tree({"feature_management": {}, "db:0": 1}, "db") == [1]


@pytest.mark.parametrize("order", [1, -1])
def test_keys_may_come_in_any_order(order: int) -> None:
    """A branch may be met before the one that holds it, or after it."""
    keys = ["a:b:c", "a:b:d", "a:e", "f", "a:b:g:h", "i:j"][::order]
    assert tree(dict.fromkeys(keys, 1)) == {
        "a": {"b": {"c": 1, "d": 1, "g": {"h": 1}}, "e": 1},
        "f": 1,
        "i": {"j": 1},
    }


@pytest.mark.parametrize(
    ("values", "prefix", "named"),
    [
        ({"a": 1, "a:b": 2}, "", ("'a'", "'a:b'")),
        ({"a:b": {"c": 1}, "a:b:c": 2}, "", ("'a:b'", "'a:b:c'")),
        ({"db": 1, "db:host": 2}, "db", ("'db'", "'db:host'")),
    ],
)
def test_a_key_with_a_value_and_keys_below_it_is_refused(
    values: dict[str, Any], prefix: str, named: tuple[str, str]
) -> None:
    """One of them would be lost; the error names both, and no value."""
    with pytest.raises(ValueError, match="has a value, and so has") as caught:
        tree(values, prefix)
    assert all(name in str(caught.value) for name in named)


@given(
    st.dictionaries(st.lists(SEGMENTS, min_size=1, max_size=4).map(":".join), st.integers()),
    st.booleans(),
)
def test_every_value_is_where_its_key_says(values: dict[str, int], lists: bool) -> None:
    """Going down by the segments of a key finds its value, unless keys contradict each other."""
    try:
        found = nested(values, "", ":", lists=lists)
    except ValueError:
        assert any(other.startswith(key + ":") for key in values for other in values)
        return
    for key, value in values.items():
        place = found
        for name in key.split(":"):
            place = place[int(name)] if isinstance(place, list) else place[name]
        assert place == value


@pytest.mark.unmeasured
def test_ten_thousand_keys_take_milliseconds() -> None:
    """Two on a quiet machine; ten are allowed here, where others may be busy."""
    values = {f"app{n % 20}:module{n % 200}:key{n}": str(n) for n in range(10_000)}
    assert min(timeit.repeat(lambda: tree(values), number=1, repeat=9)) < 0.010


def test_sixteen_trees_are_kept_and_no_more() -> None:
    """A program that asks with ever other arguments must not fill the memory."""
    with Emulator() as store:
        store.set("a:b", 1)
        with load(connection_string=store.connection_string) as config:
            first = [config.snapshot.nested(str(number)) for number in range(20)]
            again = [config.snapshot.nested(str(number)) for number in range(20)]
    assert [one is other for one, other in zip(first, again, strict=True)] == [True] * 16 + [
        False
    ] * 4
