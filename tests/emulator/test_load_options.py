"""What a store and a vault hand out for ``load()``, checked as a program's types are, too."""

from __future__ import annotations

import asyncio

import pytest

from appconfig_provider import aio, load
from appconfig_provider.testing import Emulator, Vault


@pytest.mark.parametrize("tls", [False, True])
def test_store(tls: bool) -> None:
    """Every endpoint of a store is reached by its options, without and with TLS."""
    with Emulator(tls=tls, replicas=1) as store:
        store.set("k", 5)
        for endpoint in (store, *store.replicas):
            with load(**endpoint.load_options, refresh_on=["k"]) as config:
                assert config["k"] == 5
            assert len(endpoint.requests) == 3


@pytest.mark.parametrize("tls", [False, True])
def test_store_and_vault(tls: bool) -> None:
    """The options of a store and of a vault go together, in either order, sync and async."""
    with Vault() as vault, Emulator(tls=tls) as store:
        vault.set("db", "secret")
        store.set_secret("password", vault.id("db"))
        with load(**store.load_options, **vault.load_options) as config:
            assert config["password"] == "secret"

        async def loaded() -> object:
            options = vault.load_options
            async with await aio.load(**options, **store.load_options) as config:
                return config["password"]

        assert asyncio.run(loaded()) == "secret"


def test_another_store() -> None:
    """With a store from elsewhere, a vault's options need its CA file beside them."""
    with Vault() as vault, Emulator() as store:
        vault.set("db", "secret")
        store.set_secret("password", vault.id("db"))
        with load(
            connection_string=store.connection_string,
            verify=vault.ca_file,
            **vault.load_options,
        ) as config:
            assert config["password"] == "secret"
