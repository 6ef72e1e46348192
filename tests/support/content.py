"""What tests write into a store: deployments, flags, secrets, a snapshot that comes and goes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from appconfig_provider.testing import Emulator, RequestRecord, Scripted, Vault

FLAG_TYPE = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"
VAULT_TYPE = "application/vnd.microsoft.appconfig.keyvaultref+json;charset=utf-8"
FLAG_PREFIX = ".appconfig.featureflag/"
SNAPSHOT_REFERENCE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)


def secret_id(name: str) -> str:
    """Return the address of a secret in a vault that nobody asks."""
    return f"https://v.vault.azure.net/secrets/{name}"


def secret(store: Emulator, vault: Vault, key: str, value: str) -> None:
    """Put a secret into a vault, and into a store a setting of its name that refers to it."""
    vault.set(key, value)
    store.set_secret(key, vault.id(key))


class Resolver:
    """A `secret_resolver` over a dictionary; a name that is not in it cannot be resolved."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.asked: list[str] = []

    def __call__(self, uri: str) -> str:
        name = uri.partition("/secrets/")[2]
        self.asked.append(name)
        return self.values[name]


def publish(store: Emulator, value: str) -> dict[str, Any]:
    """Write data first and the sentinel last; return the event about the sentinel."""
    store.set("k", value)
    store.set("sentinel", value)
    return store.event("sentinel")


def set_flag(
    store: Emulator, name: str, *, enabled: bool = True, label: str | None = None, **more: object
) -> None:
    """Write a feature flag."""
    flag = {"id": name, "enabled": enabled, "conditions": {"client_filters": []}, **more}
    store.set(FLAG_PREFIX + name, json.dumps(flag), label, content_type=FLAG_TYPE)


@contextmanager
def without_snapshots(store: Emulator) -> Iterator[None]:
    """Let the store answer for a while as if it held no snapshot."""

    def gone(record: RequestRecord) -> Scripted | None:
        is_snapshot = "/snapshots/" in record.target or "snapshot=" in record.target
        return Scripted(404) if is_snapshot else None

    with store.respond(gone):
        yield
