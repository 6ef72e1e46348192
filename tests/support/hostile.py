"""A store that answers well until it is told to answer badly, at a place and in a way of choice.

`ANSWERS` holds each defect by the place in the answer and its kind. A defect is a function that
writes to the client's connection; it gets the good answer, so that it can spoil a part of it.
"""

from __future__ import annotations

import gzip
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

from tests.support.raw_server import raw_server

DRIP = 0.05
"""Seconds between two bytes: far below any limit of a single read."""


@dataclass
class Client:
    """The connection that a bad answer goes to."""

    connection: socket.socket
    over: threading.Event
    good: bytes

    def send(self, content: bytes) -> None:
        """Send at once."""
        self.connection.sendall(content)

    def drip(self, piece: bytes) -> None:
        """Send a piece now and then, until the client gives up."""
        while not self.over.wait(DRIP):
            self.connection.sendall(piece)

    def pour(self, piece: bytes) -> None:
        """Send a piece again and again, as fast as it is taken."""
        while not self.over.is_set():
            self.connection.sendall(piece)

    def stop(self) -> None:
        """Say no more; wait until the client gives up."""
        with suppress(OSError):
            while not self.over.is_set() and self.connection.recv(65_536):
                pass

    @property
    def head(self) -> bytes:
        """The good answer up to its body."""
        return self.good.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        """The body of the good answer."""
        return self.good.partition(b"\r\n\r\n")[2]

    @property
    def chunked(self) -> bytes:
        """The head of the answer for a body in chunks."""
        return re.sub(rb"(?i)content-length: \d+", b"Transfer-Encoding: chunked", self.head)

    def sized(self, size: int) -> bytes:
        """The head of the answer for a body of another size."""
        return re.sub(rb"(?i)(content-length: )\d+", rb"\g<1>%d" % size, self.head)


Defect: TypeAlias = Callable[[Client], None]


def sends(content: Callable[[Client], bytes] | bytes) -> Defect:
    """Send something, and hang up."""
    return lambda to: to.send(content if isinstance(content, bytes) else content(to))


def then(
    content: Callable[[Client], bytes] | bytes, go_on: Callable[[Client, bytes], None], piece: bytes
) -> Defect:
    """Send something, and go on with a piece: again and again, or now and then."""

    def do(to: Client) -> None:
        sends(content)(to)
        go_on(to, piece)

    return do


def stops(content: Callable[[Client], bytes] | bytes) -> Defect:
    """Send something, and say no more."""

    def do(to: Client) -> None:
        sends(content)(to)
        to.stop()

    return do


_LINE = b"HTTP/1.1 200 OK"
_HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
_DEEP = b'{"items":' + b"[" * 100_000
_BOMB = gzip.compress(b"0" * (80 * 1024 * 1024))


def _packed(body: bytes) -> Callable[[Client], bytes]:
    return lambda to: to.sized(len(body)) + b"\r\nContent-Encoding: gzip\r\n\r\n" + body


def _whole(body: bytes) -> Callable[[Client], bytes]:
    return lambda to: to.sized(len(body)) + b"\r\n\r\n" + body


ANSWERS: dict[tuple[str, str], Defect] = {
    ("nothing", "stop"): stops(b""),
    ("nothing", "framing"): sends(b""),
    ("status line", "drip"): then(_LINE, Client.drip, b"K"),
    ("status line", "stop"): stops(b"HTTP/1.1 2"),
    ("status line", "oversize"): then(_LINE, Client.pour, b"K" * 65_536),
    ("status line", "framing"): sends(b"HTTP/1.1 abc\r\n\r\n"),
    ("status line", "bytes"): sends(b"\x00\xff\x16\x03\x01" * 100 + b"\r\n\r\n"),
    ("header", "drip"): then(_LINE + b"\r\nX-Long: ", Client.drip, b"x"),
    ("header", "stop"): stops(_LINE + b"\r\nX-Long: "),
    ("header", "oversize"): then(_LINE + b"\r\n", Client.pour, b"X-A: b\r\n" * 8_192),
    ("header", "framing"): sends(_LINE + b"\r\nno colon here\r\n\r\n"),
    ("header", "bytes"): sends(_LINE + b"\r\nX\xff\x00: \x00\x7f\r\n\r\n"),
    ("interim answer", "drip"): then(b"", Client.drip, _HINT),
    ("interim answer", "stop"): stops(_HINT),
    ("interim answer", "oversize"): then(b"", Client.pour, _HINT * 1_000),
    ("body", "drip"): then(lambda to: to.sized(10**6) + b"\r\n\r\n", Client.drip, b" "),
    ("body", "stop"): stops(lambda to: to.good[:-2]),
    ("body", "oversize"): then(
        lambda to: to.sized(10**12) + b"\r\n\r\n", Client.pour, b" " * 65_536
    ),
    ("body", "framing"): sends(lambda to: to.good[:-2]),
    ("body", "bytes"): sends(_whole(b"\xff\xfe\x00{" * 10)),
    ("body", "depth"): sends(_whole(_DEEP)),
    ("packed body", "oversize"): sends(_packed(_BOMB)),
    ("packed body", "bytes"): sends(_packed(b"this is not gzip")),
    ("chunk", "drip"): then(lambda to: to.chunked + b"\r\n\r\n", Client.drip, b"1\r\n \r\n"),
    ("chunk", "stop"): stops(lambda to: to.chunked + b"\r\n\r\nffff\r\n{"),
    ("chunk", "oversize"): then(
        lambda to: to.chunked + b"\r\n\r\n", Client.pour, b"10000\r\n" + b" " * 65_536 + b"\r\n"
    ),
    ("chunk", "framing"): sends(lambda to: to.chunked + b"\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
    ("chunk extension", "drip"): then(lambda to: to.chunked + b"\r\n\r\n1;a=", Client.drip, b"x"),
    ("chunk extension", "oversize"): then(
        lambda to: to.chunked + b"\r\n\r\n1;a=", Client.pour, b"x" * 65_536
    ),
    ("trailer", "drip"): then(
        lambda to: to.chunked + b"\r\n\r\n1\r\n{\r\n0\r\nX-T: ", Client.drip, b"x"
    ),
    ("trailer", "stop"): stops(lambda to: to.chunked + b"\r\n\r\n1\r\n{\r\n0\r\nX-T: "),
    ("trailer", "oversize"): then(
        lambda to: to.chunked + b"\r\n\r\n1\r\n{\r\n0\r\n", Client.pour, b"X-T: u\r\n" * 8_192
    ),
}
"""Answers after which the endpoint counts as failed."""

STRAY: dict[str, bytes] = {
    "304": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "200": b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + b'{"items":[]}',
    "blank": b"\r\n\r\n",
    "garbage": b"\x00",
}
"""What follows a good answer though nobody asked."""


@dataclass
class Hostile:
    """What the server does; `armed` makes it answer badly."""

    upstream: int
    """The port of the store that gives the good answers."""
    defect: Defect | None = None
    behind: bytes = b""
    """What follows each good answer."""
    displaced: bytes = b""
    """One request with this in it is answered with a 304, and half a second later with its page."""
    pace: float = 0.0
    """Seconds that each answer takes."""
    late: float = 0.0
    """Seconds after which it follows."""
    tls: ssl.SSLContext | None = None
    upstream_tls: bool = False
    spoilt: int = 0
    """Bad answers begun."""
    used_again: int = 0
    """Requests that came over a connection after its bad answer."""
    port: int = 0

    def serve(self, connection: socket.socket, over: threading.Event) -> None:
        """Serve one connection."""
        if self.tls is None:
            self._converse(connection, over)
            return
        with suppress(ssl.SSLError), self.tls.wrap_socket(connection, server_side=True) as secret:
            self._converse(secret, over)

    def _converse(self, connection: socket.socket, over: threading.Event) -> None:
        with self._store() as store:
            while request := read_head(connection):
                store.sendall(request)
                good = _read_answer(store)
                time.sleep(self.pace)
                if self.defect is None:
                    if self.displaced and self.displaced in request:
                        self.displaced = b""
                        connection.sendall(STRAY["304"])
                        time.sleep(0.5)
                    self._answer(connection, good)
                    continue
                self.spoilt += 1
                self.defect(Client(connection, over, good))
                if read_head(connection):
                    self.used_again += 1
                return

    def _store(self) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.upstream))
        if not self.upstream_tls:
            return plain
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        return trusting.wrap_socket(plain)

    def _answer(self, connection: socket.socket, good: bytes) -> None:
        if self.late:
            connection.sendall(good)
            time.sleep(self.late)
            connection.sendall(self.behind)
        else:
            connection.sendall(good + self.behind)


def read_head(connection: socket.socket) -> bytes:
    """Return a request without a body; nothing when the client has hung up."""
    head = b""
    while b"\r\n\r\n" not in head:
        more = connection.recv(65_536)
        if not more:
            return b""
        head += more
    return head


def _read_answer(store: socket.socket) -> bytes:
    answer = read_head(store)
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", answer)
    end = answer.index(b"\r\n\r\n") + 4
    if length and not answer.startswith(b"HTTP/1.1 304"):
        end += int(length[1])
    while len(answer) < end:
        answer += store.recv(65_536)
    return answer


@contextmanager
def hostile(upstream: int, tls: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """Run the server on loopback, before a store on another port."""
    server = Hostile(upstream, tls=tls)
    with raw_server(server.serve) as where:
        server.port = int(re.findall(r":(\d+);", where)[0])
        yield server
