"""ConfigCat's source over real HTTP, with threads and with asyncio."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from appconfig_provider.configcat import create_client_with_auto_poll
from appconfig_provider.configcat.fetching.entries import Entry, to_payload
from appconfig_provider.configcat.keys import cache_key_of
from appconfig_provider.testing import ConfigCatEmulator
from tests.support.configcat_live import KINDS, Live, living
from tests.support.configcat_source import KEY, V6, Shared, v6
from tests.support.proxy import connect_proxy
from tests.support.raw_server import (
    babbling,
    cut_off,
    dripping,
    hanging_up,
    raw_server,
    silent,
)

LOGIN = SimpleNamespace(username="user", password="pass:word")
CREDENTIALS = "Basic dXNlcjpwYXNzOndvcmQ="


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Name the runtime with threads, then that with asyncio."""
    name: str = request.param
    return name


@pytest.fixture
def cdn() -> Iterator[ConfigCatEmulator]:
    """Run ConfigCat's CDN on this machine, with one setting."""
    with ConfigCatEmulator() as cdn:
        cdn.set("color", "red")
        yield cdn


def test_a_config_is_fetched_and_confirmed(kind: str, cdn: ConfigCatEmulator) -> None:
    """The first answer is a config, the second 304, the third what has changed."""
    with living(kind, base_url=cdn.base_url) as live:
        assert live.refresh() == []
        assert live.values == {"color": "red"}
        live.refresh()
        cdn.set("color", "blue")
        live.refresh()
        assert live.values == {"color": "blue"}
    assert [one.status for one in cdn.requests] == [200, 304, 200]
    etags = [one.headers.get("if-none-match") for one in cdn.requests]
    assert etags[0] is None
    assert etags[1] == etags[2] is not None


def test_the_variable_leads_to_the_emulator(kind: str, cdn: ConfigCatEmulator) -> None:
    """A program that names no server is led to the one of the variable."""
    environment = {"APPCONFIG_PROVIDER_CONFIGCAT_BASE_URL": cdn.base_url}
    with living(kind, environment=environment) as live:
        live.refresh()
        assert live.values == {"color": "red"}


def test_errors_of_the_server(kind: str, cdn: ConfigCatEmulator) -> None:
    """Statuses are reported, the old settings stay, and the key is shown nowhere."""
    with living(kind, base_url=cdn.base_url) as live:
        live.refresh()
        for status, event_id in ((404, 1100), (403, 1100), (500, 1101), (503, 1101)):
            with cdn.fail(status):
                assert live.refresh() == [event_id]
        assert live.values == {"color": "red"}
        assert live.config.status.last_error is not None
        assert live.refresh() == []
        assert live.config.status.last_error is None
        assert cdn.sdk_key not in repr(live)


def test_no_redirect_of_http_is_followed(kind: str, cdn: ConfigCatEmulator) -> None:
    """A 302 is an error, wherever it leads."""

    def behave(connection: socket.socket, _over: threading.Event) -> None:
        connection.recv(65_536)
        place = f"Location: {cdn.base_url}/\r\n"
        connection.sendall(f"HTTP/1.1 302 Found\r\n{place}Content-Length: 0\r\n\r\n".encode())

    with raw_server(behave) as text, living(kind, base_url=base_of(text)) as live:
        assert live.refresh() == [1101]
    assert cdn.requests == []


def base_of(connection_string: str) -> str:
    """Return the address of a raw server."""
    return connection_string.partition(";")[0].removeprefix("Endpoint=")


@pytest.mark.parametrize("behave", [silent, dripping], ids=["silent", "dripping"])
def test_a_server_that_is_too_slow(
    kind: str, behave: Callable[[socket.socket, threading.Event], None]
) -> None:
    """What does not come in time is 1102, and names both timeouts."""
    with (
        raw_server(behave) as text,
        living(
            kind, base_url=base_of(text), connect_timeout_seconds=0.25, read_timeout_seconds=0.25
        ) as live,
    ):
        assert live.refresh() == [1102]
        assert "connect timeout 0.25 s, read 0.25 s" in live.told[0].text


@pytest.mark.parametrize("behave", [cut_off, hanging_up, babbling], ids=lambda one: one.__name__)
def test_a_server_that_gives_no_answer(
    kind: str, behave: Callable[[socket.socket, threading.Event], None]
) -> None:
    """What is torn, or no HTTP, is 1103."""
    with raw_server(behave) as text, living(kind, base_url=base_of(text)) as live:
        assert live.refresh() == [1103]
        assert live.told[0].level == logging.ERROR


def test_nobody_listens(kind: str) -> None:
    """Where nothing can be connected to, that is 1103, and the key is shown masked."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with living(kind, base_url=f"http://127.0.0.1:{port}", key=KEY) as live:
        assert live.refresh() == [1103]
        assert "********9012" in live.told[0].text
        assert KEY not in live.told[0].text


def answering(body: bytes, *headers: str) -> Callable[[socket.socket, threading.Event], None]:
    """Return a server that answers every request with a body."""

    def behave(connection: socket.socket, _over: threading.Event) -> None:
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers]
        head = "\r\n".join([*lines, "", ""]).encode()
        while connection.recv(65_536):
            connection.sendall(head + body)

    return behave


def test_gzip_is_asked_for_and_unpacked(kind: str) -> None:
    """An answer may be packed."""
    packed = gzip.compress(json.dumps(v6(color="red")).encode())
    behave = answering(packed, "Content-Encoding: gzip")
    with raw_server(behave) as text, living(kind, base_url=base_of(text)) as live:
        live.refresh()
        assert live.values == {"color": "red"}


PACKED = ("Content-Encoding: gzip",)
HOSTILE: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "gzip bomb": (gzip.compress(b" " * 100_000_000), PACKED),
    "no gzip": (b"not packed at all", PACKED),
    "huge": (b'{"f": {"a": "' + b"x" * 9_000_000 + b'"}}', ()),
    "deep": (b'{"f":' * 500_000, ()),
    "a long number": (b'{"f": ' + b"9" * 1_000_000 + b"}", ()),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_body_keeps_the_old_settings(
    kind: str, cdn: ConfigCatEmulator, name: str
) -> None:
    """Bodies without end, or nested without end, are 1103, soon, and change nothing."""
    body, headers = HOSTILE[name]
    with (
        raw_server(answering(body, *headers)) as text,
        living(kind, base_url=cdn.base_url) as live,
    ):
        live.refresh()
        cdn.redirect(base_of(text), 2)
        assert live.refresh() == [1103]
        assert live.values == {"color": "red"}


def through(live: Live) -> None:
    """Fetch, and check what came."""
    assert live.refresh() == [], live.told
    assert live.values == {"color": "red"}


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_proxy_for_http(kind: str, cdn: ConfigCatEmulator, scheme: str) -> None:
    """A proxy may be written without a scheme; user and password go to it alone."""
    with connect_proxy() as proxy:
        proxy.credentials = CREDENTIALS
        proxies = {"http": scheme + proxy.url.removeprefix("http://")}
        with living(kind, base_url=cdn.base_url, proxies=proxies, proxy_auth=LOGIN) as live:
            through(live)
    assert [line.split()[0] for line in proxy.lines] == ["GET"]


def test_a_proxy_for_https(kind: str, tmp_path: Path) -> None:
    """Through TLS behind a CONNECT proxy the credentials reach the proxy, never the server."""
    with ConfigCatEmulator(tls=True) as cdn, connect_proxy() as proxy:
        cdn.set("color", "red")
        proxy.credentials = CREDENTIALS
        environment = {"REQUESTS_CA_BUNDLE": str(cdn.ca_file)}
        proxies = {"https": proxy.url.removeprefix("http://")}
        with living(
            kind,
            environment=environment,
            base_url=cdn.base_url,
            proxies=proxies,
            proxy_auth=LOGIN,
        ) as live:
            through(live)
        assert all(line.startswith("CONNECT ") for line in proxy.lines)
        (request,) = cdn.requests
        assert "proxy-authorization" not in request.headers
        assert "authorization" not in request.headers


def test_a_login_that_a_proxy_refuses(kind: str) -> None:
    """A proxy that does not let the client in is an error, without the password."""
    with connect_proxy() as proxy:
        proxy.credentials = "Basic other"
        proxies = {"https": proxy.url, "http": proxy.url}
        for base in ("https://cdn.example", "http://cdn.example"):
            with living(kind, base_url=base, proxies=proxies, proxy_auth=LOGIN) as live:
                assert live.refresh() in ([1101], [1103])
                assert "407" in live.told[0].text
                assert "pass" not in live.told[0].text


def test_a_proxy_that_refuses(kind: str) -> None:
    """A proxy that leads nowhere is 1103; neither its user nor its password is shown."""
    with (
        connect_proxy() as proxy,
        living(
            kind,
            base_url="https://cdn.example",
            proxies={"https": proxy.url.replace("http://", "http://user:hunter2@")},
        ) as live,
    ):
        assert live.refresh() == [1103]
        assert proxy.wanted == ["cdn.example"]
        text = repr(live.told) + repr(live.config.status)
        assert proxy.url.removeprefix("http://") in text
        assert "hunter2" not in text


def test_proxies_of_the_environment(
    kind: str, cdn: ConfigCatEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without proxies of its own a program uses those of the environment, but for NO_PROXY."""
    with connect_proxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "other.example")
        with living(kind, base_url="https://cdn.example") as live:
            live.refresh()
        with living(kind, base_url="https://other.example", connect_timeout_seconds=0.5) as live:
            live.refresh()
        with living(kind, base_url="https://cdn2.example", proxies={"https": ""}) as live:
            live.refresh()
        with living(kind, base_url="https://cdn3.example", proxies={"http": proxy.url}) as live:
            live.refresh()
        assert proxy.wanted == ["cdn.example", "cdn3.example"]


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_ca_of_ones_own(kind: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three variables name a CA; without one, the error says which variables to set."""
    with ConfigCatEmulator(tls=True) as cdn:
        cdn.set("color", "red")
        with living(kind, base_url=cdn.base_url) as live:
            assert live.refresh() == [1103]
            assert (
                "REQUESTS_CA_BUNDLE, else CURL_CA_BUNDLE, else SSL_CERT_FILE" in live.told[0].text
            )
            assert "verify=" not in live.told[0].text
        monkeypatch.setenv(variable, str(cdn.ca_file))
        environment = {variable: str(cdn.ca_file)}
        with living(kind, base_url=cdn.base_url, environment=environment) as live:
            through(live)


def test_a_ca_file_that_is_not_there(kind: str, cdn: ConfigCatEmulator) -> None:
    """A CA file that cannot be read is an error of the refresh, with its name."""
    environment = {"REQUESTS_CA_BUNDLE": "/nowhere/ca.pem"}
    with living(kind, base_url="https://127.0.0.1:1", environment=environment) as live:
        assert live.refresh() == [1103]
        assert "/nowhere/ca.pem" in live.told[0].text


@pytest.mark.parametrize(
    ("option", "wrong", "error"),
    [
        ("proxies", "http://user:hunter2@proxy:1", TypeError),
        ("proxies", {"https": "http://user:hunter2@proxy/with/path"}, ValueError),
        ("proxies", {"https": 8080}, TypeError),
        ("proxy_auth", ("user", "hunter2"), TypeError),
        ("proxy_auth", object(), TypeError),
    ],
)
def test_wrong_proxies_are_refused_at_once(option: str, wrong: Any, error: type[Exception]) -> None:
    """What is no proxy is told when the client is made, and not quoted."""
    with pytest.raises(error) as caught, living("sync", **{option: wrong}):
        pass
    assert "hunter2" not in str(caught.value)


def test_a_cache_serves_while_the_server_hangs() -> None:
    """A polling client gives what an expired entry of its cache says, if nothing better comes."""
    entry = Entry(json.dumps(v6(color="blue")), '"c"', 1.0, V6)
    cache = Shared()
    cache[cache_key_of(KEY, V6)] = to_payload(entry)
    with raw_server(silent) as text:
        client = create_client_with_auto_poll(
            KEY,
            base_url=base_of(text),
            config_cache=cache,
            max_init_wait_time_seconds=0.3,
            connect_timeout=1,
            read_timeout=1,
        )
        began = time.monotonic()
        assert client.get_value("color", "none") == "blue"
        assert 0.2 < time.monotonic() - began < 0.9
        client.stop()


def test_a_closed_configuration_says_nothing(
    kind: str, cdn: ConfigCatEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """A refresh that comes after close(), as in a race of threads, is no reason for a warning."""
    caplog.set_level(logging.INFO)
    with living(kind, base_url=cdn.base_url) as live:
        live.refresh()
        live.config.close()
        caplog.clear()
        assert not live.config.refresh(force=True)
        assert not live.config.refresh()
    ours = {"configcat", "appconfig_provider"}
    assert [one.getMessage() for one in caplog.records if one.name in ours] == []
