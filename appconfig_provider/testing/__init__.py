"""What an application's own tests need: a store to talk to, scripted trouble, a settable clock.

    with Emulator() as store:
        store.set("message", "hello")
        config = load(**store.load_options)

The emulator answers on a free port of this machine and keeps everything in memory. It records the
requests it gets, calls back around each of them, and gives the answers a test scripts: a 429, a
503, a server that stays silent, a connection that breaks. With ``replicas=2`` the same store has
two more endpoints, and each can be down, slow or behind the others, from a call until ``up()``.
A :class:`Vault` does the same for secrets:

    with Vault() as vault:
        vault.set("password", "hunter2")
        store.set_secret("db:password", vault.id("password"))
        config = load(**store.load_options, **vault.load_options)

A :class:`ConfigCatEmulator` serves feature flags as ConfigCat's CDN does, with the same faults.
"""

from __future__ import annotations

from appconfig_provider.emulator import Draft, Server, Setting  # noqa: F401 - says what to install
from appconfig_provider.emulator.json_values import JSON_NULL
from appconfig_provider.emulator.scripting import Hook, RequestRecord, Scripted
from appconfig_provider.emulator.snapshot_model import Snapshot
from appconfig_provider.testing.clock import Clock, FakeClock
from appconfig_provider.testing.configcat import ConfigCatEmulator
from appconfig_provider.testing.credentials import AsyncStaticCredential, StaticCredential
from appconfig_provider.testing.replicas import Replica
from appconfig_provider.testing.scripted import Fault
from appconfig_provider.testing.servers import Emulator
from appconfig_provider.testing.vaults import Vault

__all__ = [
    "JSON_NULL",
    "AsyncStaticCredential",
    "Clock",
    "ConfigCatEmulator",
    "Draft",
    "Emulator",
    "FakeClock",
    "Fault",
    "Hook",
    "Replica",
    "RequestRecord",
    "Scripted",
    "Setting",
    "Snapshot",
    "StaticCredential",
    "Vault",
]
