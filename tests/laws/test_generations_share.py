"""What has not changed is the same object in the next generation, and nothing is held twice."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator

import pytest

from appconfig_provider import ConfigurationSetting
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider.testing import Draft, Emulator
from tests.support.adapter import Loader, Provider
from tests.support.content import VAULT_TYPE

JSON = "application/json"
PLAIN = [f"a/{number}" for number in range(6)]
TYPED = [f"b/{number}" for number in range(6)]


@pytest.fixture
def store() -> Iterator[Emulator]:
    """A store of four settings on a page, half of them JSON, and a sentinel."""
    with Emulator(page_size=4) as emulator:
        emulator.set_many(Draft(key, value=f"the text of {key}") for key in PLAIN)
        emulator.set_many(
            Draft(key, value=json.dumps({"name": key, "parts": [1, {}]}), content_type=JSON)
            for key in TYPED
        )
        yield emulator


def keywords(store: Emulator) -> dict[str, object]:
    """Return what watches every page of a store."""
    return {"connection_string": store.connection_string, "refresh_enabled": True}


def differing(config: Provider) -> set[str]:
    """Refresh, and return the keys whose value is not the object it was."""
    before = config.snapshot
    assert config.refresh(force=True)
    after = config.snapshot
    return {key for key in before.keys() & after.keys() if before[key] is not after[key]}


@pytest.mark.parametrize("key", [PLAIN[1], PLAIN[5], TYPED[0], TYPED[3]])
@pytest.mark.parametrize("sentinel", [True, False])
def test_only_the_changed_value_is_a_new_object(
    load: Loader, store: Emulator, key: str, sentinel: bool
) -> None:
    """Texts and JSON values beside a changed one, on its page or another, stay what they were."""
    store.set("sentinel", "one")
    watch = {"refresh_on": ["sentinel"]} if sentinel else {}
    with load(**keywords(store), **watch) as config:
        store.set(key, '["another value"]', content_type=JSON)
        store.set("sentinel", "two")
        assert differing(config) == {key, "sentinel"}
        assert config.snapshot[key] == ["another value"]


def test_equal_texts_of_two_keys_are_not_mistaken_for_each_other(
    load: Loader, store: Emulator
) -> None:
    """Each key keeps the object it had, also where another one says the same."""
    store.set_many({PLAIN[0]: "the same text", PLAIN[1]: "the same text"})
    with load(**keywords(store)) as config:
        store.set(PLAIN[2], "changed")
        assert differing(config) == {PLAIN[2]}


@pytest.mark.parametrize("edit", ["insert", "delete", "fill"])
def test_values_that_move_to_other_pages_stay_what_they_were(
    load: Loader, store: Emulator, edit: str
) -> None:
    """Settings that insertions and deletions push to other pages keep their objects."""
    with load(**keywords(store)) as config:
        if edit == "delete":
            store.delete(PLAIN[1])
        else:
            new = ["a/00"] if edit == "insert" else [f"a/2{number}" for number in range(9)]
            store.set_many(Draft(key, value=f"the text of {key}") for key in new)
        assert differing(config) == set()


def test_a_listing_read_from_scratch_gives_the_objects_it_had(
    load: Loader, store: Emulator
) -> None:
    """After so many deletions that its pages are given up, what is left stays what it was."""
    store.set_many(Draft(f"c/{number:02}", value=f"the text of {number}") for number in range(40))
    with load(**keywords(store)) as config:
        for number in range(36):
            store.delete(f"c/{number:02}")
        assert differing(config) == set()
        store.set("c/39", "another text")
        store.clear_requests()
        assert differing(config) == {"c/39"}
        assert 304 not in [record.status for record in store.requests]


def test_a_mapper_that_leaves_a_value_alone_leaves_its_object(
    load: Loader, store: Emulator
) -> None:
    """Behind a mapper texts it did not write, and JSON of equal text, stay what they were."""

    def mapped(setting: ConfigurationSetting) -> ConfigurationSetting | None:
        if setting.key == PLAIN[0]:
            setting.value, setting.content_type = '["made", "by a mapper"]', JSON
        setting.key = setting.key.upper()
        return None

    with load(**keywords(store), configuration_mapper=mapped) as config:
        assert config.snapshot["A/0"] == ["made", "by a mapper"]
        store.set(PLAIN[1], "another text")
        assert differing(config) == {"A/1"}


def test_a_secret_that_was_read_again_stays_the_object_it_was(
    load: Loader, store: Emulator
) -> None:
    """A reload that finds a secret unchanged keeps the very text that it had."""
    kind = VAULT_TYPE
    asked: list[str] = []

    def resolver(uri: str) -> str:
        asked.append(uri)
        return f"the secret at {uri}"

    store.set("s", '{"uri": "https://v.vault.azure.net/secrets/s"}', content_type=kind)
    more = {"secret_resolver": resolver, "secret_refresh_interval": 60}
    with load(**keywords(store), **more) as config:
        store.set(PLAIN[1], "another text")
        assert differing(config) == {PLAIN[1]}
        assert len(asked) == 2


@pytest.mark.parametrize(("value", "kind"), [("[1]", "text/plain"), ("[1, 2]", JSON)])
def test_a_value_is_reused_only_as_what_it_is(
    load: Loader, store: Emulator, value: str, kind: str
) -> None:
    """Another content type or another text gives another value, whatever was decoded before."""
    store.set("j", "[1]", content_type=JSON)
    with load(**keywords(store)) as config:
        assert config.snapshot["j"] == [1]
        store.set("j", value, content_type=kind)
        assert differing(config) == {"j"}
        assert config.snapshot["j"] == ("[1]" if kind == "text/plain" else [1, 2])


def test_what_is_gone_is_not_held(load: Loader, store: Emulator) -> None:
    """Of JSON values those of the current generation are remembered, and no others."""
    with load(**keywords(store)) as config:
        for key in TYPED[1:]:
            store.delete(key)
        assert config.refresh(force=True)
        gc.collect()
        held = config.snapshot[TYPED[0]]
        alive = [one for one in gc.get_objects() if type(one) is type(held)]
        assert [one for one in alive if one.get("name") in TYPED] == [held]


def test_no_object_is_held_for_a_setting(load: Loader, store: Emulator) -> None:
    """After a load and a reload none of the records that settings are handled as is alive."""
    with load(**keywords(store)) as config:
        store.set(PLAIN[1], "another text")
        assert config.refresh(force=True)
        gc.collect()
        alive = [one for one in gc.get_objects() if type(one) is Setting]
        assert [one.key for one in alive if one.key in config.snapshot] == []
