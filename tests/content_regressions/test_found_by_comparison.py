"""Mistakes that comparing with the official provider brought to light, kept from coming back."""

from __future__ import annotations

import json
from typing import Any

import featuremanagement
import pytest

import appconfig_provider
from appconfig_provider import SettingSelector
from appconfig_provider._azure.options import Keywords
from appconfig_provider.testing import Emulator, FakeClock, Scripted, Vault
from tests.content_regressions.scenes import (
    FLAG_PREFIX,
    FLAG_TYPE,
    Resolver,
    secret_id,
    set_flag,
    without_snapshots,
)
from tests.support.faces import Loader


@pytest.fixture
def clock() -> Any:
    """The clock of everything."""
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def store(clock: FakeClock) -> Any:
    """A store."""
    with Emulator(clock=clock) as emulator:
        yield emulator


def test_flags_with_filters_are_evaluated(store: Emulator) -> None:
    """`featuremanagement` evaluates a flag that has client filters."""
    window = {
        "name": "Microsoft.TimeWindow",
        "parameters": {"End": "Fri, 22 Oct 3024 07:00:00 GMT"},
    }
    set_flag(store, "beta", conditions={"client_filters": [window]})
    with appconfig_provider.load(
        connection_string=store.connection_string, feature_flag_enabled=True
    ) as config:
        manager: Any = featuremanagement.FeatureManager(config)
        assert manager.is_enabled("beta")


def test_secrets_due_while_the_store_backs_off(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """refresh() does not raise, and secrets rotate, while every endpoint backs off."""
    store.set_secret("pw", secret_id("pw"))
    store.set("sentinel", "1")
    secrets = Resolver(pw="a1")
    with (
        load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            secret_refresh_interval=60,
            secret_resolver=secrets,
            retry_total=0,
        ) as config,
        store.respond(lambda _: Scripted(503)),
    ):
        secrets.values["pw"] = "a2"
        clock.advance(60)
        config.refresh()
        clock.advance(1)
        config.refresh()
        assert config.snapshot["pw"] == "a2"


@pytest.mark.parametrize(
    "more",
    [
        {"conditions": "no"},
        {"conditions": {"client_filters": ["a"]}},
        {"conditions": {"client_filters": 5}},
        {"conditions": {"client_filters": [{"name": ["a"]}]}},
        {"variants": 5},
        {"allocation": "no"},
        {"telemetry": {"enabled": True}, "allocation": {"percentile": [{"variant": "a", "to": 5}]}},
        {"x": json.loads("[" * 700 + "]" * 700)},
    ],
)
def test_a_flag_of_a_wrong_shape_is_not_fatal(
    load: Loader, store: Emulator, more: dict[str, Any]
) -> None:
    """F8: a flag that is JSON of the wrong shape does not end load()."""
    text = json.dumps({"id": "bad", **more})
    store.set(FLAG_PREFIX + "bad", text, content_type=FLAG_TYPE)
    store.set("a", "1")
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        assert config.snapshot["a"] == "1"


def test_a_failing_secret_is_told(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A rotation that keeps a last value because the secret cannot be read says so in the log."""
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        secret_refresh_interval=60,
        secret_resolver=secrets,
    ) as config:
        secrets.values.clear()
        clock.advance(60)
        config.refresh()
        assert "'pw'" in caplog.text


def test_a_rejection_ends_when_its_cause_is_gone(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A store that is back at what is published has been confirmed: no error, healthy."""
    store.set("a", "1")
    with load(connection_string=store.connection_string, refresh_enabled=True) as config:
        store.set_secret("pw", secret_id("pw"))
        clock.advance(30)
        assert not config.refresh()
        store.delete("pw")
        clock.advance(700)
        config.refresh()
        assert config.status.healthy(60)
        assert config.status.last_error is None


def test_a_refused_token_of_a_vault_is_renewed(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """A 401 of the vault to a cached token asks the credential for another one."""
    from azure.core.credentials import AccessToken

    class Credential:
        token = "T1"

        def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
            return AccessToken(self.token, int(clock.time()) + 3600)

    credential = Credential()
    with Vault(clock=clock) as vault:
        vault.set("pw", "1")
        vault.tokens.add("T1")
        store.set_secret("pw", vault.id("pw"))
        with load(
            connection_string=store.connection_string,
            keyvault_client_configs={vault.url: {"credential": credential}},
            verify=vault.ca_file,
            secret_refresh_interval=60,
        ) as config:
            vault.tokens.clear()
            vault.tokens.add("T2")
            credential.token = "T2"
            vault.set("pw", "2")
            clock.advance(60)
            assert config.refresh()


def test_a_missing_snapshot_does_not_end_rotation(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Watching all, a snapshot that is missing does not stop secrets of the old generation."""
    store.set("a", "1")
    store.create_snapshot("release", [("a", None)])
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with (
        load(
            connection_string=store.connection_string,
            refresh_enabled=True,
            selects=[SettingSelector(key_filter="*"), SettingSelector(snapshot_name="release")],
            secret_refresh_interval=60,
            secret_resolver=secrets,
        ) as config,
        without_snapshots(store),
    ):
        secrets.values["pw"] = "a2"
        for _ in range(3):
            clock.advance(60)
            config.refresh()
        assert config.snapshot["pw"] == "a2"


def test_a_kill_switch_works_beside_a_bad_setting(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Watching all, a flag is switched off though a new setting cannot be resolved."""
    set_flag(store, "beta")
    store.set("a", "1")
    with load(
        connection_string=store.connection_string,
        refresh_enabled=True,
        feature_flag_enabled=True,
        feature_flag_refresh_enabled=True,
    ) as config:
        store.set_secret("pw", secret_id("pw"))
        set_flag(store, "beta", enabled=False)
        for _ in range(4):
            clock.advance(30)
            config.refresh()
        flags: Any = config.snapshot["feature_management"]
        assert not flags["feature_flags"][0]["enabled"]


def test_omit_leaves_a_malformed_reference_out(load: Loader, store: Emulator) -> None:
    """Policy `omit` leaves out a reference whose text names no secret, too."""
    kind = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"
    store.set("pw", "no JSON", content_type=kind)
    with load(
        connection_string=store.connection_string,
        secret_resolver=Resolver(),
        secret_policy="omit",
    ) as config:
        assert dict(config.snapshot) == {}


def test_a_rotation_that_heals_clears_the_error(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """`status.last_error` of a failed rotation goes with the next one that works."""
    store.set_secret("pw", secret_id("pw"))
    secrets = Resolver(pw="a1")
    with load(
        connection_string=store.connection_string,
        secret_policy="raise",
        secret_refresh_interval=60,
        secret_resolver=secrets,
    ) as config:
        secrets.values.clear()
        clock.advance(60)
        assert not config.refresh()
        secrets.values["pw"] = "a2"
        clock.advance(60)
        assert config.refresh()
        assert config.status.last_error is None


def test_no_repr_holds_what_replicas_or_headers_hold(store: Emulator) -> None:
    """Connection strings among `replicas`, and headers, stay out of the reprs."""
    replica = "Endpoint=https://b.azconfig.io;Id=i;Secret=cGxhbnRlZA=="
    options = Keywords(
        connection_string="Endpoint=https://a.azconfig.io;Id=i;Secret=eA==", replicas=[replica]
    ).checked()
    assert "cGxhbnRlZA" not in repr(options)
    with appconfig_provider.load(
        connection_string=store.connection_string, headers={"X-Key": "planted"}
    ) as config:
        assert "planted" not in repr(config._context)


def test_a_bad_port_is_not_repeated(load: Loader, store: Emulator) -> None:
    """A reference with a port that is none is told without it."""
    store.set_secret("pw", "https://h:planted/secrets/x")
    with (
        pytest.raises(ValueError) as caught,
        load(connection_string=store.connection_string, secret_resolver=Resolver()),
    ):
        pass
    assert "planted" not in str(caught.value)


def test_a_vaults_403_does_not_speak_of_the_store(load: Loader, store: Emulator) -> None:
    """A hint about a vault names Key Vault's role, not App Configuration's."""
    with Vault() as vault:
        vault.set("pw", "x", enabled=False)
        vault.tokens.add("T")
        store.set_secret("pw", vault.id("pw"))
        from appconfig_provider.testing import StaticCredential

        with (
            pytest.raises(ValueError) as caught,
            load(
                connection_string=store.connection_string,
                keyvault_client_configs={vault.url: {"credential": StaticCredential("T")}},
                verify=vault.ca_file,
            ),
        ):
            pass
        assert "App Configuration" not in str(caught.value)


def test_the_flag_type_on_another_key_is_json(load: Loader, store: Emulator) -> None:
    """A setting with a flag's content type but another key is JSON, as officially."""
    store.set("plain", '{"a": 1}', content_type=FLAG_TYPE)
    with load(connection_string=store.connection_string) as config:
        assert dict(config.snapshot) == {"plain": {"a": 1}}


def test_a_resolver_gets_the_uri_as_stored(load: Loader, store: Emulator) -> None:
    """A `secret_resolver` decides about any address, and gets it as it stands in the store."""
    for uri in ("https://V.vault.azure.net/secrets/pw/", "https://v/certificates/x"):
        store.set_secret("pw", uri)
        with load(
            connection_string=store.connection_string, secret_resolver=lambda one: one
        ) as config:
            assert dict(config.snapshot) == {"pw": uri}
