"""Bearer tokens: asked for rarely, renewed in time, never mixed up, not sent where refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure.core.credentials import AccessToken

from appconfig_provider import load
from appconfig_provider._azure.rest.signing import token_scope
from appconfig_provider.errors import ClientAuthenticationError
from appconfig_provider.testing import (
    Emulator,
    FakeClock,
    RequestRecord,
    Scripted,
    StaticCredential,
)
from tests.support.content import secret


class Counting:
    """A credential that numbers its tokens and says how long they are good for."""

    def __init__(self, clock: FakeClock, lifetime: float) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._inner = StaticCredential()
        self.claims: list[object] = []

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        """Return a token whose end is the test's to choose."""
        self.claims.append(options.get("claims"))
        token = self._inner.get_token(*scopes).token + f"{len(self.claims)}"
        return AccessToken(token, int(self._clock.time() + self._lifetime))


@pytest.mark.parametrize(
    ("origin", "scope"),
    [
        ("https://x.azconfig.io", "https://azconfig.io/.default"),
        ("https://x.appconfig.azure.com", "https://appconfig.azure.com/.default"),
        ("https://x.azconfig.azure.us", "https://azconfig.azure.us/.default"),
        ("https://x.azconfig.azure.cn:444", "https://azconfig.azure.cn/.default"),
        ("https://localhost:8483", "https://appconfig.azure.com/.default"),
    ],
)
def test_the_scope_follows_the_cloud_of_the_endpoint(origin: str, scope: str) -> None:
    """Public, US government and China endpoints want tokens of their own audience."""
    assert token_scope(origin, None) == scope


@pytest.mark.parametrize("audience", ["https://a.example", "https://a.example/"])
def test_an_audience_replaces_the_derived_scope(audience: str) -> None:
    """With or without a slash at its end."""
    assert token_scope("https://x.azconfig.io", audience) == "https://a.example/.default"


def tls_store(clock: FakeClock) -> Emulator:
    """Return a store that takes bearer tokens."""
    return Emulator(tls=True, clock=clock)


def test_a_token_is_asked_for_once_and_renewed_before_its_end() -> None:
    """Refreshes reuse a token until five minutes before it ends."""
    with FakeClock() as clock, tls_store(clock) as store:
        credential = Counting(clock, lifetime=1000)
        with load(
            store.endpoint, credential, verify=store.ca_file, refresh_on=["s"], refresh_interval=300
        ) as config:
            for _ in range(2):
                clock.advance(300)
                config.refresh()
            assert len(credential.claims) == 1
            clock.advance(300)
            config.refresh()
            assert len(credential.claims) == 2


def refuse_once(challenge: str) -> Callable[[RequestRecord], Scripted | None]:
    """Return a script that refuses the first request with a challenge."""
    seen: list[RequestRecord] = []

    def respond(record: RequestRecord) -> Scripted | None:
        seen.append(record)
        return (
            Scripted(status=401, headers={"WWW-Authenticate": challenge}) if not seen[1:] else None
        )

    return respond


def test_a_refused_token_is_replaced_once_with_the_claims_asked_for() -> None:
    """A 401 with claims gets a new token that was asked for with them; the load goes on."""
    with FakeClock() as clock, tls_store(clock) as store:
        store.set("k", "v")
        credential = Counting(clock, lifetime=3600)
        challenge = 'Bearer error="insufficient_claims", claims="eyJhIjoxfQ=="'
        with (
            store.respond(refuse_once(challenge)),
            load(store.endpoint, credential, verify=store.ca_file) as config,
        ):
            assert config["k"] == "v"
        assert credential.claims == [None, '{"a":1}']
        tokens = {record.headers["authorization"] for record in store.requests}
        assert len(tokens) == 2


def test_a_token_that_stays_refused_ends_load_at_once() -> None:
    """Two tokens, two refusals: ClientAuthenticationError, without waiting."""
    with FakeClock() as clock, tls_store(clock) as store:
        began = clock.monotonic()
        store.respond(lambda _: Scripted(status=401))
        with pytest.raises(ClientAuthenticationError):
            load(store.endpoint, Counting(clock, lifetime=3600), verify=store.ca_file)
        assert clock.monotonic() == began


def test_a_credential_that_fails_is_reported_as_it_is() -> None:
    """The credential's own error comes out of load(), at once."""

    class Broken:
        def get_token(self, *scopes: str, **options: object) -> AccessToken:
            raise ClientAuthenticationError("no identity here")

    with pytest.raises(ClientAuthenticationError, match="no identity here"):
        load("https://localhost:1", Broken(), connect_timeout=0.1)


def test_tokens_of_two_credentials_are_not_mixed_up() -> None:
    """Two vaults of one audience, each with its own credential, see only their own tokens."""
    from appconfig_provider.testing import Vault

    with Vault() as one, Vault() as two, Emulator() as store:
        credentials = {vault.url: {"credential": StaticCredential()} for vault in (one, two)}
        for vault, name in ((one, "a"), (two, "b")):
            secret(store, vault, name, name)
        with load(
            connection_string=store.connection_string,
            keyvault_client_configs=credentials,
            verify=one.ca_file,
        ) as config:
            assert (config["a"], config["b"]) == ("a", "b")
        for config_of in credentials.values():
            assert len(config_of["credential"].scopes) == 1
