"""While a copy is served: when the store is asked again, and what comes of it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from appconfig_provider import BindingError, ChangeSet, FileCache, Polling, load
from appconfig_provider.aio import AzureAppConfigurationProvider as AsyncProvider
from appconfig_provider.testing import Emulator, FakeClock
from tests.stored.conftest import Start, once, outage
from tests.support.adapter import POLLED
from tests.support.content import VAULT_TYPE, Resolver, secret_id, set_flag

Lines = Callable[..., list[str]]
FIRST = {"first": True}
FLAGS = {"feature_flag_enabled": True}


def test_an_unchanged_store_confirms_in_silence(
    start: Start, store: Emulator, clock: FakeClock, told: Lines
) -> None:
    """Nothing differs: the next version, no callback, one line, and the same values as objects."""
    called: list[object] = []
    once(start)
    with start(FIRST, on_refresh_success=called.append, on_refresh_error=called.append) as config:
        before = config.snapshot
        told("INFO")
        clock.advance(7)
        assert config.refresh()
        after = config.snapshot
        assert (after.version, after.stale, after.origin) == (2, False, "store")
        assert config.status.age == 0
        assert all(after[key] is before[key] for key in before)
        assert after.loaded_at > before.loaded_at
        assert called == []
        (line,) = told("INFO")
        assert line.startswith("configuration version 2 (cache): no key differs; 5 requests")


def test_a_changed_store_calls_back(start: Start, store: Emulator) -> None:
    """What differs from the copy is told like any change, with the reason `cache`."""
    called: list[ChangeSet] = []
    once(start)
    store.set("a", "new")
    with start(FIRST, on_refresh_success=called.append) as config:
        unchanged = config.snapshot["c"]
        assert config.refresh()
        assert config.snapshot["c"] is unchanged
    assert called == [ChangeSet(changed=("a",), reason="cache")]


@pytest.mark.parametrize(
    "keywords",
    [
        {"refresh_on": ()},
        {"refresh_enabled": False},
        {"refresh_on": (), "refresh_enabled": True},
        {},
    ],
    ids=["nothing", "switched off", "pages", "a sentinel"],
)
def test_a_copy_heals_whatever_is_watched(
    start: Start, store: Emulator, clock: FakeClock, keywords: dict[str, Any]
) -> None:
    """Settings and flags are due at once, watched or not; afterwards only what is watched is."""
    set_flag(store, "beta", enabled=False)
    once(start, **FLAGS, **keywords)
    store.set("a", "new")
    set_flag(store, "beta", enabled=True)
    with start(FIRST, **FLAGS, **keywords) as config:
        assert config.refresh()
        assert config.snapshot["a"] == "new"
        assert config.snapshot["feature_management"]["feature_flags"][0]["enabled"]
        store.clear_requests()
        clock.advance(100)
        assert not config.refresh()
        watches = keywords in ({}, {"refresh_on": (), "refresh_enabled": True})
        assert bool(store.requests) is watches
        assert config.status.age == (0 if watches else 100)


def test_healing_backs_off(start: Start, store: Emulator, clock: FakeClock) -> None:
    """A store that stays down is asked after a growing pause, and the copy stays."""
    once(start)
    with outage(store), start(retry_total=0) as config:
        store.clear_requests()
        attempts = []
        for second in range(300):
            clock.advance(1)
            before = len(store.requests)
            config.refresh()
            if len(store.requests) > before:
                attempts.append(second)
        assert len(attempts) == 3
        assert attempts[0] >= 25
        assert attempts[2] - attempts[1] > attempts[1] - attempts[0] > 55
        assert config.status.stale
        before = len(store.requests)
        assert not config.refresh(force=True)
        assert len(store.requests) == before + 1


def test_a_forced_refresh_heals(start: Start, store: Emulator) -> None:
    """`force=True` ignores the back-off of the start."""
    once(start)
    with outage(store):
        opened = start()
        config = opened.__enter__()
    assert not config.refresh()
    assert config.refresh(force=True)
    assert not config.status.stale
    opened.__exit__(None, None, None)


def test_an_event_heals(start: Start, store: Emulator, clock: FakeClock) -> None:
    """A pushed event makes the store due; what is asked then heals."""
    once(start)
    with start(FIRST, push_delay=0) as config:
        with outage(store):
            config.refresh()
        store.set("a", "new")
        config.provider.notify(store.event("a"))
        clock.advance(40)
        assert config.refresh()
        assert (config.snapshot["a"], config.status.stale) == ("new", False)


def test_unresolved_secrets_heal(start: Start, store: Emulator, clock: FakeClock) -> None:
    """A copy that was served without a secret gets it from the vault, store or no store."""
    store.set("pw", f'{{"uri": "{secret_id("pw")}"}}', content_type=VAULT_TYPE)
    resolver = Resolver()
    keywords = {"secret_resolver": resolver, "secret_policy": "omit"}
    once(start, **keywords)
    with outage(store), start(**keywords) as config:
        assert "pw" not in config.snapshot
        loaded_at = config.snapshot.loaded_at
        resolver.values["pw"] = "hush"
        clock.advance(38)
        config.refresh()
        clock.advance(1)
        config.refresh()
        assert config.snapshot["pw"] == "hush"
        assert (config.snapshot.stale, config.snapshot.origin) == (True, "cache")
        assert config.snapshot.loaded_at == loaded_at
        assert config.snapshot.version == 2


def test_flags_do_not_wait_for_refused_settings(
    start: Start, store: Emulator, clock: FakeClock, path: Any
) -> None:
    """While `validate` refuses the settings, a changed flag is published; the rest stays stale."""

    def refuse(snapshot: Any) -> None:
        if snapshot["a"] == "bad":
            raise ValueError

    set_flag(store, "beta", enabled=False)
    keywords = {**FLAGS, "validate": refuse}
    once(start, **keywords)
    store.set("a", "bad")
    set_flag(store, "beta", enabled=True)
    before = path.read_bytes()
    with start(FIRST, **keywords) as config:
        assert config.refresh()
        assert config.snapshot["feature_management"]["feature_flags"][0]["enabled"]
        assert path.read_bytes() == before  # half of it is not what the store holds
        assert (config.snapshot["a"], config.snapshot.stale) == ("1", True)
        store.set("a", "good")
        clock.advance(40)
        assert config.refresh()
        assert (config.snapshot["a"], config.snapshot.stale) == ("good", False)


def test_nothing_stale_is_written(start: Start, store: Emulator, path: Any) -> None:
    """A copy that is served does not make itself younger."""
    once(start)
    before = path.read_bytes()
    with outage(store), start() as config:
        config.refresh(force=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", POLLED)
def test_a_poller_heals_at_once(mode: str, store: Emulator, path: Any, clock: FakeClock) -> None:
    """A poller asks the store as soon as it runs, and need not wait for its interval."""
    keywords: dict[str, Any] = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "polling": Polling.auto(),
    }
    with POLLED[mode](cache=FileCache(path), **keywords):
        pass
    store.set("a", "new")
    healed = threading.Event()
    cache = FileCache(path, first=True)
    with POLLED[mode](cache=cache, on_refresh_success=healed.set, **keywords) as config:
        assert healed.wait(20)
        assert config.snapshot["a"] == "new"


def test_sentinels_vouch_for_a_copy_that_is_served(start: Start, store: Emulator) -> None:
    """With `verify="sentinels"` the first refresh asks only for them."""
    once(start)
    with start({"first": True, "verify": "sentinels"}) as config:
        store.clear_requests()
        assert config.refresh()
        assert not config.status.stale
        assert len(store.requests) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_heals_by_itself(store: Emulator, path: Any) -> None:
    """A child that was forked while a copy was served asks the store itself, at once."""
    keywords: dict[str, Any] = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
    }
    load(cache=FileCache(path), **keywords).close()
    with load(cache=FileCache(path, first=True), **keywords) as config:
        child = os.fork()
        if not child:
            code = 1
            try:
                healed = config.refresh() and not config.status.stale
                code = 0 if healed else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert config.status.stale
        assert config.refresh()


def test_a_copy_that_a_binding_cannot_use_is_replaced(start: Start, store: Emulator) -> None:
    """`bind` asks the store once; in asyncio, where it cannot wait, the caller does that."""
    store.set("a", "no number")
    once(start)
    store.set("a", "5")
    with start(FIRST) as config:
        if isinstance(config.provider, AsyncProvider):
            with pytest.raises(BindingError):
                config.provider.bind(int, "a")
            assert config.refresh(force=True)
        assert config.provider.bind(int, "a").value == 5
        assert not config.status.stale
        store.clear_requests()
        with pytest.raises(BindingError):
            config.provider.bind(int, "nowhere")
        assert store.requests == []


def test_an_empty_configuration_fits_no_binding(start: Start, store: Emulator) -> None:
    """Not even a type that needs no settings: nobody knows yet what the store holds."""
    with outage(store), start(optional=True, startup_timeout=0) as config:
        with pytest.raises(BindingError, match="no settings yet"):
            config.provider.bind(dict[str, str])
        assert config.snapshot == {}


def test_a_refresh_that_cannot_be_imported_fails_as_any_other(
    start: Start, store: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What sends requests is imported late; without a free descriptor that is a failed attempt."""
    once(start)
    errors: list[Exception] = []
    with start(FIRST, on_refresh_error=errors.append) as config:
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, "appconfig_provider._azure.refresh", None)
            assert not config.refresh()
        assert isinstance(config.status.last_error, ImportError)
        assert errors == [config.status.last_error]
        assert config.refresh()
        assert config.status.last_error is None


@pytest.mark.parametrize("how", ["key", "binding"])
@pytest.mark.parametrize("mode", POLLED)
def test_a_read_heals_a_copy(
    mode: str, how: str, store: Emulator, path: Any, clock: FakeClock
) -> None:
    """With lazy polling nobody has to call `refresh()`; a binding's value is a read, too."""
    keywords: dict[str, Any] = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "polling": Polling.lazy(30),
    }
    with POLLED[mode](cache=FileCache(path), **keywords):
        pass
    store.set("a", "5")
    called: list[object] = []
    healed = threading.Event()

    def hear(changes: ChangeSet) -> None:
        called.append(changes)
        healed.set()

    cache = FileCache(path, first=True)
    with POLLED[mode](cache=cache, on_refresh_success=hear, **keywords) as config:
        # `bind` takes the generation as it is: it is no read.
        binding = config.read(lambda one: one.bind(int, "a"))
        assert config.status.stale
        read = (lambda one: one["a"]) if how == "key" else (lambda _: binding.value)
        old, new = ("1", "5") if how == "key" else (1, 5)
        # With threads the first reader waits for it; in asyncio the first one answers at once.
        assert config.read(read) == (new if mode == "sync" else old)
        assert healed.wait(20)
        assert config.read(read) == new
        assert not config.status.stale
        assert called == [ChangeSet(changed=("a",), reason="cache")]
        store.clear_requests()
        config.read(read)
        assert store.requests == []


def test_a_read_heals_once_the_back_off_is_over(
    store: Emulator, path: Any, clock: FakeClock
) -> None:
    """Readers of a copy wait for no store that is down; one asks when it is time."""
    keywords: dict[str, Any] = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "polling": Polling.lazy(30),
        "cache": FileCache(path),
        "retry_total": 0,
    }
    load(**keywords).close()
    with outage(store), load(**keywords) as config:
        store.clear_requests()
        assert [config["a"] for _ in range(3)] == ["1"] * 3
        assert store.requests == []
        clock.advance(40)
        assert [config["a"] for _ in range(3)] == ["1"] * 3
        assert len(store.requests) == 1
        assert config.status.stale


def test_rotating_secrets_do_not_show_an_empty_configuration(
    start: Start, store: Emulator, clock: FakeClock
) -> None:
    """When secrets are due before the store answers, nothing is built, and nobody is called."""
    seen: list[object] = []
    keywords = {
        "secret_resolver": Resolver(),
        "secret_refresh_interval": 5,
        "validate": seen.append,
        "on_refresh_success": seen.append,
    }
    with (
        outage(store),
        start(optional=True, startup_timeout=0, retry_total=0, **FLAGS, **keywords) as config,
    ):
        empty = config.snapshot
        store.clear_requests()
        clock.advance(6)
        assert not config.refresh()
        assert store.requests == []  # its back-off is not over
        assert config.snapshot is empty
        assert seen == []
