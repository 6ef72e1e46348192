"""Which setting counts for a key: trim first, then let the later one win."""

from __future__ import annotations

from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from appconfig_provider import SettingSelector, load
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.settings.layering import convert, in_order, layer, trim
from appconfig_provider._azure.settings.records import Page, Setting, columns_of
from appconfig_provider.models import FLAG_PREFIX
from appconfig_provider.testing import Emulator
from tests.support.content import FLAG_TYPE

from .strategies import KEYS, PREFIXES, settings_of

NOWHERE = "Endpoint=http://localhost:1;Id=i;Secret=c2VjcmV0"


def prefixes_of(given_prefixes: list[str]) -> tuple[str, ...]:
    """Return prefixes as `load()` hands them to the layering."""
    return (
        Keywords(connection_string=NOWHERE, trim_prefixes=given_prefixes)
        .checked()
        .selection.prefixes
    )


def trimmed(key: str, prefixes: list[str]) -> str:
    """Return the key without the longest prefix that fits: the model of trimming."""
    fitting = [prefix for prefix in prefixes if key.startswith(prefix)]
    return key[max(map(len, fitting), default=0) :]


@given(KEYS, PREFIXES)
def test_the_longest_prefix_that_fits_is_cut_once(key: str, prefixes: list[str]) -> None:
    """Whatever order the prefixes are given in, the longest one is cut, and only one."""
    assert trim(key, prefixes_of(prefixes)) == trimmed(key, prefixes)


@given(KEYS, PREFIXES, st.randoms(use_true_random=False))
def test_the_order_of_the_prefixes_does_not_matter(
    key: str, prefixes: list[str], random: Any
) -> None:
    """Shuffled and doubled prefixes trim alike."""
    shuffled = prefixes * 2
    random.shuffle(shuffled)
    assert trim(key, prefixes_of(shuffled)) == trim(key, prefixes_of(prefixes))


@given(st.lists(settings_of(), max_size=8), PREFIXES)
def test_the_last_setting_of_a_trimmed_key_wins(listed: list[Setting], prefixes: list[str]) -> None:
    """The value of each key is that of the last setting whose trimmed key it is."""
    expected = {trimmed(one.key, prefixes): one.value for one in listed}
    values, problems, _ = convert(layer(listed, prefixes_of(prefixes)), {})
    assert values == expected
    assert not problems


@given(st.lists(settings_of(), max_size=6), st.lists(settings_of(), max_size=6), PREFIXES)
def test_layers_compose(below: list[Setting], above: list[Setting], prefixes: list[str]) -> None:
    """Two layers together are the lower one, updated with the upper one."""
    cut = prefixes_of(prefixes)
    assert layer([*below, *above], cut) == {**layer(below, cut), **layer(above, cut)}


@given(st.lists(settings_of(), max_size=6), st.integers(0, 6), KEYS)
def test_feature_flags_are_not_plain_keys(listed: list[Setting], place: int, name: str) -> None:
    """A flag that a filter happens to meet neither adds a key nor hides one."""
    flag = Setting(FLAG_PREFIX + name, None, '{"id": "x"}', FLAG_TYPE)
    place = min(place, len(listed))
    page = Page("/kv", None, columns_of([*listed[:place], flag, *listed[place:]]), None)
    assert list(in_order([(page,)], {})) == listed


SELECTORS = st.lists(
    st.builds(
        SettingSelector,
        key_filter=st.sampled_from(["*", "a*", "a", "a/*", "b", "a,b"]),
        label_filter=st.sampled_from(["\0", "prod"]),
    ),
    max_size=4,
)
STORES = st.dictionaries(
    st.tuples(KEYS, st.sampled_from([None, "prod"])), st.text("01", max_size=3), max_size=8
)


def selected(key: str, label: str | None, selector: SettingSelector) -> bool:
    """Tell whether a selector means a setting: the model of the filters used here."""
    wanted = selector.key_filter or ""
    if (label or "\0") != selector.label_filter:
        return False
    return key.startswith(wanted[:-1]) if wanted.endswith("*") else key in wanted.split(",")


@settings(max_examples=25)
@given(STORES, SELECTORS, PREFIXES)
def test_selectors_apply_in_their_order_over_a_real_store(
    stored: dict[tuple[str, str | None], str],
    selectors: list[SettingSelector],
    prefixes: list[str],
) -> None:
    """Loaded over HTTP: each selector in turn, keys sorted within it, later wins after trimming."""
    with Emulator(page_size=2) as store:
        for (key, label), value in stored.items():
            store.set(key, value, label)
        expected = {
            trimmed(key, prefixes): value
            for selector in selectors
            for (key, label), value in sorted(stored.items(), key=lambda entry: entry[0][0])
            if selected(key, label, selector)
        }
        with load(
            connection_string=store.connection_string, selects=selectors, trim_prefixes=prefixes
        ) as config:
            assert dict(config.snapshot) == expected


@given(SELECTORS)
def test_an_equal_selector_counts_at_its_last_position(selectors: list[SettingSelector]) -> None:
    """Doubled selectors collapse to the last of them, so that the order they mean is kept."""
    kept = Keywords(connection_string=NOWHERE, selects=selectors * 2).checked().selection.settings
    last = [one for place, one in enumerate(selectors) if one not in selectors[place + 1 :]]
    assert list(kept) == last


@given(st.lists(settings_of(), max_size=8))
def test_without_prefixes_keys_stay_as_they_are(listed: list[Setting]) -> None:
    """Layering without prefixes keeps each key, and the last setting of it."""
    assume(listed)
    assert layer(listed, ()) == {one.key: one for one in listed}
