"""Where the two differ on purpose: each test shows the official defect, and ours without it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appconfig_provider.errors import SnapshotNotFoundError
from appconfig_provider.testing import Emulator
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE
from tests.support.official import make_secrets_due, make_settings_due

from .sides import (
    FLAG_PREFIX,
    INTERVAL,
    REFERENCE_TYPE,
    OfficialSelector,
    both,
    load_official,
    own_keywords,
    set_flag,
)

VAULT_REFERENCE = "https://v.vault.azure.net/secrets/pw"
FULL: dict[str, Any] = {
    "display_name": None,
    "description": None,
    "conditions": {"client_filters": []},
}


def listed(content: dict[str, Any]) -> list[Any]:
    """Return the list of flags."""
    found: list[Any] = content["feature_management"]["feature_flags"]
    return found


def test_the_last_selector_wins_after_trimming(store: Emulator) -> None:
    """Officially a trimmed key of an earlier selector beats an override of a later one."""
    store.set("x", "base")
    store.set("x", "prod", "prod")
    store.set("app/x", "app")
    selects = [
        {"key_filter": "x"},
        {"key_filter": "app/*"},
        {"key_filter": "x", "label_filter": "prod"},
    ]
    with both(store, selects=selects, trim_prefixes=["app/"]) as sides:
        assert sides.theirs() == {"x": "app"}
        assert sides.own() == {"x": "prod"}


def test_a_missing_snapshot_is_an_error(load: Loader, store: Emulator) -> None:
    """Officially the whole configuration is empty when one snapshot is missing."""
    store.set("a", "1")
    selects = [{"key_filter": "*"}, {"snapshot_name": "release"}]
    connection = {"connection_string": store.connection_string}
    with load_official(
        **connection,
        selects=[OfficialSelector(**one) for one in selects],
        replica_discovery_enabled=False,
    ) as theirs:
        assert dict(theirs.items()) == {}
    with (
        pytest.raises(SnapshotNotFoundError),
        load(**connection, **own_keywords({"selects": selects})),
    ):
        pass


def test_a_missing_referenced_snapshot_is_an_error(load: Loader, store: Emulator) -> None:
    """Officially a reference to a missing snapshot is left out with a word in the log."""
    store.set("a", "1")
    store.set("ref", '{"snapshot_name": "release"}', content_type=REFERENCE_TYPE)
    connection = {"connection_string": store.connection_string}
    with load_official(**connection, replica_discovery_enabled=False) as theirs:
        assert dict(theirs.items()) == {"a": "1"}
    with pytest.raises(SnapshotNotFoundError), load(**connection):
        pass


def test_a_reference_may_be_spelt_freely(store: Emulator) -> None:
    """Officially a snapshot reference's content type must match letter by letter."""
    store.set("a", "1")
    store.create_snapshot("release", [("a", None)])
    store.delete("a")
    spelt = 'application/json;profile="https://azconfig.io/mime-profiles/snapshot-ref"'
    store.set("ref", '{"snapshot_name": "release"}', content_type=spelt)
    with both(store) as sides:
        assert sides.theirs() == {"ref": {"snapshot_name": "release"}}
        assert sides.own() == {"a": "1"}


@pytest.mark.usefixtures("hasty")
def test_null_may_be_a_json_value(load: Loader, store: Emulator) -> None:
    """Officially a null value with a JSON content type is a TypeError out of load()."""
    store.set("a", None, content_type="application/json")
    connection = {"connection_string": store.connection_string}
    with pytest.raises(TypeError):
        load_official(**connection, replica_discovery_enabled=False)
    with load(**connection) as config:
        assert dict(config.snapshot) == {"a": None}


def test_a_comment_separates_tokens(store: Emulator) -> None:
    """Officially a comment between digits joins them to another number."""
    store.set("a", "1/**/2", content_type="application/json")
    with both(store) as sides:
        assert sides.theirs() == {"a": 12}
        assert sides.own() == {"a": "1/**/2"}


def test_a_carriage_return_ends_a_comment(store: Emulator) -> None:
    """Officially a line comment goes on over a lone carriage return."""
    store.set("a", "// one\r[1]", content_type="application/json")
    with both(store) as sides:
        assert sides.theirs() == {"a": "// one\r[1]"}
        assert sides.own() == {"a": [1]}


def test_none_is_the_default_label(store: Emulator) -> None:
    """Officially `label_filter=None` is every label, though it is not what leaving it out means."""
    store.set("a", "1")
    store.set("a", "2", "prod")
    with both(store, selects=[{"key_filter": "a", "label_filter": None}]) as sides:
        assert sides.theirs() == {"a": "2"}
        assert sides.own() == {"a": "1"}


def test_a_reference_in_a_referenced_snapshot_is_no_value(store: Emulator) -> None:
    """Neither follows a reference inside a snapshot; officially it is left as a value."""
    store.set("a", "1")
    store.create_snapshot("inner", [("a", None)])
    store.set("ref", '{"snapshot_name": "inner"}', content_type=REFERENCE_TYPE)
    store.create_snapshot("outer", [("ref", None)])
    store.delete("a")
    store.set("ref", '{"snapshot_name": "outer"}', content_type=REFERENCE_TYPE)
    with both(store) as sides:
        assert sides.theirs() == {"ref": {"snapshot_name": "inner"}}
        assert sides.own() == {}


def test_a_malformed_flag_is_left_out(store: Emulator) -> None:
    """Officially a flag without JSON is an empty object in the list."""
    store.set(FLAG_PREFIX + "bad", "{", content_type=FLAG_TYPE)
    with both(store, feature_flag_enabled=True) as sides:
        assert listed(sides.theirs()) == [{}]
        assert listed(sides.own()) == []


def test_a_flag_found_twice_is_listed_once(store: Emulator) -> None:
    """Officially a flag that two selectors find stands in the list twice."""
    set_flag(store, "beta", {"id": "beta", "enabled": True, **FULL})
    set_flag(store, "beta", {"id": "beta", "enabled": False, **FULL}, "prod")
    selectors = [{"key_filter": "*"}, {"key_filter": "*", "label_filter": "prod"}]
    with both(store, feature_flag_enabled=True, feature_flag_selectors=selectors) as sides:
        assert [flag["enabled"] for flag in listed(sides.theirs())] == [True, False]
        assert listed(sides.own()) == listed(sides.theirs())[1:]


def test_a_flag_stays_as_it_is_stored(store: Emulator) -> None:
    """Officially the client adds members with null to a flag; ours adds the metadata alone."""
    set_flag(store, "beta", {"id": "beta", "enabled": True})
    with both(store, feature_flag_enabled=True) as sides:
        (theirs,), (own,) = listed(sides.theirs()), listed(sides.own())
        added = {key: theirs.pop(key) for key in theirs.keys() - own.keys()}
        assert added == {
            "display_name": None,
            "description": None,
            "conditions": {"client_filters": None},
        }
        assert own == theirs
        assert own.keys() == {"id", "enabled", "telemetry"}


def test_the_last_flag_can_be_deleted(store: Emulator) -> None:
    """Officially the last flag stays for ever once it is deleted."""
    set_flag(store, "beta", {"id": "beta", "enabled": True, **FULL})
    with both(store, feature_flag_enabled=True, feature_flag_refresh_enabled=True) as sides:
        store.delete(FLAG_PREFIX + "beta")
        for _ in range(2):
            sides.refresh()
            assert [flag["id"] for flag in listed(sides.theirs())] == ["beta"]
            assert listed(sides.own()) == []


def test_an_update_during_the_load_is_not_lost(store: Emulator) -> None:
    """Officially a deployment between data and sentinel is lost for ever."""
    store.set("a", "old")
    store.set("sentinel", "1")
    deployed: list[str] = []

    def deploy(record: Any) -> None:
        if record.target.startswith("/kv?") and not deployed:
            deployed.append(record.target)
            store.set("a", "new")
            store.set("sentinel", "2")

    selects = [{"key_filter": "a"}]
    with store.after_answer(deploy):
        theirs = load_official(
            connection_string=store.connection_string,
            selects=[OfficialSelector(**selects[0])],
            refresh_on=[("sentinel", "\0")],
            refresh_interval=INTERVAL,
            replica_discovery_enabled=False,
        )
    with theirs, both(store, selects=selects, refresh_on=[("sentinel", "\0")]) as sides:
        make_settings_due(theirs)
        theirs.refresh()
        assert theirs["a"] == "old"
        assert sides.own() == {"a": "new"}


def test_a_rotated_secret_keeps_its_trimmed_key(store: Emulator) -> None:
    """Officially a rotated secret comes back under its untrimmed key, beside the old one."""
    store.set_secret("app/pw", VAULT_REFERENCE)
    secrets = {VAULT_REFERENCE: "a1"}
    with both(
        store,
        trim_prefixes=["app/"],
        secret_resolver=secrets.__getitem__,
        secret_refresh_interval=INTERVAL,
        refresh_enabled=True,
    ) as sides:
        sides.agree()
        secrets[VAULT_REFERENCE] = "a2"
        make_secrets_due(sides.official)
        sides.refresh()
        assert sides.theirs() == {"pw": "a1", "app/pw": "a2"}
        assert sides.own() == {"pw": "a2"}


@pytest.mark.usefixtures("hasty")
def test_an_empty_secret_is_a_value(load: Loader, store: Emulator) -> None:
    """Officially an empty secret counts as one that nobody can resolve."""
    store.set_secret("pw", VAULT_REFERENCE)
    keywords: dict[str, Any] = {
        "connection_string": store.connection_string,
        "secret_resolver": lambda _uri: "",
    }
    with pytest.raises(ValueError, match="No Secret Client found"):
        load_official(**keywords, replica_discovery_enabled=False)
    with load(**keywords) as config:
        assert dict(config.snapshot) == {"pw": ""}


def test_values_cannot_be_written_to(store: Emulator) -> None:
    """Officially a JSON value is shared by all readers and can be changed by any."""
    store.set("a", json.dumps({"hosts": ["one"]}), content_type="application/json")
    with both(store) as sides:
        sides.official["a"]["hosts"].append("evil")
        assert sides.theirs() == {"a": {"hosts": ["one", "evil"]}}
        for config in sides.ours.values():
            hosts: Any = config.snapshot["a"]
            with pytest.raises(TypeError, match="read-only"):
                hosts["hosts"].append("evil")
        assert sides.own() == {"a": {"hosts": ["one"]}}
