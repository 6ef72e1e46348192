"""Where a value came from, as `snapshot.explain(key)` tells it."""

from __future__ import annotations

import json

import pytest

from appconfig_provider import DROP, SettingSelector
from appconfig_provider.models import ConfigurationSetting, Explanation
from appconfig_provider.testing import AsyncStaticCredential, Emulator, StaticCredential, Vault
from tests.support.adapter import Loader, load_sync
from tests.support.content import secret

PROD = SettingSelector(key_filter="*", label_filter="prod")
PLAIN = SettingSelector(key_filter="*")
REFERENCE_TYPE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)


def keywords(store: Emulator, **more: object) -> dict[str, object]:
    """Return how the store is loaded."""
    return {"connection_string": store.connection_string, "selects": [PLAIN, PROD], **more}


def places(explanation: Explanation) -> list[tuple[str, str | None]]:
    """Return key and label of the winner and of what it won over."""
    return [(one.key, one.label) for one in (explanation, *explanation.shadows)]


def test_a_setting_of_the_store(load: Loader, store: Emulator) -> None:
    """The winner has selector, label, content type and tags; so have those it won over."""
    store.set("k", "1", tags={"team": "a", "none": None})
    store.set("k", "2", "prod", content_type="application/json")
    with load(**keywords(store)) as config:
        assert config.snapshot["k"] == 2
        explained = config.snapshot.explain("k")
    shadow = Explanation(
        "k", None, None, {"team": "a", "none": None}, origin="store", selector=PLAIN
    )
    assert explained == Explanation(
        "k", "prod", "application/json", {}, origin="store", selector=PROD, shadows=(shadow,)
    )
    with pytest.raises(TypeError):
        explained.shadows[0].tags["team"] = "b"  # type: ignore[index]  # nothing handed out is writable


def test_shadows_come_next_best_first_also_across_prefixes(load: Loader, store: Emulator) -> None:
    """Trimmed keys shadow one another: the one that would win next comes next."""
    for label in (None, "prod"):
        for key in ("app/host", "host", "other/app/host"):
            store.set(key, f"{key} {label}", label)
    with load(**keywords(store, trim_prefixes=["app/"])) as config:
        assert config.snapshot["host"] == "host prod"
        assert places(config.snapshot.explain("host")) == [
            ("host", "prod"),
            ("app/host", "prod"),
            ("host", None),
            ("app/host", None),
        ]


def test_a_key_that_is_not_there(load: Loader, store: Emulator) -> None:
    """A key that this generation does not have is a KeyError, also one that was trimmed away."""
    store.set("app/host", "h")
    with load(**keywords(store, trim_prefixes=["app/"])) as config:
        for key in ("missing", "app/host"):
            with pytest.raises(KeyError):
                config.snapshot.explain(key)


def test_a_secret(load: Loader, store: Emulator) -> None:
    """A secret's origin is `secret`, with its address; neither is its value in any repr."""
    with Vault() as vault:
        secret(store, vault, "password", "hunter2")
        credential = StaticCredential() if load is load_sync else AsyncStaticCredential()
        configs = {vault.url: {"credential": credential}}
        given = keywords(store, keyvault_client_configs=configs, verify=vault.ca_file)
        with load(**given) as config:
            assert config.snapshot["password"] == "hunter2"
            explained = config.snapshot.explain("password")
    assert (explained.origin, explained.secret_id) == ("secret", vault.id("password"))
    assert "hunter2" not in repr(explained)


def test_values_are_not_in_a_repr(load: Loader, store: Emulator) -> None:
    """No value of the winner or of what it won over stands in the repr of an explanation."""
    store.set("k", "value-one")
    store.set("k", json.dumps({"deep": "value-two"}), "prod", content_type="application/json")
    with load(**keywords(store)) as config:
        explained = repr(config.snapshot.explain("k")) + repr(config.snapshot)
    assert "value-" not in explained


def test_a_snapshot_selector(load: Loader, store: Emulator) -> None:
    """What a snapshot selector found has the snapshot's name, live settings have none."""
    store.set("k", "old")
    store.create_snapshot("taken", [("*", None)])
    store.set("k", "new")
    chosen = SettingSelector(snapshot_name="taken")
    with load(**keywords(store, selects=[PLAIN, chosen])) as config:
        explained = config.snapshot.explain("k")
        assert config.snapshot["k"] == "old"
    assert (explained.origin, explained.snapshot_name, explained.selector) == (
        "snapshot",
        "taken",
        chosen,
    )
    assert [(one.origin, one.snapshot_name) for one in explained.shadows] == [("store", None)]


def refer(store: Emulator, key: str, name: str, label: str | None = None) -> None:
    """Write a snapshot reference."""
    store.set(key, json.dumps({"snapshot_name": name}), label, REFERENCE_TYPE)


def test_a_snapshot_reference_in_its_place(load: Loader, store: Emulator) -> None:
    """A reference's settings win or lose where the reference stands."""
    for key in ("a", "z"):
        store.set(key, "taken")
    store.create_snapshot("taken", [("*", None)])
    for key in ("a", "z"):
        store.set(key, "live")
    refer(store, "m-reference", "taken")
    with load(**keywords(store)) as config:
        snapshot = config.snapshot
    assert (snapshot["a"], snapshot["z"]) == ("taken", "live")
    one, last = snapshot.explain("a"), snapshot.explain("z")
    assert (one.origin, one.snapshot_name, one.selector) == ("snapshot", "taken", PLAIN)
    assert [(each.origin, each.snapshot_name) for each in one.shadows] == [("store", None)]
    assert (last.origin, last.shadows[0].snapshot_name) == ("store", "taken")


def test_a_reference_inside_a_selected_snapshot(load: Loader, store: Emulator) -> None:
    """The snapshot named is the one the setting was found in, not the one with the reference."""
    store.set("k", "inner")
    store.create_snapshot("inner", [("k", None)])
    refer(store, "reference", "inner")
    store.create_snapshot("outer", [("reference", None)])
    chosen = SettingSelector(snapshot_name="outer")
    with load(**keywords(store, selects=[chosen])) as config:
        explained = config.snapshot.explain("k")
    assert (explained.snapshot_name, explained.selector) == ("inner", chosen)


def renaming(setting: ConfigurationSetting) -> object:
    """Drop `gone`, and put `new/` before every other key but `kept`."""
    if setting.key == "gone":
        return DROP
    if setting.key != "kept":
        setting.key = f"new/{setting.key}"
    return None


def test_a_mapper_that_renames_or_drops(load: Loader, store: Emulator) -> None:
    """A renamed key tells of the setting it was made from; what was dropped is a KeyError."""
    for key in ("gone", "kept", "k"):
        store.set(key, "1")
        store.set(key, "2", "prod")
    with load(**keywords(store, configuration_mapper=renaming)) as config:
        assert dict(config.snapshot) == {"kept": "2", "new/k": "2"}
        assert places(config.snapshot.explain("new/k")) == [("k", "prod"), ("k", None)]
        assert places(config.snapshot.explain("kept")) == [("kept", "prod"), ("kept", None)]
        for key in ("gone", "k"):
            with pytest.raises(KeyError):
                config.snapshot.explain(key)


def test_feature_management(load: Loader, store: Emulator) -> None:
    """The flags are put together of many settings: no selector; such a setting is a shadow."""
    store.set("feature_management", "mine")
    with load(**keywords(store, feature_flag_enabled=True)) as config:
        explained = config.snapshot.explain("feature_management")
    assert (explained.origin, explained.selector) == ("store", None)
    assert places(explained) == [("feature_management", None)] * 2
    with load(**keywords(store)) as config:
        assert config.snapshot.explain("feature_management").selector == PLAIN


def test_an_old_snapshot_explains_its_own_generation(load: Loader, store: Emulator) -> None:
    """What was true of a generation stays true of it, whatever is published after it."""
    store.set("k", "1")
    store.set("sentinel", "1")
    with load(**keywords(store, refresh_on=["sentinel"])) as config:
        old = config.snapshot
        store.set("k", "2", "prod")
        store.set("sentinel", "2")
        assert config.refresh(force=True)
        assert places(old.explain("k")) == [("k", None)]
        assert places(config.snapshot.explain("k")) == [("k", "prod"), ("k", None)]
