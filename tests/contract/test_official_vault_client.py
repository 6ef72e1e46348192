"""The official ``azure-keyvault-secrets`` client, sync and async, against the vault."""

from __future__ import annotations

import asyncio
import inspect
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

from appconfig_provider import load
from appconfig_provider.testing import (
    AsyncStaticCredential,
    Emulator,
    Scripted,
    StaticCredential,
    Vault,
)

Read = Callable[..., Coroutine[Any, Any, Any]]
Script = Callable[[Vault, Read], Coroutine[Any, Any, None]]


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Callable[..., list[str]]:
    """Play a script with a reading function of either client; gives the scopes it asked for."""

    def play_script(script: Script, token: str | None = None) -> list[str]:
        credential: Any = (AsyncStaticCredential if request.param == "async" else StaticCredential)(
            token
        )
        client_class: Any = AsyncSecretClient if request.param == "async" else SecretClient

        async def run() -> None:
            with Vault() as vault:
                client = client_class(
                    vault.url,
                    credential,
                    verify_challenge_resource=False,
                    connection_verify=vault.ca_file,
                    retry_total=0,
                )

                async def read(*arguments: Any) -> Any:
                    result = client.get_secret(*arguments)
                    return await result if inspect.isawaitable(result) else result

                await script(vault, read)
                closed = client.close()
                if inspect.isawaitable(closed):
                    await closed

        asyncio.run(run())
        scopes: list[str] = credential.scopes
        return scopes

    return play_script


def test_reading(play: Callable[..., list[str]]) -> None:
    """Current and older versions are read, with one challenge and one token."""

    async def script(vault: Vault, read: Read) -> None:
        first, second = vault.set("s", "1"), vault.set("s", "")
        current = await read("s")
        assert (current.value, current.properties.version) == ("", second)
        assert current.id == vault.id("s", second)
        assert current.properties.enabled is True
        assert (await read("s", first)).value == "1"
        assert [record.status for record in vault.requests] == [401, 200, 200]

    assert play(script) == ["https://vault.azure.net/.default"]


def test_errors(play: Callable[..., list[str]]) -> None:
    """What is missing, disabled, refused or broken is the mapped error."""

    async def script(vault: Vault, read: Read) -> None:
        with pytest.raises(ResourceNotFoundError) as missing:
            await read("gone")
        assert missing.value.error is not None
        assert missing.value.error.code == "SecretNotFound"
        vault.set("s", "v", enabled=False)
        with pytest.raises(HttpResponseError) as disabled:
            await read("s")
        assert disabled.value.status_code == 403
        with vault.respond(lambda record: Scripted(503)), pytest.raises(HttpResponseError):
            await read("s")

    play(script)


def test_wrong_token(play: Callable[..., list[str]]) -> None:
    """A token the vault does not take is the error for failed authentication."""

    async def script(vault: Vault, read: Read) -> None:
        vault.set("s", "v")
        with pytest.raises((ClientAuthenticationError, HttpResponseError)) as caught:
            await read("s")
        assert caught.value.status_code == 401
        vault.tokens.add("opaque")
        assert (await read("s")).value == "v"

    play(script, "opaque")


@pytest.fixture
def names_under_localhost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolve names under localhost to this machine, which not every system does."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        here = isinstance(name, str) and name.endswith(".localhost")
        return resolve("localhost" if here else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


@pytest.mark.usefixtures("names_under_localhost")
def test_a_vault_with_a_name() -> None:
    """A vault that has a name is read by clients that compare its host with its challenge."""
    with Vault("my-vault") as vault:
        vault.set("s", "v")
        credential = StaticCredential()
        client = SecretClient(vault.url, credential, connection_verify=vault.ca_file, retry_total=0)
        assert client.get_secret("s").value == "v"
        client.close()
        port = vault.url.rpartition(":")[2]
        assert credential.scopes == [f"https://vault.localhost:{port}/.default"]


@pytest.mark.usefixtures("names_under_localhost")
def test_our_provider_reads_a_vault_with_a_name() -> None:
    """The provider gives such a vault a token for the domain that it is in."""
    with Vault("my-vault") as vault, Emulator() as store:
        vault.set("s", "v")
        store.set_secret("secret", vault.id("s"))
        with load(**store.load_options, **vault.load_options) as config:
            assert config["secret"] == "v"


def test_a_vault_without_a_name() -> None:
    """One without a name is refused by a client that compares its host with its challenge."""
    with Vault() as vault:
        vault.set("s", "v")
        client = SecretClient(
            vault.url, StaticCredential(), connection_verify=vault.ca_file, retry_total=0
        )
        with pytest.raises(ValueError, match="does not match the requested domain"):
            client.get_secret("s")
        client.close()
