"""What is on its way when a provider or a client is closed ends at once, and leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider import Polling
from appconfig_provider._io import sync
from appconfig_provider._live import polling
from appconfig_provider.configcat import (
    ConfigCatClient,
    ConfigCatOptions,
    PollingMode,
    aio,
)
from appconfig_provider.testing import ConfigCatEmulator, Emulator, FakeClock
from tests.support.proxy import connect_proxy
from tests.support.raw_server import Behaviour, dripping, dripping_headers, full_server, raw_server
from tests.support.waiting import eventually

SOON = 1.5
"""Real seconds, less than any limit of a request in this module."""
LIMITS: dict[str, Any] = {"connect_timeout": 30.0, "read_timeout": 30.0}
CLIENT_LIMITS: dict[str, Any] = {"connect_timeout_seconds": 30.0, "read_timeout_seconds": 30.0}
KEY = ConfigCatEmulator.sdk_key
OURS = {polling.NAME, sync.WORKER, "appconfig-cache"}
"""The names of the library's threads."""


class Asked:
    """A server that takes a request and then does something else than to answer it."""

    def __init__(self, then: Behaviour) -> None:
        self.connected = threading.Event()
        self.left = threading.Event()
        self._then = then

    def __call__(self, connection: socket.socket, over: threading.Event) -> None:
        """Serve one connection."""
        self.connected.set()
        try:
            self._then(connection, over)
        finally:
            self.left.set()


def waiting_for_the_end(connection: socket.socket, _: threading.Event) -> None:
    """Read whatever comes, until the client has closed the connection; say nothing."""
    while connection.recv(65_536):
        pass


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that the block leaves no thread of ours, and no socket that only the collector ends."""
    before = set(threading.enumerate())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
        left = [one for one in set(threading.enumerate()) - before if one.name in OURS]
        assert left == []
        gc.collect()


def address(connection_string: str) -> str:
    """Return the address that a connection string names."""
    return connection_string.split("=")[1].split(";", maxsplit=1)[0]


def seconds_of(call: Callable[[], object]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("then", [waiting_for_the_end, dripping, dripping_headers])
def test_stop_ends_the_download_of_a_poller(scheme: str, then: Behaviour) -> None:
    """A hanging download ends with stop(): no thread is left, and the server sees the end."""
    server = Asked(then)
    with raw_server(server) as listening:
        base = address(listening).replace("http:", f"{scheme}:")
        options = ConfigCatOptions(base_url=base, **CLIENT_LIMITS)
        with nothing_left():
            client = ConfigCatClient.of(KEY, options)
            assert server.connected.wait(20)
            time.sleep(0.05)
            assert seconds_of(client.stop) < SOON
        assert server.left.wait(SOON)


def test_stop_ends_a_connect() -> None:
    """A connection that is not accepted is not waited for."""
    with full_server() as address, nothing_left():
        options = ConfigCatOptions(base_url=address, **CLIENT_LIMITS)
        client = ConfigCatClient.of(KEY, options)
        time.sleep(0.2)
        assert seconds_of(client.stop) < SOON


def test_stop_ends_a_download_through_a_tunnel() -> None:
    """The same through a proxy whose tunnel leads to a server that does not answer."""
    server = Asked(waiting_for_the_end)
    with raw_server(server) as listening, connect_proxy() as proxy, nothing_left():
        proxy.ports["cdn.example"] = int(address(listening).rsplit(":", 1)[1])
        options = ConfigCatOptions(
            base_url="https://cdn.example", proxies={"https": proxy.url}, **CLIENT_LIMITS
        )
        client = ConfigCatClient.of(KEY, options)
        assert server.connected.wait(20)
        time.sleep(0.05)
        assert seconds_of(client.stop) < SOON


def test_stop_ends_what_callers_wait_for(caplog: pytest.LogCaptureFixture) -> None:
    """force_refresh() and a lazy read on other threads return at once, and nobody warns."""
    with raw_server(waiting_for_the_end) as listening, nothing_left():
        base = address(listening)
        mode = PollingMode.lazy_load()
        options = ConfigCatOptions(base_url=base, polling_mode=mode, **CLIENT_LIMITS)
        client = ConfigCatClient.of(KEY, options)
        results: list[Any] = []
        calls = (lambda: client.get_value("flag", "default"), client.force_refresh)
        threads = [threading.Thread(target=lambda c=call: results.append(c())) for call in calls]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        client.stop()
        for thread in threads:
            thread.join(SOON)
            assert not thread.is_alive()
    errors = [getattr(one, "error", one) for one in results]
    assert sorted(errors) == ["default", "the client was closed, so no request was sent"]
    ids = [one.event_id for one in caplog.records if one.name == "configcat"]  # type: ignore[attr-defined]
    assert ids == [1000], "no config for the read, and no failed download"


def test_an_aio_client_ends_what_others_wait_for() -> None:
    """In asyncio a task that downloads ends, too, when another one closes the client."""

    async def main(base: str) -> tuple[object, float]:
        mode = PollingMode.lazy_load()
        options = ConfigCatOptions(base_url=base, polling_mode=mode, **CLIENT_LIMITS)
        client = aio.create_client(KEY, options)
        reading = asyncio.create_task(client.get_value("flag", "default"))
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await client.close()
        return await reading, time.monotonic() - began

    with raw_server(waiting_for_the_end) as listening, nothing_left():
        value, took = asyncio.run(main(address(listening)))
    assert value == "default"
    assert took < SOON


class Hanging:
    """A store whose answers are held back from some time on."""

    def __init__(self, store: Emulator) -> None:
        self.open = threading.Event()
        self.asked = threading.Event()
        store.before_answer(self._hold)

    def _hold(self, _: object) -> None:
        self.asked.set()
        self.open.wait(30)


@pytest.mark.parametrize("tls", [False, True])
def test_close_ends_the_check_of_a_poller(tls: bool, caplog: pytest.LogCaptureFixture) -> None:
    """App Configuration's provider does not wait for a store that hangs, and warns of nothing."""
    with Emulator(tls=tls) as store, FakeClock() as clock, ExitStack() as stack:
        store.set("a", "1")
        verify: Any = str(store.ca_file) if tls else True
        with nothing_left():
            config = appconfig_provider.load(
                connection_string=store.connection_string,
                refresh_on=["a"],
                polling=Polling.auto(interval=30),
                verify=verify,
                **LIMITS,
            )
            hanging = Hanging(store)
            stack.callback(hanging.open.set)
            clock.advance(40)
            assert hanging.asked.wait(20)
            caplog.clear()
            assert seconds_of(config.close) < SOON
            assert config["a"] == "1"
    assert [one for one in caplog.records if one.name == "appconfig_provider"] == []


def test_close_ends_requests_side_by_side() -> None:
    """A refresh with several requests in flight ends, with its threads, and returns False."""
    with Emulator() as store, ExitStack() as stack, nothing_left():
        store.set_many({"a": "1", "b": "2", "c": "3"})
        config = appconfig_provider.load(
            connection_string=store.connection_string, refresh_on=["a", "b", "c"], **LIMITS
        )
        hanging = Hanging(store)
        stack.callback(hanging.open.set)
        answers: list[bool] = []
        thread = threading.Thread(target=lambda: answers.append(config.refresh(force=True)))
        thread.start()
        assert hanging.asked.wait(20)
        time.sleep(0.1)
        config.close()
        thread.join(SOON)
        assert answers == [False]
        eventually(lambda: not [t for t in threading.enumerate() if t.name == "appconfig-worker"])


def test_close_in_aio_ends_a_refresh() -> None:
    """A task that refreshes App Configuration's provider returns False when another closes it."""

    async def main(store: Emulator, hanging: Hanging) -> tuple[bool, float]:
        config = await appconfig_provider.aio.load(
            connection_string=store.connection_string, refresh_on=["a"], **LIMITS
        )
        hanging.open.clear()
        hanging.asked.clear()
        refreshing = asyncio.create_task(config.refresh(force=True))
        while not hanging.asked.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0.01)
        began = time.monotonic()
        await config.close()
        return await refreshing, time.monotonic() - began

    with Emulator() as store, ExitStack() as stack:
        store.set("a", "1")
        hanging = Hanging(store)
        hanging.open.set()
        stack.callback(hanging.open.set)
        published, took = asyncio.run(main(store, hanging))
    assert not published
    assert took < SOON


def test_close_all_may_come_while_a_poller_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who closes all clients while another thread makes one gets no error, and nothing is left."""
    starting, go_on = threading.Event(), threading.Event()
    start = threading.Thread.start

    def slowly(thread: threading.Thread) -> None:
        if thread.name == polling.NAME:
            starting.set()
            go_on.wait(20)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", slowly)
    with ConfigCatEmulator() as cdn, nothing_left():
        options = ConfigCatOptions(base_url=cdn.base_url)
        making = threading.Thread(target=ConfigCatClient.get, args=(KEY, options))
        making.start()
        assert starting.wait(20)
        try:
            ConfigCatClient.close_all()
        finally:
            go_on.set()
            making.join()
        eventually(lambda: not [t for t in threading.enumerate() if t.name in OURS])
