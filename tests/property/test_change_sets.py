"""The change set names exactly the keys whose presence or value differs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider import ChangeSet
from appconfig_provider.readonly import read_only
from appconfig_provider.snapshot import compare, same

from .strategies import ALIKE, GENERATIONS, JSON_VALUES, edited, two_generations


def text_of(value: Any) -> str:
    """Return the canonical JSON text of a value: the model of "the same value"."""
    return json.dumps(value, sort_keys=True)


def frozen(generation: dict[str, Any]) -> dict[str, Any]:
    return {key: read_only(value) for key, value in generation.items()}


@given(two_generations())
def test_a_change_set_names_exactly_what_differs(
    generations: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """Added, removed and changed are the keys that a model on JSON texts finds, sorted."""
    before, after = generations
    shared = before.keys() & after.keys()
    changed = [key for key in shared if text_of(before[key]) != text_of(after[key])]
    assert compare(frozen(before), frozen(after), reason="why") == ChangeSet(
        added=tuple(sorted(after.keys() - before.keys())),
        changed=tuple(sorted(changed)),
        removed=tuple(sorted(before.keys() - after.keys())),
        reason="why",
    )


@given(GENERATIONS)
def test_a_generation_does_not_differ_from_its_like(generation: dict[str, Any]) -> None:
    """Two equal generations, each built anew, make an empty change set, which is false."""
    changes = compare(frozen(generation), frozen(json.loads(json.dumps(generation))), reason="why")
    assert changes == ChangeSet(reason="why")
    assert not changes


@given(two_generations())
def test_the_way_back_swaps_added_and_removed(
    generations: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    """What is added on the way there is removed on the way back, and what changed, changed."""
    before, after = map(frozen, generations)
    there, back = compare(before, after, reason="why"), compare(after, before, reason="why")
    assert (there.added, there.changed, there.removed) == (back.removed, back.changed, back.added)


@given(st.data(), JSON_VALUES)
def test_values_are_the_same_where_their_json_is(data: st.DataObject, value: Any) -> None:
    """A value and an edited one are the same exactly when their JSON texts are."""
    other = data.draw(edited(value))
    assert same(read_only(value), read_only(other)) is (text_of(value) == text_of(other))


@pytest.mark.parametrize("place", range(len(ALIKE)))
def test_values_that_python_takes_for_equal_differ_as_json(place: int) -> None:
    """`true`, `1` and `1.0` are three values; so are `""`, `null`, `[]` and `{}`, at any depth."""
    for other in range(len(ALIKE)):
        for wrap in (lambda x: x, lambda x: [x], lambda x: {"a": [x]}):
            one, two = read_only(wrap(ALIKE[place])), read_only(wrap(ALIKE[other]))
            assert same(one, two) is (place == other)


@given(JSON_VALUES, st.randoms(use_true_random=False))
def test_the_order_of_an_objects_names_is_no_difference(value: Any, random: Any) -> None:
    """An object written in another order is the same value; an array is not shuffled."""

    def shuffled(part: Any) -> Any:
        if isinstance(part, dict):
            names = list(part)
            random.shuffle(names)
            return {name: shuffled(part[name]) for name in names}
        return [shuffled(item) for item in part] if isinstance(part, list) else part

    assert same(read_only(value), read_only(shuffled(value)))


def test_not_a_number_is_no_change_forever() -> None:
    """`NaN`, which Python's JSON reads, does not count as changed at each reload."""
    one, other = float("nan"), float("nan")
    assert one is not other
    assert same(read_only([one]), read_only([other]))
    assert not same(read_only(one), 0.0)
