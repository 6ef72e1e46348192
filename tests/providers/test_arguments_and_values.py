"""Arguments that were accepted or crashed, values that were shared."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Opener, Provider

JSON = "application/json"


@pytest.mark.parametrize(
    "keyword",
    ["select", "refresh_intervall", "refresh_on_feature_flags", "feature_flags_enabled", "logger"],
)
def test_a_misspelt_keyword_is_refused(opened: Opener, store: Emulator, keyword: str) -> None:
    """An unknown keyword is a TypeError that names it, before any request."""
    with pytest.raises(TypeError, match=keyword):
        opened(connection_string=store.connection_string, **{keyword: True})
    assert store.requests == []


@pytest.mark.parametrize("keyword", ["selects", "trim_prefixes", "refresh_on"])
def test_a_documented_default_may_be_written_out(
    opened: Opener, store: Emulator, keyword: str
) -> None:
    """`None` for a list argument means its default."""
    store.set("k", "v")
    config = opened(connection_string=store.connection_string, **{keyword: None})
    assert dict(config.snapshot) == {"k": "v"}


def test_an_entry_of_refresh_on_is_a_key_and_not_unpacked(
    opened: Opener, store: Emulator, clock: FakeClock
) -> None:
    """`refresh_on=["ab"]` watches the key `ab` without label, not `a` with label `b`."""
    config = opened(connection_string=store.connection_string, refresh_on=["ab"])
    paths = {record.target.partition("?")[0] for record in store.requests}
    assert paths == {"/kv/ab", "/kv"}
    store.set("a", "1", "b")
    clock.advance(30)
    assert not config.refresh()
    store.set("ab", "1")
    clock.advance(30)
    assert config.refresh()


def test_a_bare_text_as_refresh_on_is_one_key(opened: Opener, store: Emulator) -> None:
    """`refresh_on="sentinel"` watches that key, not eight one-letter sentinels."""
    opened(connection_string=store.connection_string, refresh_on="sentinel")
    paths = {record.target.partition("?")[0] for record in store.requests}
    assert paths == {"/kv/sentinel", "/kv"}


@pytest.fixture
def loaded(opened: Opener, store: Emulator) -> Provider:
    """A provider with one JSON setting."""
    store.set("j", '{"hosts": ["a"], "limits": {"cpu": 1}}', content_type=JSON)
    store.set("sentinel", "1")
    return opened(connection_string=store.connection_string, refresh_on=["sentinel"])


def test_a_value_read_from_the_configuration_cannot_be_changed_for_everybody(
    loaded: Provider,
) -> None:
    """Writing into a JSON value raises TypeError and leaves it as it is."""
    config: Any = loaded.provider
    before = copy.deepcopy(config["j"])
    with pytest.raises(TypeError):
        config["j"]["hosts"].append("evil")
    with pytest.raises(TypeError):
        config["j"]["limits"]["cpu"] = 9
    with pytest.raises(TypeError):
        config.snapshot["j"] = "evil"
    assert config["j"] == before


def test_an_iterator_keeps_the_generation_it_began_on(
    store: Emulator, clock: FakeClock, loaded: Provider
) -> None:
    """A swap in the middle of an iteration neither raises nor mixes generations."""
    iterators = [iter(loaded.provider), iter(loaded.provider.keys()), iter(loaded.provider.items())]
    begun: list[Any] = [next(iterator) for iterator in iterators]
    store.delete("j")
    store.set("k", "new")
    store.set("sentinel", "2")
    clock.advance(30)
    assert loaded.refresh()
    seen = [[first, *iterator] for first, iterator in zip(begun, iterators, strict=True)]
    assert seen[0] == seen[1] == ["j", "sentinel"]
    assert dict(seen[2])["sentinel"] == "1"


def test_a_view_keeps_its_generation_and_a_new_one_shows_the_next(
    store: Emulator, clock: FakeClock, loaded: Provider
) -> None:
    """A `keys()` view answers from one generation; asked again, the provider gives the new one."""
    view = loaded.provider.keys()
    store.set("k", "new")
    store.set("sentinel", "2")
    clock.advance(30)
    assert loaded.refresh()
    assert list(view) == ["j", "sentinel"]
    assert "k" not in view
    assert "k" in loaded.provider.keys()  # noqa: SIM118 - the view is what is tested


def test_a_null_value_with_a_json_content_type_is_none(opened: Opener, store: Emulator) -> None:
    """A setting without a value is None, whatever its content type says."""
    store.set("json", None, content_type=JSON)
    store.set("text", None)
    config = opened(connection_string=store.connection_string)
    assert dict(config.snapshot) == {"json": None, "text": None}


def test_what_the_caller_passed_is_not_written_to(opened: Opener, store: Emulator) -> None:
    """Lists and mappings given to `load()` are afterwards what they were before."""
    given: dict[str, Any] = {
        "selects": [SettingSelector(key_filter="*")] * 2,
        "trim_prefixes": ["a", "ab", ""],
        "refresh_on": ["s", ("s", "l"), "s"],
        "headers": {"X-Mine": "1"},
        "on_refresh_success": [print],
        "on_refresh_error": [print],
        "replicas": [],
    }
    before = {name: copy.copy(value) for name, value in given.items()}
    opened(connection_string=store.connection_string, **given)
    assert given == before


def test_the_same_arguments_serve_a_second_load(opened: Opener, store: Emulator) -> None:
    """Nothing in the caller's arguments is used up by a first load."""
    store.set("k", "v")
    keywords: dict[str, Any] = {"headers": {"X-Mine": "1"}, "refresh_on": ["s"]}
    for _ in range(2):
        config = opened(connection_string=store.connection_string, **keywords)
        assert config.provider["k"] == "v"


def test_a_later_selector_wins_after_trimming(opened: Opener, store: Emulator) -> None:
    """Selectors `x`, `app/*`, `x@prod` with trim `app/` give the prod override."""
    store.set("x", "base")
    store.set("app/x", "app")
    store.set("x", "prod", "prod")
    config = opened(
        connection_string=store.connection_string,
        selects=[
            SettingSelector(key_filter="x"),
            SettingSelector(key_filter="app/*"),
            SettingSelector(key_filter="x", label_filter="prod"),
        ],
        trim_prefixes=["app/"],
    )
    assert dict(config.snapshot) == {"x": "prod"}


def test_a_selector_given_twice_counts_at_its_last_position(
    opened: Opener, store: Emulator
) -> None:
    """Equal selectors are asked once, where the last of them stands."""
    store.set("x", "base")
    store.set("x", "prod", "prod")
    base, prod = (SettingSelector(key_filter="x", label_filter=label) for label in ("\0", "prod"))
    config = opened(connection_string=store.connection_string, selects=[base, prod, base])
    assert dict(config.snapshot) == {"x": "base"}
    first_pages = [one for one in store.requests if "after" not in one.target]
    assert len(first_pages) == 2
