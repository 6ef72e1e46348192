"""The benchmark's server against the emulator: whoever is measured there would notice nothing."""

from __future__ import annotations

import asyncio
import base64
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest

from appconfig_provider._azure.rest.signing import access_key_signer
from appconfig_provider._plan import Request
from appconfig_provider.emulator import DEFAULT_ACCESS_KEY
from appconfig_provider.emulator.app import create_app
from appconfig_provider.emulator.model import Draft
from appconfig_provider.emulator.server import Server
from appconfig_provider.emulator.store import Store
from appconfig_provider.models import AccessKey

from .answers import PAGE_SIZE, Answers
from .server import running_store
from .serving import Connection, Service, key_of

pytestmark = pytest.mark.heavy

MATTERING = ("content-type", "content-length", "etag", "last-modified", "link", "sync-token")
SETTINGS = 2 * PAGE_SIZE + 50
LISTING = "/kv?api-version={version}&key={keys}&label=%00"
VERSIONS = ("2024-09-01", "2026-04-01", "1.0")
SIGN = access_key_signer(
    AccessKey(DEFAULT_ACCESS_KEY.id, base64.b64decode(DEFAULT_ACCESS_KEY.secret))
)


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer, reduced to what a client may go by."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def following(self) -> str | None:
        """The target of the next page."""
        return self.headers.get("link", "")[1:].partition(">")[0] or None


@dataclass(frozen=True, slots=True)
class Twins:
    """The emulator and the benchmark's server over one store, on these ports."""

    answers: Answers
    emulator: int
    benchmark: int

    def get(self, target: str, none_match: str | None = None) -> Seen:
        """Return the emulator's answer once the other one is known to be the same."""
        expected = _get(self.emulator, target, none_match)
        assert _get(self.benchmark, target, none_match) == expected
        return expected


@pytest.fixture
def twins() -> Iterator[Twins]:
    """Both servers, over a store of three pages and a sentinel."""
    store = Store()
    drafts = [
        Draft(key=key_of(number), value=f"text {number} \u2603") for number in range(SETTINGS)
    ]
    store.load([*drafts, Draft(key="sentinel", value="0"), Draft(key="a key/of words", value="1")])
    answers = Answers(store)
    with (
        Server(create_app(store, page_size=PAGE_SIZE)) as emulator,
        _serving(Service(answers)) as port,
    ):
        yield Twins(answers, emulator.port, port)


@contextmanager
def _serving(service: Service) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        loop.create_server(lambda: Connection(service), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def _get(port: int, target: str, none_match: str | None) -> Seen:
    signed = SIGN(Request("GET", f"http://127.0.0.1:{port}", target), time.time())
    headers = dict(signed) | ({} if none_match is None else {"If-None-Match": none_match})
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as client:
        client.request("GET", target, headers=headers)
        response = client.getresponse()
        body = response.read()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Seen(response.status, {name: found[name] for name in MATTERING if name in found}, body)


def _walk(twins: Twins, first: str) -> dict[str, Seen]:
    pages: dict[str, Seen] = {}
    target: str | None = first
    while target is not None:
        pages[target] = twins.get(target)
        target = pages[target].following
    return pages


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("keys", ["app%2F%2A", "app%2Fservice-3%2F%2A", "nothing", "sentinel"])
def test_listings_are_the_emulators(twins: Twins, keys: str, version: str) -> None:
    """Every page of a listing is the same, plain, with its own ETag and with another's."""
    pages = _walk(twins, LISTING.format(version=version, keys=keys))
    assert len(pages) == (3 if keys.startswith("app%2F%2A") else 1)
    for target, page in pages.items():
        assert page.status == 200
        assert twins.get(target, '"of another page"').status == 200
        assert twins.get(target, page.headers.get("etag")).status == (
            304 if "etag" in page.headers else 200
        )
    assert twins.answers.known == len(pages)


@pytest.mark.parametrize("key", ["sentinel", "a%20key%2Fof%20words", "missing"])
def test_single_settings_are_the_emulators(twins: Twins, key: str) -> None:
    """A setting, or its absence, is answered alike: plain, with its own ETag and with another."""
    target = f"/kv/{key}?api-version=2024-09-01"
    whole = twins.get(target)
    assert whole.status == (404 if key == "missing" else 200)
    assert twins.get(target, '"another"').status == whole.status
    if whole.status == 200:
        assert twins.get(target, whole.headers["etag"]).status == 304


def test_a_change_reaches_every_kept_answer(twins: Twins) -> None:
    """After a change the old ETag of its page and of the sentinel is stale, of others it is not."""
    before = _walk(twins, LISTING.format(version="2024-09-01", keys="app%2F%2A"))
    watched = "/kv/sentinel?api-version=2024-09-01"
    held = twins.get(watched).headers["etag"]
    last = max(key_of(number) for number in range(SETTINGS))
    twins.answers.change({last: "another value", "sentinel": "1"})
    statuses = [twins.get(target, page.headers["etag"]).status for target, page in before.items()]
    assert statuses == [304, 304, 200]
    moved = twins.get(watched, held)
    assert moved.status == 200
    assert moved.headers["sync-token"].endswith(f"sn={SETTINGS + 4}")


def test_the_process_serves_changes_and_delays() -> None:
    """The server's process counts what it serves, delays each answer, and takes new values."""
    with running_store(3) as store:
        port = int(store.connection.partition(";")[0].rpartition(":")[2])
        target = "/kv/sentinel?api-version=2024-09-01"
        first = _get(port, target, None)
        store.delay(0.05)
        begin = time.monotonic()
        assert _get(port, target, first.headers["etag"]).status == 304
        assert time.monotonic() - begin >= 0.05
        store.delay(0)
        store.change({"sentinel": "1"})
        assert _get(port, target, first.headers["etag"]).status == 200
        assert store.reported()["served"] == 3


def test_requests_that_come_in_pieces_are_answered_once_whole() -> None:
    """A head that arrives in two pieces is one request, and two heads at once are two."""
    store = Store()
    store.load([Draft(key="sentinel", value="0")])
    head = b"GET /kv/sentinel?api-version=1.0 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with (
        _serving(Service(Answers(store))) as port,
        socket.create_connection(("127.0.0.1", port), timeout=10) as client,
    ):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.sendall(head[:20])
        time.sleep(0.02)  # or the pieces may arrive as one
        client.sendall(head[20:] + head)
        received = b""
        while received.count(b'"sentinel"') < 2 and (piece := client.recv(65536)):
            received += piece
    assert received.count(b"HTTP/1.1 200 OK") == 2
