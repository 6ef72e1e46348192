"""The official ``azure-keyvault-secrets`` client, sync and async, against the vault."""

from __future__ import annotations

import asyncio
import inspect
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

from appconfig_provider.testing import (
    AsyncStaticCredential,
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
