"""Getting a connection: bounded at every step, closed when it fails, trusted as it should be."""

from __future__ import annotations

import asyncio
import gc
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import appconfig_provider
import appconfig_provider.aio
from appconfig_provider._io.sync import WORKER
from appconfig_provider.emulator.tls import kept_certificate, local_certificate
from appconfig_provider.errors import StartupTimeout
from appconfig_provider.testing import Emulator
from tests.support.adapter import Loader
from tests.support.proxy import connect_proxy
from tests.support.raw_server import Behaviour, raw_server, silent
from tests.support.socks import socks_proxy

LIMIT = 0.3
SLACK = 1.0
HERE = "Endpoint=http://127.0.0.1:{port};Id=id;Secret=c2VjcmV0"


def drips(piece: bytes) -> Behaviour:
    """Send a piece now and then, whatever comes."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        while not over.wait(0.05):
            connection.sendall(piece)

    return behave


def never_loads(load: Loader, **keywords: Any) -> float:
    """Try to load where nobody answers as he should; return how many seconds it took."""
    began = time.monotonic()
    with (
        pytest.raises(StartupTimeout),
        load(startup_timeout=2 * LIMIT, connect_timeout=LIMIT, read_timeout=LIMIT, **keywords),
    ):
        pass
    return time.monotonic() - began


HANDSHAKES = {"silence": silent, "a drip": drips(b"\x16"), "no TLS": drips(b"HTTP/1.1 200 OK\r\n")}


@pytest.mark.parametrize("server", HANDSHAKES)
def test_a_handshake_is_bounded(load: Loader, server: str) -> None:
    """A server that does not speak TLS, or not on time, costs the time to connect."""
    with raw_server(HANDSHAKES[server]) as where:
        store = where.replace("http://127.0.0.1", "https://localhost")
        took = never_loads(load, connection_string=store, verify=False)
    assert took < 2 * LIMIT + SLACK


@pytest.mark.parametrize("server", HANDSHAKES)
@pytest.mark.parametrize("proxy", ["http", "https", "socks5"])
def test_agreeing_with_a_proxy_is_bounded(load: Loader, proxy: str, server: str) -> None:
    """A proxy that answers badly, or a byte now and then, costs no more than its time."""
    with raw_server(HANDSHAKES[server]) as where:
        address = where.partition("://")[2].partition(";")[0].replace("127.0.0.1", "localhost")
        store = "Endpoint=https://store.example;Id=id;Secret=c2VjcmV0"
        took = never_loads(
            load, connection_string=store, proxy=f"{proxy}://{address}", verify=False
        )
    assert took < 2 * LIMIT + SLACK


@pytest.mark.parametrize("reply", [b"\x05", b"\x05\xff", b"\x04\x00", b"\xff" * 300, b""])
def test_a_bad_reply_of_a_socks_proxy_is_an_outage(load: Loader, reply: bytes) -> None:
    """Whatever a SOCKS proxy replies, in one piece or cut off, it is told as no connection."""

    def badly(client: socket.socket, _over: threading.Event, _reply: bytes) -> None:
        client.sendall(reply)
        client.shutdown(socket.SHUT_WR)

    with socks_proxy() as proxy:
        proxy.reply = badly
        store = "Endpoint=http://store.example;Id=id;Secret=c2VjcmV0"
        assert never_loads(load, connection_string=store, proxy=proxy.url) < 2 * LIMIT + SLACK


@contextmanager
def dead_addresses(port: int, count: int) -> Iterator[list[str]]:
    """Give addresses of this machine where a connect waits for ever: their queues are full."""
    with ExitStack() as undo:
        hosts = [f"127.0.0.{2 + number}" for number in range(count)]
        for host in hosts:
            listener = undo.enter_context(socket.socket())
            listener.bind((host, port))
            listener.listen(0)
            for _ in range(3):
                waiting = undo.enter_context(socket.socket())
                waiting.settimeout(0)
                waiting.connect_ex((host, port))
        yield hosts


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a store that may be asked by a name of its own."""
    with Emulator(hosts=["store.example"]) as emulator:
        yield emulator


@pytest.fixture
def many_addresses(
    store: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, list[str]]]:
    """Give a store whose name stands for eight dead addresses, and those that are looked up."""
    port = int(store.endpoint.rpartition(":")[2])
    look_up = socket.getaddrinfo

    with dead_addresses(port, 8) as named:

        def found(host: Any, *rest: Any, **more: Any) -> list[Any]:
            if host != "store.example":
                return look_up(host, *rest, **more)
            if more.get("flags"):
                raise socket.gaierror(socket.EAI_NONAME, "no address")
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, (each, port)) for each in named]

        monkeypatch.setattr(socket, "getaddrinfo", found)
        key = store.connection_string.partition(";")[2]
        yield f"Endpoint=http://store.example:{port};{key}", named


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer for a full queue")
def test_all_addresses_of_a_name_share_the_time_to_connect(
    load: Loader, many_addresses: tuple[str, list[str]]
) -> None:
    """Eight addresses where nobody answers cost what one costs."""
    where, _ = many_addresses
    began = time.monotonic()
    with (
        pytest.raises(StartupTimeout),
        load(connection_string=where, startup_timeout=0, connect_timeout=1),
    ):
        pass
    assert time.monotonic() - began < 1 + SLACK


@pytest.mark.skipif(sys.platform != "linux", reason="other systems answer for a full queue")
def test_a_live_address_behind_dead_ones_is_found_in_time(
    store: Emulator, many_addresses: tuple[str, list[str]]
) -> None:
    """With threads, each address gets its share, and the last one still answers."""
    store.set("k", "v")
    where, named = many_addresses
    named.append("127.0.0.1")
    began = time.monotonic()
    with appconfig_provider.load(connection_string=where, connect_timeout=1) as config:
        assert config["k"] == "v"
    assert time.monotonic() - began < 1 + SLACK


def test_an_interrupted_handshake_leaves_no_socket() -> None:
    """Ctrl-C while TLS is being agreed on closes the socket."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    def greeted(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65_536)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        over.wait()

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with raw_server(greeted) as where, warnings.catch_warnings(record=True) as reported:
            warnings.simplefilter("always")
            store = where.replace("http://127.0.0.1", "https://localhost")
            with suppress(KeyboardInterrupt):  # without its traceback, which keeps the socket
                appconfig_provider.load(connection_string=store, verify=False)
            gc.collect()
        assert [str(each.message) for each in reported if each.category is ResourceWarning] == []
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("mode", ["sync", "aio"])
def test_a_provider_that_nobody_closes_leaves_no_socket(store: Emulator, mode: str) -> None:
    """Sockets are closed when their provider is collected, also after its loop has ended."""
    store.set_many({f"k{number}": "v" for number in range(300)})
    keywords: dict[str, Any] = {
        "connection_string": store.connection_string,
        "refresh_on": ["sentinel", "other"],
    }

    async def use() -> None:
        config = await appconfig_provider.aio.load(**keywords)
        await config.refresh(force=True)

    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        if mode == "aio":
            asyncio.run(use())
        else:
            config = appconfig_provider.load(**keywords)
            config.refresh(force=True)
            del config
        gc.collect()
    assert [str(each.message) for each in reported if each.category is ResourceWarning] == []


@pytest.mark.parametrize("named", ["verify", "SSL_CERT_FILE"])
def test_a_ca_file_that_was_replaced_is_read_by_the_next_load(
    load: Loader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str
) -> None:
    """A new `load()` trusts what the CA file holds now, in the same process."""
    good = local_certificate().ca_file
    other = kept_certificate(tmp_path / "other.pem").ca_file
    used = tmp_path / "ca.pem"
    shutil.copy(good, used)
    monkeypatch.setenv("SSL_CERT_FILE", str(used))
    with Emulator(tls=True) as store:
        keywords: dict[str, Any] = {
            "connection_string": store.connection_string,
            "startup_timeout": 0,
            "verify": str(used) if named == "verify" else True,
        }
        with load(**keywords):
            pass
        shutil.copy(other, used)
        with pytest.raises(StartupTimeout, match="certificate"), load(**keywords):
            pass
        shutil.copy(good, used)
        with load(**keywords):
            pass


def test_a_ca_file_that_holds_no_certificate_is_named(load: Loader, tmp_path: Path) -> None:
    """What cannot be read as CA certificates is a ValueError with the name of the file."""
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    store = "Endpoint=https://localhost:1;Id=id;Secret=c2VjcmV0"
    with (
        pytest.raises(ValueError, match=r"verify='.*broken\.pem'.*cannot be read"),
        load(connection_string=store, verify=str(broken)),
    ):
        pass


@pytest.mark.parametrize("enough", [0, 2])
def test_where_no_thread_can_be_started_the_caller_does_the_work(
    store: Emulator, monkeypatch: pytest.MonkeyPatch, enough: int
) -> None:
    """Loading and refreshing go on with the threads there are, or with the caller's alone."""
    started: list[object] = []
    start = threading.Thread.start

    def start_few(thread: threading.Thread) -> None:
        if thread.name != WORKER:
            return start(thread)  # those of the store
        if len(started) >= enough:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        return start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    store.set_many({f"k{number}": "v1" for number in range(950)} | {"sentinel": "1"})
    where = store.connection_string
    with appconfig_provider.load(connection_string=where, refresh_on=["sentinel", "x"]) as config:
        started.clear()
        store.set_many({f"k{number}": "v2" for number in range(950)} | {"sentinel": "2"})
        assert config.refresh(force=True)
        assert config["k949"] == "v2"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("mode", ["sync", "aio"])
def test_without_a_free_descriptor_a_refresh_fails_as_any_other(store: Emulator, mode: str) -> None:
    """With no file descriptor left `refresh()` returns False and tells; later it works again."""
    store.set("sentinel", "1")
    script = str(Path(__file__).with_name("no_descriptor.py"))
    with connect_proxy() as proxy:  # it keeps no connection, so that each request needs a new one
        shown = subprocess.run(
            [sys.executable, script, store.connection_string, mode, proxy.url],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (shown.stdout.split(), shown.stderr) == (["False", "reported", "False", "healed"], "")
