"""Key Vault references that cannot be resolved, and those that can."""

from __future__ import annotations

import asyncio

import pytest

from appconfig_provider import AzureAppConfigurationKeyVaultOptions, SettingSelector
from appconfig_provider.errors import KeyVaultReferenceError
from appconfig_provider.testing import (
    Emulator,
    FakeClock,
    RequestRecord,
    Scripted,
    StaticCredential,
    Vault,
)
from tests.support.adapter import Loader, load_aio
from tests.support.content import VAULT_TYPE, Resolver, secret, secret_id


def data_requests(store: Emulator) -> list[RequestRecord]:
    """Return the requests for listings."""
    return [record for record in store.requests if record.target.startswith("/kv?")]


def test_an_unresolvable_reference_appears(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """The old generation stays, the error is reported, and reloads are as rare as back-off."""
    store.set("a", "1")
    store.set("sentinel", "1")
    errors: list[Exception] = []
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        refresh_interval=2,
        on_refresh_error=errors.append,
    ) as config:
        store.set_secret("pw", secret_id("pw"))
        store.set("sentinel", "2")
        store.clear_requests()
        for _ in range(20):
            clock.advance(2)
            assert not config.refresh()
        assert dict(config.snapshot) == {"a": "1", "sentinel": "1"}
        assert {type(error) for error in errors} == {KeyVaultReferenceError}
        assert len(errors) == len(data_requests(store)) <= 5
        assert len(store.requests) <= 20 + 2 * 5
        store.delete("pw")
        store.set("sentinel", "3")
        clock.advance(2)
        assert config.refresh()
        assert config.status.last_error is None


def test_refresh_calls_within_the_interval_ask_nothing(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """After the attempt that failed, further calls are quiet until the interval passed."""
    store.set("sentinel", "1")
    errors: list[Exception] = []
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        on_refresh_error=errors.append,
    ) as config:
        store.set_secret("pw", secret_id("pw"))
        store.set("sentinel", "2")
        clock.advance(30)
        assert not config.refresh()
        store.clear_requests()
        for _ in range(20):
            assert not config.refresh()
        assert not store.requests
        assert len(errors) == 1


def test_a_forbidden_secret_fails_at_once(load: Loader, store: Emulator, vault: Vault) -> None:
    """A 403 of the vault ends load() with an error of its own, and loads nothing twice."""
    vault.set("pw", "hunter2", enabled=False)
    store.set_secret("db:pw", vault.id("pw"), "prod")
    with (
        pytest.raises(KeyVaultReferenceError, match="403") as caught,
        load(
            connection_string=store.connection_string,
            selects=[SettingSelector(key_filter="*", label_filter="prod")],
            keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
            verify=vault.ca_file,
        ),
    ):
        pass
    error = caught.value
    assert (error.key, error.label, error.secret_id) == ("db:pw", "prod", vault.id("pw"))
    assert isinstance(error, ValueError)
    assert error.__cause__ is not None
    assert len(store.requests) == 1
    assert [record.status for record in vault.requests] == [401, 403]


def test_a_vault_in_passing_trouble_is_asked_again_alone(
    load: Loader, store: Emulator, vault: Vault
) -> None:
    """A vault that answers 503 at start is asked again within the budget; the store is not."""
    secret(store, vault, "pw", "hunter2")
    answers = [Scripted(503)] * 4

    def trouble(record: RequestRecord) -> Scripted | None:
        return answers.pop() if answers and "authorization" in record.headers else None

    with (
        vault.respond(trouble),
        load(
            connection_string=store.connection_string,
            keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
            verify=vault.ca_file,
        ) as config,
    ):
        assert config.snapshot["pw"] == "hunter2"
        assert len(store.requests) == 1


def test_an_empty_secret_is_a_value(load: Loader, store: Emulator, vault: Vault) -> None:
    """A secret whose value is empty resolves to an empty text, by either way."""
    vault.set("empty", "")
    store.set_secret("one", vault.id("empty"))
    store.set_secret("two", secret_id("empty"))
    with load(
        connection_string=store.connection_string,
        keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
        secret_resolver=Resolver(empty=""),
        verify=vault.ca_file,
    ) as config:
        assert dict(config.snapshot) == {"one": "", "two": ""}


def test_client_configs_are_not_written_to(load: Loader, store: Emulator, vault: Vault) -> None:
    """The caller's keyvault_client_configs are as before, and serve a second load()."""
    secret(store, vault, "pw", "hunter2")
    credential = StaticCredential()
    configs = {vault.url + "/": {"credential": credential}}
    for _ in range(2):
        with load(
            connection_string=store.connection_string,
            keyvault_client_configs=configs,
            verify=vault.ca_file,
        ) as config:
            assert dict(config.snapshot) == {"pw": "hunter2"}
        assert configs == {vault.url + "/": {"credential": credential}}


def test_vault_keywords_may_be_none(load: Loader, store: Emulator) -> None:
    """None is the default of every Key Vault keyword."""
    store.set("a", "1")
    with load(
        connection_string=store.connection_string,
        keyvault_credential=None,
        keyvault_client_configs=None,
        secret_resolver=None,
        key_vault_options=None,
        secret_refresh_interval=None,
        secret_policy=None,
    ) as config:
        assert dict(config.snapshot) == {"a": "1"}


def test_vault_options_work_like_the_keywords(load: Loader, store: Emulator) -> None:
    """`key_vault_options` with None for what is not meant resolves as the keywords do."""
    store.set_secret("pw", secret_id("pw"))
    options = AzureAppConfigurationKeyVaultOptions(
        credential=None, client_configs=None, secret_resolver=Resolver(pw="hunter2")
    )
    with load(connection_string=store.connection_string, key_vault_options=options) as config:
        assert dict(config.snapshot) == {"pw": "hunter2"}


def test_a_token_goes_to_no_host_that_is_not_a_vault(
    load: Loader, store: Emulator, vault: Vault
) -> None:
    """Law 12: a reference to a host nobody named fails, and that host is not even asked."""
    store.set_secret("pw", vault.id("pw"))
    credential = StaticCredential()
    with (
        pytest.raises(KeyVaultReferenceError, match="keyvault_client_configs"),
        load(
            connection_string=store.connection_string,
            keyvault_credential=credential,
            verify=vault.ca_file,
        ),
    ):
        pass
    assert not vault.requests
    assert not credential.scopes


def test_each_vault_gets_its_own_token(load: Loader, store: Emulator, clock: FakeClock) -> None:
    """Two vaults with a credential each, of one audience: neither sees the other's token."""
    with Vault(clock=clock) as one, Vault(clock=clock) as two:
        configs = {}
        for vault, name in ((one, "one"), (two, "two")):
            vault.set("pw", name)
            vault.tokens.add(f"token-{name}")
            store.set_secret(name, vault.id("pw"))
            configs[vault.url] = {"credential": StaticCredential(f"token-{name}")}
        with load(
            connection_string=store.connection_string,
            keyvault_client_configs=configs,
            verify=one.ca_file,
        ) as config:
            assert dict(config.snapshot) == {"one": "one", "two": "two"}
        for vault, name in ((one, "one"), (two, "two")):
            sent = [record.headers.get("authorization") for record in vault.requests]
            assert sent == [None, f"Bearer token-{name}"]


def test_coroutine_resolvers_run_side_by_side(store: Emulator) -> None:
    """In aio a coroutine resolver is awaited, for at most sixteen secrets at once."""
    for number in range(40):
        store.set_secret(f"s{number}", secret_id(f"s{number}"))
    under_way: set[str] = set()
    most: list[int] = []

    async def resolve(uri: str) -> str:
        under_way.add(uri)
        most.append(len(under_way))
        await asyncio.sleep(0.001)
        under_way.remove(uri)
        return uri

    with load_aio(connection_string=store.connection_string, secret_resolver=resolve) as config:
        assert dict(config.snapshot) == {f"s{n}": secret_id(f"s{n}") for n in range(40)}
    assert (len(most), max(most)) == (40, 16)


@pytest.mark.parametrize("policy", [None, "raise", "keep_last"])
def test_an_unreadable_secret_fails_the_start(
    load: Loader, store: Emulator, policy: str | None
) -> None:
    """At start there is no last value: every policy but `omit` raises, naming key and secret."""
    store.set_secret("pw", secret_id("pw"))
    with (
        pytest.raises(KeyVaultReferenceError, match=r"'pw' .*/secrets/pw"),
        load(
            connection_string=store.connection_string,
            secret_resolver=Resolver(),
            secret_policy=policy,
        ),
    ):
        pass


def test_omit_leaves_the_key_out(
    load: Loader, store: Emulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Policy `omit` publishes without the key, at start and on refresh, and warns once."""
    store.set_secret("pw", secret_id("pw"))
    store.set("a", "1")
    secrets = Resolver()
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        secret_policy="omit",
        secret_refresh_interval=60,
    ) as config:
        assert dict(config.snapshot) == {"a": "1"}
        assert caplog.text.count("setting 'pw'") == 1
        secrets.values["pw"] = "hunter2"
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "1", "pw": "hunter2"}
        secrets.values.clear()
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "1"}


def test_raise_on_refresh_keeps_the_generation(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """Policy `raise` publishes nothing from a refresh with an unreadable secret, and tells it."""
    store.set_secret("a", secret_id("a"))
    store.set_secret("b", secret_id("b"))
    secrets = Resolver(a="a1", b="b1")
    errors: list[Exception] = []
    with load(
        connection_string=store.connection_string,
        secret_resolver=secrets,
        secret_policy="raise",
        secret_refresh_interval=60,
        on_refresh_error=errors.append,
    ) as config:
        before = config.snapshot
        secrets.values = {"b": "b2"}
        clock.advance(60)
        assert not config.refresh()
        assert config.snapshot is before
        assert [type(error) for error in errors] == [KeyVaultReferenceError]
        secrets.values["a"] = "a3"
        clock.advance(60)
        assert config.refresh()
        assert dict(config.snapshot) == {"a": "a3", "b": "b2"}


def test_keep_last_rejects_a_secret_never_read(
    load: Loader, store: Emulator, clock: FakeClock
) -> None:
    """`keep_last`, the default on refresh, has no last value of a new reference and rejects it."""
    store.set("sentinel", "1")
    errors: list[Exception] = []
    with load(
        connection_string=store.connection_string,
        secret_resolver=Resolver(),
        refresh_on=["sentinel"],
        on_refresh_error=errors.append,
    ) as config:
        store.set_secret("pw", secret_id("pw"))
        store.set("sentinel", "2")
        clock.advance(30)
        assert not config.refresh()
        assert dict(config.snapshot) == {"sentinel": "1"}
        assert [type(error) for error in errors] == [KeyVaultReferenceError]


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


def test_omit_leaves_a_malformed_reference_out(load: Loader, store: Emulator) -> None:
    """Policy `omit` leaves out a reference whose text names no secret, too."""
    kind = VAULT_TYPE
    store.set("pw", "no JSON", content_type=kind)
    with load(
        connection_string=store.connection_string,
        secret_resolver=Resolver(),
        secret_policy="omit",
    ) as config:
        assert dict(config.snapshot) == {}


def test_a_bad_port_is_not_repeated(load: Loader, store: Emulator) -> None:
    """A reference with a port that is none is reported without it."""
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


def test_a_resolver_gets_the_uri_as_stored(load: Loader, store: Emulator) -> None:
    """A `secret_resolver` decides about any address, and gets it as it stands in the store."""
    for uri in ("https://V.vault.azure.net/secrets/pw/", "https://v/certificates/x"):
        store.set_secret("pw", uri)
        with load(
            connection_string=store.connection_string, secret_resolver=lambda one: one
        ) as config:
            assert dict(config.snapshot) == {"pw": uri}
