"""Tokens that cannot be sent are refused without being shown."""

from __future__ import annotations

from typing import Any

import pytest

from appconfig_provider.testing import AsyncStaticCredential, Emulator, StaticCredential, Vault
from tests.support.adapter import Loader
from tests.support.content import secret

TOKEN = "s3cr3t-t0ken"


def credential_of(load: Loader, token: str) -> Any:
    """Return a credential of the kind that a provider takes."""
    aio = "aio" in load.__name__  # type: ignore[attr-defined]  # a function
    return AsyncStaticCredential(token) if aio else StaticCredential(token)


@pytest.mark.parametrize("end", ["\n", "\r\nX-Evil: 1", "\u20ac", "\x00"])
def test_a_token_that_no_header_can_hold_is_not_shown(load: Loader, end: str) -> None:
    """A line break behind a token is told to a store's user, and the token is not."""
    with (
        Emulator(tls=True) as store,
        pytest.raises(ValueError, match="line break") as raised,
        load(
            endpoint=store.endpoint,
            credential=credential_of(load, TOKEN + end),
            verify=store.ca_file,
            startup_timeout=0,
        ),
    ):
        pass
    assert TOKEN not in repr(raised.value)


def test_a_token_for_a_vault_is_not_shown_either(load: Loader) -> None:
    """The same for the token of a vault."""
    with Emulator() as store, Vault() as vault:
        secret(store, vault, "a", "x")
        own = {vault.url: {"credential": credential_of(load, TOKEN + "\n")}}
        with (
            pytest.raises(ValueError, match="line break") as raised,
            load(
                connection_string=store.connection_string,
                keyvault_client_configs=own,
                verify=vault.ca_file,
                startup_timeout=0,
            ),
        ):
            pass
    chain = [raised.value, raised.value.__cause__, raised.value.__context__]
    assert TOKEN not in repr(chain)
