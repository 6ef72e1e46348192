"""No rotation is lost: what a reload did not read of the vaults it owes, until it was read."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from typing import Any

import pytest

import appconfig_provider
from appconfig_provider import Polling
from appconfig_provider.errors import KeyVaultReferenceError
from appconfig_provider.testing import (
    Emulator,
    FakeClock,
    RequestRecord,
    Scripted,
    StaticCredential,
    Vault,
)
from tests.support.adapter import Loader, Provider
from tests.support.content import FLAG_TYPE, secret, secret_id

LONGER = 40.0
"""Seconds after which the first back-off has passed, whatever chance adds to it."""


class Resolver:
    """A `secret_resolver` over a dictionary; in trouble it raises."""

    def __init__(self, **values: str) -> None:
        self.values = values
        self.trouble = False
        self.asked: list[str] = []

    def __call__(self, uri: str) -> str:
        name = uri.partition("/secrets/")[2]
        self.asked.append(name)
        if self.trouble:
            raise TimeoutError
        return self.values[name]


@pytest.fixture
def secrets(store: Emulator) -> Resolver:
    """Two secrets that settings refer to, one by its version, and a sentinel."""
    store.set_secret("pw", secret_id("pw"))
    store.set_secret("fixed", secret_id("pw/v1"))
    store.set("sentinel", "1")
    return Resolver(**{"pw": "old", "pw/v1": "first"})


SENTINEL: dict[str, Any] = {"refresh_on": ["sentinel"]}
PAGES: dict[str, Any] = {"refresh_enabled": True}


def keywords(store: Emulator, secrets: Resolver, **more: Any) -> dict[str, Any]:
    """Return what these tests load with."""
    connection = store.connection_string
    return {"connection_string": connection, "secret_resolver": secrets, "retry_total": 0, **more}


def bump(store: Emulator, version: str = "2") -> None:
    """Tell by the sentinel that something changed; where pages are watched it is one of them."""
    store.set("sentinel", version)


def refresh_when_due(config: Provider, clock: FakeClock, seconds: float) -> None:
    """Call `refresh()` every second."""
    for _ in range(int(seconds)):
        clock.advance(1)
        config.refresh()


def test_a_moved_sentinel_reads_every_secret_at_once(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """However lately a secret was read, a sentinel that moved has it read again; versions stay."""
    with load(**keywords(store, secrets, **SENTINEL, refresh_interval=1)) as config:
        secrets.values.update({"pw": "new", "pw/v1": "never"})
        bump(store)
        clock.advance(1)
        assert config.refresh()
        assert (config.snapshot["pw"], config.snapshot["fixed"]) == ("new", "first")
        assert sorted(secrets.asked) == ["pw", "pw", "pw/v1"]


def test_a_changed_page_owes_the_secrets_that_are_too_young(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """Under watched pages a young secret is read as soon as it is a minute old, by itself."""
    with load(**keywords(store, secrets, **PAGES)) as config:
        secrets.values["pw"] = "new"
        bump(store)
        clock.advance(30)
        assert config.refresh()
        assert config.snapshot["pw"] == "old"
        clock.advance(29)
        config.refresh()
        assert config.snapshot["pw"] == "old"
        clock.advance(1)
        store.clear_requests()
        assert config.refresh()
        assert config.snapshot["pw"] == "new"
        refresh_when_due(config, clock, 200)
        assert secrets.asked.count("pw") == 2


@pytest.mark.parametrize("watching", [SENTINEL, PAGES], ids=["sentinel", "pages"])
def test_force_reads_every_secret(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver, watching: dict[str, Any]
) -> None:
    """`force=True` reads secrets at once, and still loads no page that has not changed."""
    with load(**keywords(store, secrets, **watching)) as config:
        secrets.values["pw"] = "new"
        store.clear_requests()
        assert config.refresh(force=True)
        assert config.snapshot["pw"] == "new"
        assert {record.status for record in store.requests} == {304}
        assert secrets.asked.count("pw") == 2


def test_a_pushed_event_that_moves_the_sentinel_reads_every_secret(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """A reload that was pushed reads secrets as any other does."""
    hour = {"refresh_interval": 3600, "push_delay": 0}
    with load(**keywords(store, secrets, **SENTINEL, **hour)) as config:
        secrets.values["pw"] = "new"
        bump(store)
        config.provider.notify(store.event("sentinel"))
        assert config.refresh()
        assert config.snapshot["pw"] == "new"


def test_a_reload_after_a_failover_reads_every_secret(load: Loader, clock: FakeClock) -> None:
    """The endpoint that answers in place of another has its reload read secrets, too."""
    with Emulator(clock=clock, replicas=1) as store:
        store.set_secret("pw", secret_id("pw"))
        bump(store, "1")
        secrets = Resolver(pw="old")
        replicas = [replica.endpoint for replica in store.replicas]
        more = keywords(store, secrets, **SENTINEL, replicas=replicas)
        with load(**more) as config:
            secrets.values["pw"] = "new"
            bump(store)
            clock.advance(30)
            with store.respond(lambda _: Scripted(503)):
                assert config.refresh()
            assert config.snapshot["pw"] == "new"


@pytest.mark.parametrize("watching", [SENTINEL, PAGES], ids=["sentinel", "pages"])
@pytest.mark.parametrize(
    "policy",
    ["keep_last", "omit", None, "raise"],
)
def test_a_resolver_in_trouble_owes_what_it_did_not_give(
    load: Loader,
    store: Emulator,
    clock: FakeClock,
    secrets: Resolver,
    policy: str | None,
    watching: dict[str, Any],
) -> None:
    """Whatever the policy made of a failing read, it is repeated by itself until it succeeds."""
    errors: list[Exception] = []
    more = {"secret_policy": policy, "on_refresh_error": errors.append}
    with load(**keywords(store, secrets, **watching, **more)) as config:
        secrets.values["pw"], secrets.trouble = "new", True
        bump(store)
        clock.advance(61)
        assert config.refresh() == (policy != "raise")
        assert config.snapshot.get("pw") == (None if policy == "omit" else "old")
        assert [type(error) for error in errors] == [KeyVaultReferenceError]
        assert config.status.last_error is errors[0]
        secrets.trouble = False
        clock.advance(29)
        config.refresh()
        assert config.status.last_error is errors[0]
        refresh_when_due(config, clock, LONGER)
        assert config.snapshot["pw"] == "new"
        assert config.snapshot["sentinel"] == "2"
        assert config.status.last_error is None
        assert len(errors) == 1


@pytest.mark.parametrize("policy", ["keep_last", "omit"])
def test_a_vault_that_stays_down_is_asked_ever_more_rarely(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver, policy: str
) -> None:
    """The debt has the one back-off: doubling, at most ten minutes; each attempt is reported."""
    errors: list[Exception] = []
    more = {"secret_policy": policy, "on_refresh_error": errors.append}
    with load(**keywords(store, secrets, **SENTINEL, **more)) as config:
        secrets.trouble = True
        bump(store)
        secrets.asked.clear()
        refresh_when_due(config, clock, 3600)
        assert 7 <= len(secrets.asked) == len(errors) <= 12
        secrets.trouble = False
        secrets.values["pw"] = "new"
        refresh_when_due(config, clock, 601)
        assert config.snapshot["pw"] == "new"


@pytest.mark.parametrize("watching", [SENTINEL, PAGES], ids=["sentinel", "pages"])
def test_a_refused_generation_does_not_hold_up_its_secrets(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver, watching: dict[str, Any]
) -> None:
    """Settings that `validate` refuses stay out; secrets of the old ones are renewed at once."""

    def refuse(snapshot: Any) -> None:
        if snapshot["sentinel"] == "2":
            raise ValueError("no")

    with load(**keywords(store, secrets, **watching, validate=refuse)) as config:
        secrets.values["pw"] = "new"
        bump(store)
        clock.advance(61)
        assert config.refresh()
        assert (config.snapshot["pw"], config.snapshot["sentinel"]) == ("new", "1")
        assert secrets.asked.count("pw") == 2
        assert isinstance(config.status.last_error, ValueError)


def test_a_secret_that_is_refused_itself_stays_owed(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """A value that `validate` refuses is asked for again, and its successor is served."""

    def refuse(snapshot: Any) -> None:
        if snapshot["pw"] == "bad":
            raise ValueError("no")

    with load(**keywords(store, secrets, **SENTINEL, validate=refuse)) as config:
        secrets.values["pw"] = "bad"
        bump(store)
        clock.advance(30)
        assert not config.refresh()
        secrets.values["pw"] = "good"
        refresh_when_due(config, clock, 2 * LONGER)
        assert (config.snapshot["pw"], config.snapshot["sentinel"]) == ("good", "2")
        assert config.status.last_error is None


def test_a_missing_snapshot_does_not_hold_up_the_secrets(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """A reload that ends at a snapshot which is not there renews the secrets of what is served."""
    kind = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"'
    with load(**keywords(store, secrets, **SENTINEL)) as config:
        secrets.values["pw"] = "new"
        store.set("more", '{"snapshot_name": "gone"}', content_type=kind)
        bump(store)
        clock.advance(30)
        assert config.refresh()
        assert (config.snapshot["pw"], config.snapshot["sentinel"]) == ("new", "1")
        assert "gone" in str(config.status.last_error)


def test_a_rotation_that_fails_is_repeated_before_its_next_time(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """A secret that the timer found failing is owed, and does not wait for the timer again."""
    more = {"secret_refresh_interval": 86400, "secret_policy": "raise"}
    with load(**keywords(store, secrets, **more)) as config:
        secrets.trouble = True
        clock.advance(86400)
        assert not config.refresh()
        error = config.status.last_error
        assert isinstance(error, KeyVaultReferenceError)
        secrets.values["pw"], secrets.trouble = "new", False
        refresh_when_due(config, clock, LONGER)
        assert config.snapshot["pw"] == "new"
        assert config.status.last_error is None


def test_a_key_that_was_left_out_at_start_comes_back(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """Under `omit` a secret that failed at start is owed, even where nothing else is watched."""
    secrets.trouble = True
    with load(**keywords(store, secrets, secret_policy="omit")) as config:
        assert dict(config.snapshot) == {"sentinel": "1"}
        assert isinstance(config.status.last_error, KeyVaultReferenceError)
        secrets.trouble = False
        refresh_when_due(config, clock, LONGER)
        assert dict(config.snapshot) == {"sentinel": "1", "pw": "old", "fixed": "first"}
        assert config.status.last_error is None


def test_a_vault_outage_is_reported_with_its_status(
    load: Loader,
    store: Emulator,
    vault: Vault,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One warning holds the HTTP status, `on_refresh_error` and `status` the error, by its key."""
    secret(store, vault, "pw", "old")
    bump(store, "1")
    errors: list[Exception] = []
    with load(
        connection_string=store.connection_string,
        keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
        verify=vault.ca_file,
        refresh_on=["sentinel"],
        on_refresh_error=errors.append,
        retry_total=0,
    ) as config:
        caplog.clear()
        bump(store)
        clock.advance(30)
        with vault.respond(lambda _: Scripted(503)), caplog.at_level(logging.WARNING):
            assert config.refresh()
            refresh_when_due(config, clock, 120)
        assert config.snapshot["sentinel"] == "2"
        assert all(isinstance(error, KeyVaultReferenceError) for error in errors)
        assert len(errors) >= 2
        assert config.status.last_error is errors[-1]
        messages = [record.getMessage() for record in caplog.records]
        assert len(messages) == 1
        assert "'pw'" in messages[0]
        assert "503" in messages[0]
        assert "keeps its last value" in messages[0]
        vault.set("pw", "new")
        refresh_when_due(config, clock, 300)
        assert config.snapshot["pw"] == "new"
        assert config.status.last_error is None


def test_the_wait_that_a_vault_asks_for_is_kept(
    load: Loader, store: Emulator, vault: Vault, clock: FakeClock
) -> None:
    """A `Retry-After` of the vault lengthens the back-off of what it did not give."""
    secret(store, vault, "pw", "old")
    bump(store, "1")
    busy = Scripted(429, headers={"Retry-After": "200"})
    with load(
        connection_string=store.connection_string,
        keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
        verify=vault.ca_file,
        refresh_on=["sentinel"],
        retry_total=0,
    ) as config:
        vault.set("pw", "new")
        bump(store)
        clock.advance(30)
        with vault.respond(lambda _: busy):
            assert config.refresh()
        vault.clear_requests()
        refresh_when_due(config, clock, 199)
        assert not vault.requests
        refresh_when_due(config, clock, 3)
        assert config.snapshot["pw"] == "new"


def test_flags_that_move_alone_read_no_secret(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """A reload of flags alone asks no vault, and pays nothing that is owed."""
    flag = ".appconfig.featureflag/Beta"
    kind = FLAG_TYPE
    text = json.dumps({"id": "Beta", "enabled": True, "conditions": {"client_filters": []}})
    more = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
    with load(**keywords(store, secrets, **more)) as config:
        store.set(flag, text, content_type=kind)
        clock.advance(300)
        secrets.asked.clear()
        assert config.refresh()
        assert not secrets.asked


def test_force_reads_secrets_while_the_store_is_down(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """When no endpoint answers, what was forced is done for secrets; the outage is reported."""
    errors: list[Exception] = []
    with (
        load(**keywords(store, secrets, **SENTINEL, on_refresh_error=errors.append)) as config,
        store.respond(lambda _: Scripted(503)),
    ):
        secrets.values["pw"] = "new"
        assert config.refresh(force=True)
        assert config.snapshot["pw"] == "new"
        assert "503" in str(errors[0])
        assert config.status.last_error is errors[0]


def test_a_rotation_does_not_hide_an_outage(
    load: Loader, store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """A vault that answers says nothing about the store: its error stays in `status`."""
    more = {"secret_refresh_interval": 45}
    with (
        load(**keywords(store, secrets, **SENTINEL, **more)) as config,
        store.respond(lambda _: Scripted(503)),
    ):
        clock.advance(30)
        assert not config.refresh()
        outage = config.status.last_error
        assert outage is not None
        secrets.values["pw"] = "new"
        clock.advance(15)
        assert config.refresh()
        assert config.status.last_error is not None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_keeps_the_debt(
    store: Emulator, clock: FakeClock, secrets: Resolver
) -> None:
    """A child pays what its parent owed, without asking the store."""
    with appconfig_provider.load(**keywords(store, secrets, **SENTINEL)) as config:
        secrets.values["pw"], secrets.trouble = "new", True
        bump(store)
        clock.advance(30)
        assert config.refresh()
        assert config["pw"] == "old"
        secrets.trouble = False
        if (child := os.fork()) == 0:
            code = 1
            try:
                clock.advance(29)
                kept = not config.refresh() and config["pw"] == "old"
                clock.advance(LONGER - 29)
                code = 0 if kept and config.refresh() and config["pw"] == "new" else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_poller_pays_the_debt(store: Emulator, clock: FakeClock, secrets: Resolver) -> None:
    """With `Polling.auto()` nobody calls `refresh()`, and the secret that was owed is read."""

    def eventually(true: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not true():
            assert time.monotonic() < end, "it did not come true"
            time.sleep(0.002)

    more = keywords(store, secrets, **SENTINEL, polling=Polling.auto())
    with appconfig_provider.load(**more) as config:
        secrets.values["pw"], secrets.trouble = "new", True
        bump(store)
        clock.advance(34)
        eventually(lambda: config["sentinel"] == "2")
        secrets.trouble = False
        clock.advance(LONGER)
        eventually(lambda: config["pw"] == "new")


def test_a_vault_is_asked_once_for_a_generation_that_is_refused(
    load: Loader, store: Emulator, vault: Vault, clock: FakeClock
) -> None:
    """What the refused generation read of the vault serves the old settings as well."""

    def refuse(snapshot: Any) -> None:
        if snapshot["sentinel"] == "2":
            raise ValueError("no")

    def reads(records: list[RequestRecord]) -> int:
        return sum(record.status == 200 for record in records)

    secret(store, vault, "pw", "old")
    bump(store, "1")
    with load(
        connection_string=store.connection_string,
        keyvault_client_configs={vault.url: {"credential": StaticCredential()}},
        verify=vault.ca_file,
        refresh_on=["sentinel"],
        validate=refuse,
    ) as config:
        vault.set("pw", "new")
        bump(store)
        vault.clear_requests()
        clock.advance(30)
        assert config.refresh()
        assert config.snapshot["pw"] == "new"
        assert reads(list(vault.requests)) == 1
