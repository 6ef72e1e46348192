"""Functions that are told which keys changed: filters, order, cancelling, both providers."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import appconfig_provider
from appconfig_provider import ChangeSet
from appconfig_provider.testing import Emulator, Vault
from tests.support.adapter import Loader, load_aio, load_sync
from tests.support.content import FLAG_TYPE, secret

FLAG = ".appconfig.featureflag/beta"


def keywords(store: Emulator, **more: object) -> dict[str, object]:
    """Return how the store is loaded."""
    return {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel"],
        "push_delay": 0,
        **more,
    }


def publish(store: Emulator, *changed: str) -> None:
    """Change some keys and then the sentinel."""
    for key in (*changed, "sentinel"):
        before = store.get(key)
        store.set(key, f"{before.value if before else ''}+")


FILTERS = {
    "*": ["a", "a*", "a,b", "app/host", "app/port", "b", "sentinel"],
    "a": ["a"],
    "a,b": ["a", "b"],
    "app/*": ["app/host", "app/port"],
    "a*": ["a", "a*", "a,b", "app/host", "app/port"],
    r"a\*": ["a*"],
    r"a\,b": ["a,b"],
    r"a\,b,b": ["a,b", "b"],
}


@pytest.mark.parametrize("key_filter", FILTERS)
def test_a_filter_tells_only_of_its_keys(load: Loader, store: Emulator, key_filter: str) -> None:
    """Exact keys, lists, prefixes and escapes: the change set has these keys and no others."""
    keys = [key for key in FILTERS["*"] if key != "sentinel"]
    publish(store, *keys)
    calls: list[ChangeSet] = []
    with load(**keywords(store)) as config:
        config.provider.subscribe(calls.append, key_filter)
        publish(store, *keys)
        assert config.refresh(force=True)
    assert [list(one.changed) for one in calls] == [FILTERS[key_filter]]


def test_other_keys_do_not_call(load: Loader, store: Emulator) -> None:
    """A subscription hears nothing of a change that does not concern it."""
    publish(store, "a", "b")
    calls: list[ChangeSet] = []
    with load(**keywords(store)) as config:
        config.provider.on_change("a")(calls.append)
        publish(store, "b")
        assert config.refresh(force=True)
        assert calls == []


@pytest.mark.parametrize("bad", ["", "a*b", "*,a", "a,b,c,d,e,f"])
def test_bad_filters_are_refused_at_once(
    load: Loader, store: Emulator, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A filter that breaks the service's grammar is a ValueError, one that is no text a TypeError.

    Nothing is subscribed then, and what cannot be called is a TypeError as well.
    """
    called: list[ChangeSet] = []
    with load(**keywords(store)) as config:
        wrong: Any = 5
        with pytest.raises(ValueError, match=r"key_filter"):
            config.provider.subscribe(called.append, bad)
        with pytest.raises(TypeError):
            config.provider.subscribe(called.append, wrong)
        with pytest.raises(TypeError):
            config.provider.subscribe(wrong)
        with pytest.raises(TypeError, match="2 arguments"):
            config.provider.on_change()(lambda one, two: called)  # type: ignore[type-var]
        publish(store, "a", "b")
        assert config.refresh(force=True)
        assert called == []
    assert "callback" not in caplog.text, "what cannot be called was not tried"


def test_added_and_removed_keys_and_flags(load: Loader, store: Emulator) -> None:
    """Removed keys are in `removed`, added ones in `added`, a flag by its key in the store."""
    flag = {"id": "beta", "enabled": False}
    store.set(FLAG, json.dumps(flag), content_type=FLAG_TYPE)
    publish(store, "old")
    calls: list[ChangeSet] = []
    more: dict[str, object] = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
    with load(**keywords(store, **more)) as config:
        config.provider.subscribe(calls.append, f"old,new,{FLAG}")
        store.delete("old")
        publish(store, "new")
        store.set(FLAG, json.dumps({**flag, "enabled": True}), content_type=FLAG_TYPE)
        config.refresh(force=True)
    assert calls == [ChangeSet(("new",), (), ("old",), ("beta",), "forced")]


def test_cancelling(load: Loader, store: Emulator) -> None:
    """A cancelled subscription is silent, cancelled twice as well; the end of a block cancels."""
    calls: list[str] = []
    with load(**keywords(store)) as config:
        gone = config.provider.subscribe(lambda: calls.append("gone"))
        config.provider.subscribe(lambda: calls.append("stays"))
        with config.provider.subscribe(lambda: calls.append("block")):
            publish(store)
            config.refresh(force=True)
        gone.cancel()
        gone.cancel()
        publish(store)
        config.refresh(force=True)
    assert calls == ["gone", "stays", "block", "stays"]


def test_cancelling_and_subscribing_inside_a_callback(load: Loader, store: Emulator) -> None:
    """A callback may cancel itself and others, who are not called then, and subscribe new ones.

    The new ones hear of the next change, not of this one.
    """
    calls: list[str] = []
    with load(**keywords(store)) as config:

        def first() -> None:
            calls.append("first")
            mine.cancel()
            other.cancel()
            config.provider.subscribe(lambda: calls.append("new"))

        mine = config.provider.subscribe(first)
        other = config.provider.subscribe(lambda: calls.append("other"))
        for _ in range(2):
            publish(store)
            config.refresh(force=True)
    assert calls == ["first", "new"]


def test_order_and_isolation(load: Loader, store: Emulator) -> None:
    """on_refresh_success comes first, then subscriptions as they were made, each once a publish.

    One that raises stops nothing and is no failure of the refresh.
    """
    calls: list[str] = []

    def raising(_: ChangeSet) -> None:
        calls.append("raising")
        raise RuntimeError("callback")

    given = keywords(store, on_refresh_success=lambda: calls.append("success"))
    with load(**given) as config:
        config.provider.subscribe(raising)
        config.provider.subscribe(lambda: calls.append("without argument"))
        config.provider.subscribe(lambda changes: calls.append(changes.changed[0]), "a")
        publish(store, "a")
        config.refresh(force=True)
        calls.clear()
        publish(store, "a")
        assert config.refresh(force=True)
        assert not config.refresh(force=True)
        assert config.status.last_error is None
    assert calls == ["success", "raising", "without argument", "a"]


def test_coroutine_functions(store: Emulator) -> None:
    """The aio provider awaits a coroutine function; the sync one refuses it at once."""
    calls: list[ChangeSet] = []

    async def changed(changes: ChangeSet) -> None:
        calls.append(changes)

    with load_aio(**keywords(store)) as config:
        assert config.provider.on_change()(changed) is changed
        publish(store)
        config.refresh(force=True)
    assert len(calls) == 1
    with load_sync(**keywords(store)) as config:
        with pytest.raises(TypeError, match="coroutine"):
            config.provider.subscribe(changed)
        publish(store)
        assert config.refresh(force=True)
    assert len(calls) == 1


class Forgotten:
    """A callback that is cancelled before anything changes."""

    def __call__(self) -> None:
        """Fail, and say so in the log."""
        raise AssertionError("a cancelled subscription was called")


def test_subscribing_from_threads_during_refreshes(store: Emulator) -> None:
    """Subscribing and cancelling from threads during refreshes loses and leaves no subscription."""
    publish(store)
    with appconfig_provider.load(**keywords(store)) as config:  # type: ignore[arg-type]
        calls = [0] * 4
        kept: weakref.WeakSet[Forgotten] = weakref.WeakSet()

        def listener(number: int) -> Callable[[], None]:
            def count() -> None:
                calls[number] += 1

            return count

        def subscribing(number: int) -> None:
            for _ in range(200):
                forgotten = Forgotten()
                kept.add(forgotten)
                config.subscribe(forgotten, "nothing").cancel()
                del forgotten
            config.subscribe(listener(number))

        threads = [threading.Thread(target=subscribing, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(5):
            publish(store)
            config.refresh(force=True)
        for thread in threads:
            thread.join()
        calls[:] = [0] * 4
        publish(store, "nothing")
        config.refresh(force=True)
        assert calls == [1] * 4
        gc.collect()
        assert not kept, "what was cancelled is dropped"


def test_every_reason_is_reported(load: Loader, store: Emulator) -> None:
    """The reason is sentinel, page, flag or secret; of an early check push or forced."""
    reasons: dict[str, str] = {}
    store.set(FLAG, json.dumps({"id": "beta", "enabled": False}), content_type=FLAG_TYPE)
    publish(store)
    with Vault() as vault:
        secret(store, vault, "password", "one")
        reasons["secret"] = _reason(load, store, {"vault": vault}, lambda _: _rotate(vault))
    store.delete("password")
    watch_all: dict[str, object] = {"refresh_on": (), "refresh_enabled": True}
    flags: dict[str, object] = {
        "refresh_on": (),
        "feature_flag_enabled": True,
        "feature_flag_refresh_enabled": True,
        "feature_flag_refresh_interval": 30,
    }
    reasons["sentinel"] = _reason(load, store, {}, lambda _: publish(store))
    reasons["page"] = _reason(load, store, watch_all, lambda _: publish(store))
    reasons["flag"] = _reason(load, store, flags, lambda _: _switch(store))

    def push(config: Any) -> None:
        publish(store)
        config.notify(store.event("sentinel"))

    reasons["push"] = _reason(load, store, {}, push, seconds=0)
    reasons["forced"] = _reason(load, store, {}, lambda _: publish(store), seconds=0)
    assert reasons == {name: name for name in reasons}


def _rotate(vault: Vault) -> None:
    vault.set("password", "two")


def _switch(store: Emulator) -> None:
    store.set(FLAG, json.dumps({"id": "beta", "enabled": True}), content_type=FLAG_TYPE)


def _reason(
    load: Loader,
    store: Emulator,
    more: dict[str, object],
    change: Callable[[Any], object],
    seconds: float = 30,
) -> str:
    """Return the reason of the one change that a refresh finds after so many seconds."""
    from appconfig_provider.testing import AsyncStaticCredential, FakeClock, StaticCredential

    calls: list[ChangeSet] = []
    given = dict(more)
    vault = given.pop("vault", None)
    if isinstance(vault, Vault):
        credential = StaticCredential() if load is load_sync else AsyncStaticCredential()
        given["keyvault_client_configs"] = {vault.url: {"credential": credential}}
        given |= {"secret_refresh_interval": 30, "verify": vault.ca_file, "refresh_on": ()}
    with FakeClock() as clock, load(**keywords(store, **given)) as config:
        config.provider.subscribe(calls.append)
        change(config.provider)
        clock.advance(seconds)
        assert config.refresh() or config.refresh(force=True)
    (only,) = calls
    return only.reason


def test_a_decorator_without_brackets_is_reported_at_once() -> None:
    """`@config.on_change` would take the function for a filter and never call it."""
    with Emulator() as store:
        config = appconfig_provider.load(connection_string=store.connection_string)
        with config, pytest.raises(TypeError, match=r"@config\.on_change\(\)"):
            config.on_change(print)  # type: ignore[arg-type]  # the mistake itself
