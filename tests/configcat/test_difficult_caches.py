"""Caches of a program that call the client, hang, or are written for asyncio."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from appconfig_provider.configcat import PollingMode
from appconfig_provider.configcat.interfaces import ConfigCache
from appconfig_provider.testing import ConfigCatEmulator
from tests.support.configcat_clients import Make, answer, awaited, threaded
from tests.support.waiting import eventually

AUTO = PollingMode.auto_poll(60, 30)
LAZY, MANUAL = PollingMode.lazy_load(), PollingMode.manual_poll()
SOON = 1.0
"""Real seconds."""


@pytest.fixture
def cdn() -> Iterator[ConfigCatEmulator]:
    """Yield a server with one setting."""
    with ConfigCatEmulator() as cdn:
        cdn.set("flag", value=True)
        yield cdn


@pytest.fixture(params=[threaded, awaited], ids=["sync", "aio"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Yield what makes clients, for threads and for asyncio."""
    with request.param() as make:
        yield make


@pytest.mark.parametrize("mode", [AUTO, LAZY, MANUAL], ids=["auto", "lazy", "manual"])
def test_a_cache_may_read_the_client(cdn: ConfigCatEmulator, mode: PollingMode) -> None:
    """A cache that evaluates a setting while the client asks it gets an answer at once."""
    answers: list[tuple[object, float]] = []
    clients: list[Any] = []
    made = threading.Event()

    class Reading(ConfigCache):
        def get(self, key: str) -> Any:
            made.wait(20)
            began = time.monotonic()
            value = clients[0].get_value("flag", "default")
            answers.append((value, time.monotonic() - began))
            return None

        def set(self, key: str, value: str) -> None:
            self.get(key)

    with threaded() as make:
        client = make(cdn, polling_mode=mode, config_cache=Reading())
        clients.append(client.client)
        made.set()
        assert client.refresh().is_success is True
        assert client.value("flag") is True
    values = [value for value, _ in answers]
    assert (values[0], values[-1]) == ("default", True)
    assert max(seconds for _, seconds in answers) < SOON


class Stuck(ConfigCache):
    """A cache that hangs until a test lets it go."""

    def __init__(self) -> None:
        self.free = threading.Event()
        self.asked = threading.Event()
        self.calls = 0

    def get(self, key: str) -> Any:
        """Hang, but not while the first config comes: both files are asked for, one is kept."""
        if self.calls >= 3:
            self.asked.set()
            self.free.wait(30)
        self.calls += 1

    def set(self, key: str, value: str) -> None:
        """Hang."""
        self.get(key)


@pytest.mark.heavy
def test_a_cache_that_hangs_is_told_once_and_stops_nobody(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Reads answer meanwhile, downloads go on without it, and one error is logged."""
    caplog.set_level(logging.WARNING, "configcat")
    cache = Stuck()
    try:
        client = make(cdn, polling_mode=AUTO, config_cache=cache)
        assert client.value("flag") is True
        eventually(lambda: cache.calls == 3)
        cdn.set("flag", value=False)
        refreshing = client.begin("force_refresh")
        assert cache.asked.wait(20)
        began = time.monotonic()
        assert client.value("flag") is True
        assert time.monotonic() - began < SOON
        assert answer(refreshing).is_success is True
        for _ in range(3):
            assert client.refresh().is_success is True
        assert client.value("flag") is False
    finally:
        cache.free.set()
    ids = [one.event_id for one in caplog.records if one.levelno >= logging.WARNING]  # type: ignore[attr-defined]
    assert ids == [2200, 2201], "one of each kind"


def test_a_manual_read_does_not_wait_for_the_download_of_another(
    cdn: ConfigCatEmulator, make: Make
) -> None:
    """While force_refresh() asks a server that hangs, reads answer at once."""
    asked, finish = threading.Event(), threading.Event()

    def hold(_: object) -> None:
        asked.set()
        finish.wait(20)

    cdn.before_answer(hold)
    client = make(cdn, polling_mode=MANUAL)
    refreshing = client.begin("force_refresh")
    assert asked.wait(20)
    reading = client.begin("get_value", "flag", "default")
    try:
        assert reading.result(5) == "default"
    finally:
        finish.set()
    assert answer(refreshing).is_success is True
    assert client.value("flag") is True


class Awaited:
    """A cache for asyncio."""

    async def get(self, key: str) -> Any:
        """Return nothing."""

    async def set(self, key: str, value: str) -> None:
        """Do nothing."""


@pytest.mark.parametrize("wrong", [Awaited, Awaited()], ids=["class", "instance"])
def test_a_cache_of_coroutine_functions_is_refused(make: Make, wrong: object) -> None:
    """Its methods are called on a thread, where nothing is awaited: that is told at once."""
    with pytest.raises(TypeError, match=r"Awaited\.get is a coroutine function"):
        make(None, config_cache=wrong)


def test_a_cache_that_returns_a_coroutine_is_reported(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A plain function that returns a coroutine is an error of the cache, and nothing is left."""
    inner = Awaited()

    class Disguised(ConfigCache):
        def get(self, key: str) -> Any:
            return inner.get(key)

        def set(self, key: str, value: str) -> Any:
            return inner.set(key, value)

    client = make(cdn, polling_mode=MANUAL, config_cache=Disguised())
    assert client.refresh().is_success is True
    errors = [one for one in caplog.records if one.name == "configcat"]
    assert [one.event_id for one in errors] == [2200, 2201]  # type: ignore[attr-defined]
    assert all("coroutine" in one.getMessage() for one in errors)
