"""The laws of merging: who wins, in which order, and that merging twice changes nothing."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider import OverrideBehaviour, Overrides
from appconfig_provider.models import Explanation
from appconfig_provider.overrides.layers import Layer, Merged, merge, same_layer

OVER, UNDER = OverrideBehaviour.LOCAL_OVER_REMOTE, OverrideBehaviour.REMOTE_OVER_LOCAL

KEYS = st.sampled_from(["a", "b", "c", "d", "A"])
VALUES = st.integers(0, 9)
SETTINGS = st.dictionaries(KEYS, VALUES)
FLAGS = st.dictionaries(KEYS, VALUES.map(lambda number: {"enabled": number}))


def layer_of(values: dict[str, Any], behaviour: OverrideBehaviour) -> Layer:
    """Return the layer of a dict."""
    source = Overrides.from_dict(values, behaviour=behaviour).source
    assert isinstance(source, Layer)
    return source


def with_flags(flags: dict[str, Any], behaviour: OverrideBehaviour) -> Layer:
    """Return a layer of flags."""
    listed = [{"id": name, **flag} for name, flag in flags.items()]
    return layer_of({"feature_management": {"feature_flags": listed}}, behaviour)


LAYERS = st.lists(st.builds(layer_of, SETTINGS, st.sampled_from([OVER, UNDER])), max_size=4)
FLAG_LAYERS = st.lists(st.builds(with_flags, FLAGS, st.sampled_from([OVER, UNDER])), max_size=4)


def result(merged: Merged, store: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration."""
    return {**store, **merged.values}


@given(LAYERS, SETTINGS)
def test_the_last_layer_that_may_wins(layers: list[Layer], store: dict[str, int]) -> None:
    """A key has the value of the last layer that has it and may have it; else the store's."""
    found = result(merge(tuple(layers), store), store)
    for key in {*store, *(key for layer in layers for key in layer.values)}:
        held: object = store.get(key)
        for layer in layers:
            if key in layer.values and (layer.behaviour is OVER or key not in store):
                held = layer.values[key]
        assert found[key] == held


@given(LAYERS, SETTINGS)
def test_layers_given_twice_change_nothing(layers: list[Layer], store: dict[str, int]) -> None:
    """The same layers once more make the same of the store; one of them twice does so, too."""
    once = result(merge(tuple(layers), store), store)
    assert result(merge((*layers, *layers), store), store) == once
    assert result(merge(tuple(one for one in layers for _ in (1, 2)), store), store) == once


@given(st.lists(st.builds(layer_of, SETTINGS, st.just(OVER)), max_size=4), SETTINGS)
def test_merging_with_what_came_of_it_changes_nothing(
    layers: list[Layer], store: dict[str, int]
) -> None:
    """Layers that win make of their own result the same once more."""
    once = result(merge(tuple(layers), store), store)
    assert result(merge(tuple(layers), once), once) == once


@given(SETTINGS, SETTINGS, SETTINGS)
def test_layers_can_be_joined(one: dict[str, int], two: dict[str, int], store: Any) -> None:
    """Two layers that win are one layer of both; the later one wins."""
    both = merge((layer_of(one, OVER), layer_of(two, OVER)), store)
    joined = merge((layer_of({**one, **two}, OVER),), store)
    assert result(both, store) == result(joined, store)


@given(LAYERS, SETTINGS)
def test_no_key_of_the_store_is_lost(layers: list[Layer], store: dict[str, int]) -> None:
    """Overrides add and replace, and never remove."""
    assert store.keys() <= result(merge(tuple(layers), store), store).keys()


@given(FLAG_LAYERS, FLAGS)
def test_flags_are_merged_as_keys_are(layers: list[Layer], store: dict[str, Any]) -> None:
    """By id: those of the store keep their places, new ones follow."""
    flags = {name: {"id": name, **flag} for name, flag in store.items()}
    merged = merge(tuple(layers), {"feature_management"})
    found = merged.flags(flags)
    assert list(found)[: len(flags)] == list(flags)
    for name, flag in found.items():
        held: object = flags.get(name)
        for layer in layers:
            own = layer.flags or {}
            if name in own and (layer.behaviour is OVER or name not in flags):
                held = own[name]
        assert flag == held


@given(LAYERS, SETTINGS)
def test_explain_begins_with_what_wins(layers: list[Layer], store: dict[str, int]) -> None:
    """The first of the chain is who has the value; the shadows are all others who have the key."""
    merged = merge(tuple(layers), store)
    for key in {*store, *merged.values}:
        remote = [told(key)] if key in store else []
        explained = merged.explain(key, remote)
        assert explained is not None
        assert explained.origin == ("override" if key in merged.values else "store")
        having = sum(key in layer.values for layer in layers) + len(remote)
        assert 1 + len(explained.shadows) == having
        over = [layer for layer in layers if key in layer.values and layer.behaviour is OVER]
        if remote:
            chain = [explained.origin, *(one.origin for one in explained.shadows)]
            assert chain.index("store") == len(over)


def told(key: str) -> Explanation:
    """Return what a store says of a key."""
    return Explanation(key, None, None, MappingProxyType({}), origin="store", selector=None)


def test_what_nobody_has_is_not_explained() -> None:
    """There is nothing to tell of a key that neither side has."""
    assert merge((), ()).explain("k", ()) is None


@given(SETTINGS, SETTINGS, FLAGS)
def test_layers_are_the_same_by_their_values(
    one: dict[str, int], two: dict[str, int], flags: dict[str, Any]
) -> None:
    """A file that was only written anew gives the same layer."""
    assert same_layer(layer_of(one, OVER), layer_of(two, OVER)) == (one == two)
    assert same_layer(with_flags(flags, OVER), with_flags(flags, OVER))
    assert not same_layer(with_flags(flags, OVER), layer_of(one, OVER))
    assert not same_layer(layer_of({"a": 1}, OVER), layer_of({"a": True}, OVER))
