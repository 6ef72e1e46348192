"""Settings kept as columns are the settings they were made from, and layer as those do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.settings.layering import Pages, entries, in_order, layer
from appconfig_provider._azure.settings.records import Details, Page, Setting, columns_of
from tests.property.strategies import KEYS, PREFIXES
from tests.support.content import FLAG_TYPE

NOWHERE = "Endpoint=http://localhost:1;Id=i;Secret=c2VjcmV0"
JSON = "application/json"
REFERENCE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"'

SETTINGS = st.builds(
    Setting,
    KEYS | KEYS.map(".appconfig.featureflag/".__add__),
    st.sampled_from([None, "", "prod"]),
    st.sampled_from([None, "", "1", "{}"]),
    st.sampled_from([None, None, "", "text/plain", JSON, FLAG_TYPE]),
    st.sampled_from([None, {"tag": "1"}, {"tag": None}]),
    st.sampled_from([None, Details("etag", None, locked=True)]),
)
SNAPSHOT = Setting("a", None, '{"snapshot_name": "one"}', REFERENCE)


def page_of(settings: list[Setting]) -> Page:
    """Return a page of settings."""
    return Page("/kv", None, columns_of(settings), None)


PAGES: st.SearchStrategy[Pages] = st.lists(
    st.lists(SETTINGS | st.just(SNAPSHOT), max_size=4).map(page_of), max_size=3
).map(tuple)


@given(st.lists(SETTINGS, max_size=4))
def test_columns_give_back_every_field(settings: list[Setting]) -> None:
    """Whichever fields no setting has, each setting comes back as it was, and in its place."""
    assert list(page_of(settings).settings) == settings


@given(st.lists(PAGES, max_size=3), PAGES, PREFIXES)
def test_entries_are_the_layered_settings(
    selections: list[Pages], one: Pages, given_prefixes: list[str]
) -> None:
    """In the same order each key has the setting that wins, or its text if it has no type."""
    prefixes = (
        Keywords(connection_string=NOWHERE, trim_prefixes=given_prefixes)
        .checked()
        .selection.prefixes
    )
    references = {"one": one}
    layered = layer(in_order(selections, references), prefixes)
    found = entries(selections, references, prefixes)
    assert list(found) == list(layered)
    for key, setting in layered.items():
        entry = found[key]
        assert entry == setting if isinstance(entry, Setting) else entry == setting.value
        assert isinstance(entry, Setting) or not setting.content_type
