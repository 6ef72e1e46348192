"""Generated stores: both providers make the same of them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from appconfig_provider.testing import Draft, Emulator

from .sides import REFERENCE_TYPE, Sides, both, load_official, official_keywords
from .strategies import (
    JSON_TYPES,
    TEXT_TYPES,
    drafts,
    examples,
    flags,
    holding,
    selectors,
    stores,
    trims,
)

snapshot_numbers = itertools.count()


def collides(store: Emulator, sides: Sides, selects: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether two keys were trimmed to one, where the official order is a known defect."""
    keywords = official_keywords({"selects": selects})
    with load_official(connection_string=store.connection_string, **keywords) as untrimmed:
        return len(untrimmed) != len(sides.official)


@examples
@given(stores, st.lists(selectors, max_size=4), trims)
def test_selectors_layers_tags_and_trims(
    shared: Emulator, settings: list[Draft], selects: list[Mapping[str, Any]], trims: list[str]
) -> None:
    """Whatever is selected, layered and trimmed without collisions, keys and values are equal."""
    with (
        holding(shared, settings),
        both(shared, selects=selects, trim_prefixes=trims) as sides,
    ):
        assume(not trims or not collides(shared, sides, selects))
        sides.agree()


@examples
@given(stores)
def test_the_default_selection(shared: Emulator, settings: list[Draft]) -> None:
    """Without `selects` both load every setting that has no label."""
    with holding(shared, settings), both(shared) as sides:
        sides.agree()


def test_content_types(store: Emulator) -> None:
    """Both take the same content types for JSON, however they are spelt."""
    odd = ("application/json/x", "application / json", " application/json ", "application/")
    types = (*JSON_TYPES, *TEXT_TYPES, *odd, "application/a+json+b", "application/ json; x")
    for number, content_type in enumerate(types):
        store.set(f"{number}", "[1]", content_type=content_type)
    with both(store) as sides:
        assert len(sides.own()) == len(types)
        sides.agree()


@examples
@given(
    stores,
    st.lists(selectors, min_size=1, max_size=2),
    st.lists(selectors, max_size=2),
    st.lists(drafts(), max_size=4),
)
def test_snapshots_and_references(
    shared: Emulator,
    settings: list[Draft],
    first: list[Mapping[str, Any]],
    last: list[Mapping[str, Any]],
    later: list[Draft],
) -> None:
    """A snapshot among selectors, and a reference to it, count where they stand, as they were."""
    name = f"release-{next(snapshot_numbers)}"
    reference = Draft("z/ref", None, f'{{"snapshot_name": "{name}"}}', REFERENCE_TYPE)
    around: list[Mapping[str, Any]] = [*first, {"snapshot_name": name}, *last]
    with holding(shared, settings):
        shared.create_snapshot(name, [("app/*", None), ("app/*", "prod")])
        shared.set_many([*later, reference])
        with both(shared, selects=around) as sides:
            sides.agree()
        with both(shared, selects=[*first, {"key_filter": "*"}, *last]) as sides:
            sides.agree()


@examples
@given(
    st.lists(drafts(), max_size=8),
    st.lists(drafts(), max_size=4),
    st.lists(selectors, min_size=1, max_size=3),
    st.booleans(),
)
def test_after_a_refresh(
    shared: Emulator,
    before: list[Draft],
    after: list[Draft],
    selects: list[Mapping[str, Any]],
    sentinel: bool,
) -> None:
    """After changes, insertions and deletions both hold the same again, however they watch."""
    watching: dict[str, Any] = (
        {"refresh_on": [("sentinel", "\0")]} if sentinel else {"refresh_enabled": True}
    )
    with (
        holding(shared, [*before, Draft("sentinel", value="1")]),
        both(shared, selects=selects, **watching) as sides,
    ):
        sides.agree()
        for gone in before[::2]:
            shared.delete(gone.key, gone.label)
        shared.set_many([*after, Draft("sentinel", value="2")])
        sides.refresh()
        sides.agree()


@examples
@given(st.lists(flags(), max_size=6), st.sampled_from([None, "prod", "dev"]), st.booleans())
def test_flags_with_their_metadata(
    shared: Emulator, settings: list[Draft], label: str | None, tagged: bool
) -> None:
    """The list of flags is equal: order, content, ETag, reference and allocation id."""
    selector: dict[str, Any] = {"key_filter": "*", "label_filter": label or "\0"}
    if tagged:
        selector["tag_filters"] = ["team=a"]
    with (
        holding(shared, settings),
        both(shared, feature_flag_enabled=True, feature_flag_selectors=[selector]) as sides,
    ):
        sides.agree()


@examples
@given(st.lists(flags(), min_size=1, max_size=5), st.lists(flags(), max_size=3))
def test_flags_after_a_refresh(shared: Emulator, before: list[Draft], after: list[Draft]) -> None:
    """Flags that change, come and go are equal after a refresh, as long as one is left."""
    kept = Draft(before[0].key, None, before[0].value, before[0].content_type, before[0].tags)
    with (
        holding(shared, [*before, kept]),
        both(shared, feature_flag_enabled=True, feature_flag_refresh_enabled=True) as sides,
    ):
        for gone in before[1::2]:
            if gone.key != kept.key:
                shared.delete(gone.key, gone.label)
        shared.set_many(after)
        sides.refresh()
        sides.agree()


@examples
@given(st.lists(flags(), min_size=1, max_size=4), stores)
def test_flags_of_a_snapshot(shared: Emulator, settings: list[Draft], others: list[Draft]) -> None:
    """Flags and settings of one snapshot go to their own places on both sides."""
    name = f"flags-{next(snapshot_numbers)}"
    with holding(shared, [*settings, *others]):
        shared.create_snapshot(name, [("*", None)])
        selects = [{"snapshot_name": name}]
        with both(
            shared, selects=selects, feature_flag_enabled=True, feature_flag_selectors=selects
        ) as sides:
            sides.agree()
