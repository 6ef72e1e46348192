"""The answer of a vault is used for the secret that was asked for, and for no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appconfig_provider.errors import KeyVaultReferenceError
from appconfig_provider.testing import (
    AsyncStaticCredential,
    Emulator,
    RequestRecord,
    Scripted,
    StaticCredential,
    Vault,
)
from tests.support.adapter import Loader
from tests.support.hostile import STRAY, hostile
from tests.support.hostile_scenes import server_context

SECRETS = 40


def _keywords(load: Loader, store: Emulator, url: str, ca_file: str) -> dict[str, Any]:
    own = AsyncStaticCredential() if "aio" in load.__name__ else StaticCredential()  # type: ignore[attr-defined]
    return {
        "connection_string": store.connection_string,
        "keyvault_client_configs": {url: {"credential": own}},
        "refresh_on": ["sentinel"],
        "verify": ca_file,
    }


def test_a_secret_that_comes_for_another_is_refused(
    load: Loader, store: Emulator, vault: Vault
) -> None:
    """A vault that answers with another secret's name has not answered."""
    vault.set("a", "value of a")
    vault.set("b", "value of b")
    store.set_secret("a", vault.id("a"))

    def displaced(record: RequestRecord) -> Scripted | None:
        if "authorization" not in record.headers:
            return None
        content = {"id": vault.id("b"), "value": "value of b"}
        return Scripted(200, body=json.dumps(content).encode())

    with (
        vault.respond(displaced),
        pytest.raises(KeyVaultReferenceError, match="answered with another secret"),
        load(startup_timeout=0, **_keywords(load, store, vault.url, vault.ca_file)),
    ):
        pass


@pytest.mark.parametrize("stray", STRAY)
def test_a_stray_answer_of_a_vault_displaces_no_secret(
    load: Loader, store: Emulator, vault: Vault, stray: str
) -> None:
    """With something behind each answer of a vault, every key has the secret it points to."""
    for number in range(SECRETS):
        vault.set(f"s{number}", f"value {number}")
    with hostile(int(vault.url.rpartition(":")[2]), server_context()) as server:
        server.upstream_tls = True
        url = f"https://localhost:{server.port}"
        for number in range(SECRETS):
            store.set_secret(f"k{number}", f"{url}/secrets/s{number}")
        server.behind = STRAY[stray]
        with load(**_keywords(load, store, url, vault.ca_file)) as config:
            for number in range(SECRETS):
                assert config.snapshot[f"k{number}"] == f"value {number}"
