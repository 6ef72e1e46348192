"""ConfigCat's page on polling modes: every statement is a test."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from typing import Any

import pytest

from appconfig_provider import configcat as configcatclient
from appconfig_provider.configcat import (
    LocalDictionaryDataSource,
    OverrideBehaviour,
    PollingMode,
)
from appconfig_provider.configcat.configcache import InMemoryConfigCache
from appconfig_provider.testing import ConfigCatEmulator, FakeClock
from tests.support.raw_server import full_server
from tests.support.waiting import PATIENCE, eventually

from .configcat_page import AUTO, CACHE, CALLBACK, LAZY, MANUAL, MANUAL_VALUES
from .running import KEY, asked, clients, path_of, run, run_as_it_is
from .statements import says

AUTO_POLL = configcatclient.create_client_with_auto_poll
LAZY_LOAD = configcatclient.create_client_with_lazy_load
MANUAL_POLL = configcatclient.create_client_with_manual_poll
CREATORS = [AUTO_POLL, LAZY_LOAD, MANUAL_POLL]
BY_NAME: dict[str, Any] = {"auto": AUTO_POLL, "lazy": LAZY_LOAD, "manual": MANUAL_POLL}
JITTER = 0.1
"""The part of its interval by which a poll may be earlier or later: not all come at once."""


def default_of(create: Any, name: str) -> object:
    """Return the default of an argument."""
    return inspect.signature(create).parameters[name].default


# Polling Modes


@says(
    "The ConfigCat SDK supports 3 different polling mechanisms",
    "With the following polling modes, you can customize the SDK",
)
def test_there_are_three_modes(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """One asks by itself, one when a value is read, one when it is told to."""
    cdn.set("key", "new")
    automatic, lazy, manual = AUTO_POLL("auto/key"), LAZY_LOAD("lazy/key"), MANUAL_POLL("man/key")
    eventually(lambda: len(cdn.requests) == 1)
    assert [one.path for one in asked(cdn)] == [path_of(key="auto/key")]
    assert automatic.get_value("key", "old") == "new"
    assert manual.get_value("key", "old") == "old"
    assert asked(cdn) == []
    assert lazy.get_value("key", "old") == "new"
    assert [one.path for one in asked(cdn)] == [path_of(key="lazy/key")]
    manual.force_refresh()
    assert manual.get_value("key", "old") == "new"
    assert [one.path for one in asked(cdn)] == [path_of(key="man/key")]


@says("After latest setting values are downloaded, they are stored in the internal cache")
@pytest.mark.parametrize("mode", BY_NAME)
def test_reads_are_served_from_memory(cdn: ConfigCatEmulator, mode: str) -> None:
    """After a download no read sends anything, in any mode."""
    cdn.set("key", "new")
    client = BY_NAME[mode](KEY)
    client.force_refresh()
    asked(cdn)
    cdn.down()
    assert {client.get_value("key", "old") for _ in range(100)} == {"new"}


# Auto polling


@says("The ConfigCat SDK downloads the latest values and stores them automatically every 60")
def test_auto_polling_downloads_every_60_seconds(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """Nobody asks for it, and each minute the values are the latest."""
    assert default_of(AUTO_POLL, "poll_interval_seconds") == 60
    client = AUTO_POLL(KEY)
    client.get_value("key", None)
    for number in range(3):
        cdn.set("key", number)
        clock.advance(60 * (1 + JITTER))
        eventually(lambda: client.get_value("key", None) == number)  # noqa: B023 - awaited here
    assert len(cdn.requests) <= 4


@says("Use the poll_interval_seconds option parameter", "poll_interval_secondsPolling interval.60")
def test_the_interval_of_auto_polling(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """The block's client asks after 95 seconds, not after 60."""
    cdn.set("key", "first")
    client = run(AUTO)["_"]
    assert client.get_value("key", None) == "first"
    asked(cdn)
    cdn.set("key", "second")
    clock.advance(95 * (1 - JITTER) - 1)
    assert client.get_value("key", None) == "first"
    assert asked(cdn) == []
    clock.advance(95 * 2 * JITTER + 1)
    eventually(lambda: client.get_value("key", None) == "second")


@says(
    "Adding a callback to on_configuration_changed_callback option parameter",
    "on_configuration_changed_callbackCallback to get notified about changes.-",
)
def test_the_callback_is_called(
    cdn: ConfigCatEmulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """The block's function is called at each change, though nothing in the block keeps the client.

    The page prints the function with a parameter, `self`: it gets the settings.
    """
    assert default_of(AUTO_POLL, "on_configuration_changed_callback") is None
    seen: list[set[str]] = []
    program = CALLBACK.replace("    pass", "    seen.append(set(self))")
    assert program != CALLBACK
    cdn.set("one", 1)
    run_as_it_is(program, {"seen": seen})
    eventually(lambda: seen == [{"one"}])
    clock.advance(66)
    cdn.set("two", 2)
    clock.advance(66)
    eventually(lambda: seen == [{"one"}, {"one", "two"}])
    assert [one for one in caplog.records if one.levelno > logging.INFO] == []


def test_the_block_with_the_callback_runs(
    cdn: ConfigCatEmulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """As it is printed, the function is called, too: it does nothing, and nothing is logged."""
    cdn.set("key", 1)
    before = clients()
    run_as_it_is(CALLBACK, {})
    (client,) = [one for one in clients() if one not in before]
    client.get_value("key", None)
    del client, before
    clock.advance(66)
    eventually(lambda: len(cdn.requests) == 2)
    assert [one for one in caplog.records if one.levelno > logging.INFO] == []


def test_a_callback_may_take_nothing(cdn: ConfigCatEmulator) -> None:
    """SDK 6 itself called the function without an argument, and such programs run as well."""
    called: list[int] = []
    AUTO_POLL(KEY, on_configuration_changed_callback=lambda: called.append(1))
    eventually(lambda: called == [1])


@says("max_init_wait_time_secondsMaximum waiting time")
def test_reads_wait_for_the_first_download(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """A read before the end of the first download waits for it, for at most 5 seconds."""
    assert default_of(AUTO_POLL, "max_init_wait_time_seconds") == 5
    go = threading.Event()
    hold = cdn.before_answer(lambda _: go.wait(PATIENCE))
    cdn.set("key", "new")
    client = AUTO_POLL(KEY)
    values: list[str] = []
    reader = threading.Thread(target=lambda: values.append(client.get_value("key", "old")))
    reader.start()
    time.sleep(0.05)
    clock.advance(4.9)
    time.sleep(0.05)
    assert values == []
    clock.advance(0.2)
    reader.join(PATIENCE)
    assert values == ["old"]
    assert client.get_value("key", "old") == "old"  # and waits no second time
    hold.remove()
    go.set()
    eventually(lambda: client.get_value("key", "old") == "new")


def test_reads_do_not_wait_longer_than_the_first_download(cdn: ConfigCatEmulator) -> None:
    """The end of the first download ends the wait, a failure as well; no time passes here."""
    cdn.set("key", "new")
    assert AUTO_POLL("one/key").get_value("key", "old") == "new"
    cdn.fail(500)
    assert AUTO_POLL("another/key").get_value("key", "old") == "old"


@says("config_cache_classCustom cache implementation.None")
@pytest.mark.parametrize("mode", BY_NAME)
def test_a_custom_cache_is_used(cdn: ConfigCatEmulator, mode: str) -> None:
    """What one client has downloaded is there for the next one, in every mode."""
    create = BY_NAME[mode]
    assert default_of(create, "config_cache_class") is None
    shared = InMemoryConfigCache()
    cdn.set("key", "cached")
    first = create(KEY, config_cache_class=lambda: shared)
    first.force_refresh()
    first.stop()
    cdn.fail(503)
    client = create(KEY, config_cache_class=lambda: shared)
    assert client.get_value("key", None) == "cached"
    client.stop()
    assert create(KEY, config_cache=shared).get_value("key", None) == "cached"


@says("connect_timeoutThe number of seconds to wait for the server to make the initial")
@pytest.mark.parametrize("mode", BY_NAME)
def test_connecting_is_bounded(mode: str) -> None:
    """A server that takes no connection is given up after the time, by default 10 seconds."""
    create = BY_NAME[mode]
    assert default_of(create, "connect_timeout") == 10
    with full_server() as address:
        for name in ("connect_timeout", "connect_timeout_seconds"):
            wait: dict[str, Any] = {"max_init_wait_time_seconds": 0} if mode == "auto" else {}
            client = create(KEY, base_url=address, **{name: 0.2}, **wait)
            began = time.monotonic()
            result = client.force_refresh()
            assert time.monotonic() - began < 5
            assert not result.is_success
            client.stop()


@says(
    "read_timeoutThe number of seconds to wait for the server to respond before",
    "read_timeoutThe number of seconds to wait for the server to send respond",
)
@pytest.mark.parametrize("mode", BY_NAME)
def test_waiting_for_an_answer_is_bounded(mode: str) -> None:
    """A server that does not answer is given up after the time, by default 30 seconds."""
    create = BY_NAME[mode]
    assert default_of(create, "read_timeout") == 30
    go = threading.Event()
    with ConfigCatEmulator() as cdn:
        cdn.before_answer(lambda _: go.wait(PATIENCE))
        for name in ("read_timeout", "read_timeout_seconds"):
            wait: dict[str, Any] = {"max_init_wait_time_seconds": 0} if mode == "auto" else {}
            client = create(KEY, base_url=cdn.base_url, **{name: 0.2}, **wait)
            began = time.monotonic()
            result = client.force_refresh()
            assert time.monotonic() - began < 5
            assert not result.is_success
            client.stop()
        go.set()


@says("flag_overridesLocal feature flag & setting overrides.", "More about feature flag overrides")
@pytest.mark.parametrize("mode", BY_NAME)
def test_overrides_can_be_given(cdn: ConfigCatEmulator, mode: str) -> None:
    """Local settings stand beside the downloaded ones, in every mode; by default there are none."""
    create = BY_NAME[mode]
    assert default_of(create, "flag_overrides") is None
    cdn.set("remote", 1)
    local = LocalDictionaryDataSource({"local": 2}, OverrideBehaviour.LocalOverRemote)
    client = create(KEY, flag_overrides=local)
    client.force_refresh()
    assert client.get_all_values() == {"remote": 1, "local": 2}


@says("Auto polling mode utilizes its polling job in a threading.Thread object.")
def test_auto_polling_has_a_thread(cdn: ConfigCatEmulator) -> None:
    """The job runs in a thread of its own, which does not keep the program from ending."""
    before = set(threading.enumerate())
    client = AUTO_POLL(KEY)
    client.get_value("key", None)
    started = set(threading.enumerate()) - before
    assert any(thread.daemon for thread in started)


@says("If you are running your application behind an uWSGI web server")
def test_auto_polling_without_threads_is_done_by_reads(
    cdn: ConfigCatEmulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread runs, a read that finds the poll late by an interval downloads itself."""
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    monkeypatch.setattr(threading.Thread, "join", lambda self, timeout=None: None)
    cdn.set("key", "first")
    client = AUTO_POLL(KEY, max_init_wait_time_seconds=0)
    client.get_value("key", None)
    clock.advance(150)
    assert client.get_value("key", None) == "first"
    cdn.set("key", "second")
    clock.advance(150)
    assert client.get_value("key", None) == "second"


@says("Please enable threading or switch to another polling mode in this case.")
@pytest.mark.parametrize("mode", ["lazy", "manual"])
def test_the_other_modes_need_no_thread(
    cdn: ConfigCatEmulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Lazy loading and manual polling do everything on the thread that calls."""
    cdn.set("key", "value")  # the server has threads; they are there by now
    client = BY_NAME[mode](KEY)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    own = threading.current_thread()
    callers: list[threading.Thread] = []
    monkeypatch.setattr(threading.Thread, "start", refuse)
    if mode == "manual":
        client.force_refresh()
    callers.append(threading.current_thread())
    value = client.get_value("key", None)
    monkeypatch.undo()
    assert (value, callers) == ("value", [own])


# Lazy loading


@says("When calling get_value() the ConfigCat SDK downloads the latest setting values if they")
def test_lazy_loading_downloads_when_a_value_is_read(
    cdn: ConfigCatEmulator, clock: FakeClock
) -> None:
    """A read downloads what is missing or expired, and nothing else does."""
    cdn.set("key", "first")
    client = LAZY_LOAD(KEY)
    clock.advance(1000)
    assert asked(cdn) == []
    assert client.get_value("key", None) == "first"
    assert len(asked(cdn)) == 1
    clock.advance(59)
    client.get_value("key", None)
    assert asked(cdn) == []
    clock.advance(1)
    client.get_value("key", None)
    assert len(asked(cdn)) == 1


@says("In this case the get_value() will return the setting value after the cache is updated.")
def test_lazy_loading_returns_the_new_value(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """The very read that downloads returns what it has downloaded."""
    client = LAZY_LOAD(KEY)
    for number in range(3):
        cdn.set("key", number)
        assert client.get_value("key", None) == number
        clock.advance(60)


@says("Use cache_time_to_live_seconds option parameter", "cache_time_to_live_secondsCache TTL.60")
def test_the_time_to_live_of_lazy_loading(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """The block's client reads from memory for 600 seconds; by default it would be 60."""
    assert default_of(LAZY_LOAD, "cache_time_to_live_seconds") == 60
    client = run(LAZY)["_"]
    cdn.set("key", "first")
    assert client.get_value("key", None) == "first"
    cdn.set("key", "second")
    clock.advance(599)
    assert client.get_value("key", None) == "first"
    clock.advance(1)
    assert client.get_value("key", None) == "second"


@says("Use a custom config_cache_class option parameter.")
def test_the_cache_of_the_block_is_used(cdn: ConfigCatEmulator) -> None:
    """The block's class is called; its `get` is asked, and its `set` is given what was loaded."""
    space = run(CACHE)
    cache, client = space["InMemoryConfigCache"], space["_"]
    written: dict[str, str] = {}
    plain = cache.set
    cache.set = lambda self, key, value: (plain(self, key, value), written.update({key: value}))
    cdn.set("key", "value")
    assert client.get_value("key", None) == "value"
    (text,) = written.values()
    assert '"value"' in text


# Manual polling


@says(
    "Manual polling gives you full control over when the config.json",
    "ConfigCat SDK will not update them automatically.",
    "Calling force_refresh() is your application's responsibility.",
)
def test_manual_polling_downloads_when_it_is_told_to(
    cdn: ConfigCatEmulator, clock: FakeClock
) -> None:
    """The block sends one request; without another call there is no other one, however long."""
    client = run(MANUAL)["configcat_client"]
    assert [one.path for one in asked(cdn)] == [path_of()]
    for _ in range(10):
        clock.advance(100_000)
        client.get_value("key", None)
    assert asked(cdn) == []
    assert client.force_refresh().is_success
    assert len(asked(cdn)) == 1


@says("get_value() returns default_value if the cache is empty.")
def test_manual_polling_begins_with_default_values(cdn: ConfigCatEmulator) -> None:
    """Before the first `force_refresh()` there are no values, and no read asks for some."""
    cdn.set("key", "value from server")
    client = MANUAL_POLL(KEY)
    assert client.get_value("key", "my default value") == "my default value"
    assert client.get_all_keys() == []
    assert asked(cdn) == []


@says("Call force_refresh() to update the cache.")
def test_the_block_about_manual_values(cdn: ConfigCatEmulator) -> None:
    """The two calls of the block return what its comments say."""
    cdn.set("key", "value from server")
    space = run(MANUAL_VALUES)
    assert space["before"] == "my default value"
    assert space["value"] == "value from server"


# Both names of an argument


@pytest.mark.parametrize("mode", BY_NAME)
@pytest.mark.parametrize(
    "pair",
    [
        {"connect_timeout": 10, "connect_timeout_seconds": 5},
        {"read_timeout": 30.0, "read_timeout_seconds": 5},
        {"config_cache_class": InMemoryConfigCache, "config_cache": InMemoryConfigCache()},
    ],
    ids=lambda pair: next(iter(pair)),
)
def test_an_argument_is_given_once(mode: str, pair: dict[str, Any]) -> None:
    """Who gives an argument by both its names is told their names, even if one is the default."""
    with pytest.raises(TypeError, match=" and ".join(pair)):
        BY_NAME[mode](KEY, **pair)


def test_the_time_to_live_is_given_once(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """The newer name of the time to live counts like the older one, and not beside it."""
    with pytest.raises(TypeError, match=r"cache_time_to_live_seconds and cache_refresh_interval"):
        LAZY_LOAD(KEY, 60, cache_refresh_interval_seconds=60)
    client = LAZY_LOAD(KEY, cache_refresh_interval_seconds=300)
    client.get_value("key", None)
    asked(cdn)
    clock.advance(299)
    client.get_value("key", None)
    assert asked(cdn) == []
    clock.advance(1)
    client.get_value("key", None)
    assert len(asked(cdn)) == 1


def test_the_shortest_intervals() -> None:
    """An interval below a second is one second, a wait below zero is none, as in SDK 6."""
    auto, lazy = PollingMode.auto_poll(0, -1), PollingMode.lazy_load(0)
    assert (auto.poll_interval_seconds, auto.max_init_wait_time_seconds) == (1, 0)
    assert lazy.cache_refresh_interval_seconds == 1
