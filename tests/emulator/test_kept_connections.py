"""Every answer is whole, and its connection is kept or said to close, whatever went wrong."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from appconfig_provider.emulator import Role, Server, Store, create_app, endings, protocol
from appconfig_provider.emulator.control import Control
from appconfig_provider.emulator.tls import local_certificate
from appconfig_provider.testing import Emulator, Vault

SCHEMES = pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
HEAD = "{} HTTP/1.1\r\nHost: {}\r\n{}\r\n"
LARGE = 8_000_000
REFUSED = [("localhost", 401), ("evil.test", 403)]


@contextmanager
def serving(app: ASGIApp, tls: bool) -> Iterator[Server]:
    """A server of an application."""
    with Server(app, certificate=local_certificate() if tls else None) as server:
        yield server


@pytest.fixture
def broken() -> ASGIApp:
    """The application over a store that cannot be read any more."""
    store = Store()
    store.close()
    return create_app(store)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server wait for what a busy machine still has to send."""
    for module in (endings, protocol):
        monkeypatch.setattr(module, "LINGER_SECONDS", 30.0)


class Client:
    """One connection on which requests are sent letter by letter."""

    def __init__(self, endpoint: str) -> None:
        host, port = endpoint.rpartition("/")[2].rsplit(":", 1)
        with ExitStack() as undo:
            connection = undo.enter_context(socket.create_connection((host, int(port)), 10))
            if endpoint.startswith("https"):
                context = ssl.create_default_context(cafile=local_certificate().ca_file)
                connection = undo.enter_context(
                    context.wrap_socket(connection, server_hostname=host)
                )
            self.connection = connection
            self._undo = undo.pop_all()

    def send(self, what: str, host: str = "localhost", more: str = "", body: bytes = b"") -> None:
        """Send a request line with headers, and a body."""
        self.connection.sendall(HEAD.format(what, host, more).encode() + body)

    def answer(self, method: str = "GET") -> http.client.HTTPResponse:
        """The next answer, read to its end."""
        got = http.client.HTTPResponse(self.connection, method=method)
        got.begin()
        got.read()
        return got

    def rest(self) -> bytes:
        """All that comes until the other side has closed."""
        return b"".join(iter(lambda: self.connection.recv(65536), b""))

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()


@contextmanager
def client(endpoint: str) -> Iterator[Client]:
    """A connection to an endpoint."""
    with Client(endpoint) as connected:
        yield connected


async def raising(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that fails before it answers."""
    raise LookupError("the text of an exception")


async def breaking(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that fails in the middle of its answer."""
    headers = [(b"content-length", b"10")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"12345", "more_body": True})
    raise LookupError("half an answer")


@SCHEMES
@pytest.mark.parametrize("whole", [False, True])
def test_a_failure_keeps_the_connection(
    broken: ASGIApp, tls: bool, whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """After a 500 the same connection serves the next request, and the log has the reason."""
    with serving(broken if whole else raising, tls) as server, client(server.endpoint) as asking:
        for _ in range(3):
            asking.send("GET /kv", more="" if not whole else signed(server))
            answer = asking.answer()
            assert answer.status == 500
            assert answer.getheader("connection") is None
            assert answer.getheader("content-type", "").startswith("application/problem+json")
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(failures) == 3
    assert all(record.exc_info for record in failures)


def signed(server: Server) -> str:
    """The header lines of a signed request for a listing."""
    from .raw import Signer

    headers = Signer().sign("GET", "/kv", "localhost", b"")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != "host")


def test_half_an_answer_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    """An answer that cannot be finished ends with its connection, before its length is reached."""
    with serving(breaking, tls=False) as server, client(server.endpoint) as asking:
        asking.send("GET /kv")
        with pytest.raises(http.client.IncompleteRead):
            asking.answer()
    assert any(record.levelno >= logging.ERROR for record in caplog.records)


@SCHEMES
@pytest.mark.parametrize(("host", "status"), REFUSED)
@pytest.mark.parametrize("length", [5, LARGE])
def test_an_early_refusal_keeps_the_connection(
    tls: bool, host: str, status: int, length: int
) -> None:
    """Who is refused before the body was read may send it all the same, and ask again."""
    with Emulator(tls=tls) as store, client(store.endpoint) as asking:
        for _ in range(2):
            asking.send("PUT /kv/k", host, f"Content-Length: {length}\r\n")
            assert asking.answer().status == status
            asking.connection.sendall(b"x" * length)
        asking.send("PUT /kv/k", host, f"Content-Length: {length}\r\n", b"x" * length)
        assert asking.answer().status == status


@SCHEMES
@pytest.mark.parametrize(("host", "status"), REFUSED)
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_early_refusal_arrives(tls: bool, host: str, status: int, version: str) -> None:
    """Who is refused before the body was read, and closes, gets the answer and no reset."""
    head = f"PUT /kv/k HTTP/{version}\r\nHost: {host}\r\nContent-Length: {LARGE}\r\n"
    head += "Connection: close\r\n\r\n"
    with Emulator(tls=tls) as store, client(store.endpoint) as asking:
        asking.connection.sendall(head.encode() + b"x" * LARGE)
        got = asking.rest()
    assert got.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close\r\n" in got.lower() or version == "1.0"


@SCHEMES
def test_a_body_that_is_too_large_is_reported(tls: bool) -> None:
    """A body beyond what can be stored is a 413 that arrives, with a length or in chunks."""
    with Emulator(tls=tls, anonymous="owner") as store, client(store.endpoint) as asking:
        for _ in range(2):
            asking.send("PUT /kv/k", more=f"Content-Length: {LARGE}\r\n", body=b"x" * LARGE)
            assert asking.answer().status == 413
            chunk = f"{LARGE:x}\r\n".encode() + b"x" * LARGE + b"\r\n0\r\n\r\n"
            asking.send("PUT /kv/k", more="Transfer-Encoding: chunked\r\n", body=chunk)
            assert asking.answer().status == 413
        asking.send("GET /kv/k")
        assert asking.answer().status == 404


def waiting(length: int) -> str:
    """The headers of a client that waits for leave to send its body."""
    return f"Content-Type: application/json\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n"


@SCHEMES
def test_leave_to_send_a_body(tls: bool) -> None:
    """A client that waits for 100 is told to go on when its body is wanted, and kept."""
    with Emulator(tls=tls, anonymous="owner") as store, client(store.endpoint) as asking:
        for _ in range(2):
            asking.send("PUT /kv/k", more=waiting(2))
            assert asking.connection.recv(1000).startswith(b"HTTP/1.1 100 ")
            asking.connection.sendall(b"{}")
            assert asking.answer().status == 200


@SCHEMES
@pytest.mark.parametrize(("host", "status"), [*REFUSED, ("localhost", 413)])
@pytest.mark.parametrize("sent", [b"", b"{}", b"GET /kv HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_no_leave_to_send_a_body(tls: bool, host: str, status: int, sent: bytes) -> None:
    """A client that waits for 100 and is refused is told that its connection ends here."""
    length = 1_000_000 if status == 413 else 2
    owner: Role | None = "owner" if status == 413 else None
    with Emulator(tls=tls, anonymous=owner) as store, client(store.endpoint) as asking:
        asking.send("PUT /kv/k", host, waiting(length))
        answer = asking.answer()
        assert (answer.status, answer.getheader("connection")) == (status, "close")
        asking.connection.sendall(sent)
        if not tls:
            asking.connection.shutdown(socket.SHUT_WR)
            assert asking.rest() == b""


MALFORMED = [
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 500_000,
    b"PUT /kv/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n" + b"x" * 500_000,
    b"PUT /kv/k HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n" + b"x" * 500_000,
    b"GET /kv HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
]


@SCHEMES
@pytest.mark.parametrize("request_bytes", MALFORMED)
def test_a_malformed_request_is_reported(tls: bool, request_bytes: bytes) -> None:
    """What is not HTTP gets a 400 that says close, and no reset while it is still sending."""
    with Emulator(tls=tls) as store, client(store.endpoint) as asking:
        asking.connection.sendall(request_bytes)
        answer = asking.answer()
        assert (answer.status, answer.getheader("connection")) == (400, "close")
        assert answer.getheader("content-type", "").startswith("application/problem+json")
        if not tls:
            asking.connection.shutdown(socket.SHUT_WR)
            assert asking.rest() == b""


@SCHEMES
def test_a_body_that_goes_wrong(
    tls: bool, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body that turns out malformed ends its connection without a traceback in the log."""
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.1)
    chunked = "Transfer-Encoding: chunked\r\n"
    with Emulator(tls=tls, anonymous="owner") as store:
        with client(store.endpoint) as asking:  # while it is awaited
            asking.send("PUT /kv/k", more=chunked, body=b"zz\r\n\r\n")
            assert asking.answer().status == 400
        with client(store.endpoint) as asking:  # after the answer was given
            asking.send("PUT /kv/k", "evil.test", more=chunked)
            assert asking.answer().status == 403
            asking.connection.sendall(b"zz\r\n\r\n")
            assert asking.rest() == b""
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@SCHEMES
def test_every_server_answers_whole(tls: bool) -> None:
    """The control route and the vault refuse a body early without losing the answer, too."""
    large = f"Content-Length: {LARGE}\r\n"
    with ExitStack() as stack:
        store, control = (
            stack.enter_context(closing(Store())),
            stack.enter_context(closing(Control())),
        )
        server = stack.enter_context(serving(control.around(store, create_app), tls))
        asking = stack.enter_context(client(server.endpoint))
        asking.send("PUT /_control", more=large, body=b"x" * LARGE)
        assert asking.answer().status == 413
        asking.send("GET /_control")
        assert asking.answer().status == 200
    with Vault() as vault, client(vault.url) as asking:
        asking.send("PUT /secrets/x", more=large, body=b"x" * LARGE)
        assert asking.answer().status == 405
        asking.send("GET /secrets/x")
        assert asking.answer().status == 401


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET /kv HTTP/1.1\r\nHost: localhost\r\n\r\n", b"200"),
        ("PUT /kv/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", b"415"),
        ("PUT /kv/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{", None),
        ("GET /kv HTTP/1.1\r\nHost: loc", None),
    ],
)
def test_a_client_that_sends_no_more(request_text: str, status: bytes | None) -> None:
    """A whole request is answered after its client closed its side; part of one ends at once."""
    with Emulator(anonymous="owner") as store:
        store.set_many({f"k{number}": "x" * 1000 for number in range(100)})
        store.slow(0.2)
        address = ("127.0.0.1", int(store.endpoint.rpartition(":")[2]))
        for _ in range(2):
            with socket.create_connection(address, 10) as connection:
                connection.sendall(request_text.encode())
                connection.shutdown(socket.SHUT_WR)
                with connection.makefile("rb") as stream:
                    answer = stream.read()
            assert answer[9:12] == (status or b"")
            assert status != b"200" or answer.endswith(b"}")
