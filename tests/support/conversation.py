"""A server that gives the answers it was told to give, in turn, and keeps what it was sent."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.support.raw_server import raw_server

HANG_UP = b""
"""In place of an answer: close the connection, without waiting for a request."""

LEAVE = b"leave"
"""In place of an answer: take the request, and close the connection without a word."""

KEY = b'{"key":"s","value":"v","etag":"1"}'
PAGE = b'{"items":[{"key":"k","label":null,"value":"v","content_type":null,"tags":{}}]}'


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """Return an answer whose length is in its first header."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", 'ETag: "1"', *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Heard(NamedTuple):
    """A request, byte by byte, and the number of the connection it came over."""

    connection: int
    request: bytes

    @property
    def lines(self) -> list[str]:
        """The request line by line, without what differs from time to time."""
        reported = re.sub(
            r"(?m)^(x-ms-date: |authorization: .*Signature=)[^\r]*", r"\1...", self.text
        )
        return reported.split("\r\n")

    @property
    def text(self) -> str:
        """The request as text; every byte is one character."""
        return self.request.decode("latin-1")


@dataclass
class Conversation:
    """What will be said, and what was heard; `tls` is spoken if there is a context."""

    answers: deque[bytes]
    tls: ssl.SSLContext | None = None
    heard: list[Heard] = field(default_factory=list)
    protocols: list[str | None] = field(default_factory=list)
    """What every TLS connection agreed on."""
    connections: int = 0
    hung_up: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released each time the server has closed a connection by itself."""

    def serve(self, connection: socket.socket, over: threading.Event) -> None:
        """Answer the requests of a connection."""
        self.connections += 1
        number = self.connections
        if self.tls is None:
            self._converse(connection, number)
            return
        with self.tls.wrap_socket(connection, server_side=True) as secret:
            self.protocols.append(secret.selected_alpn_protocol())
            self._converse(secret, number)

    def _converse(self, connection: socket.socket, number: int) -> None:
        while request := _read_request(connection):
            self.heard.append(Heard(number, request))
            said = self.answers.popleft()
            if said == LEAVE:
                return
            connection.sendall(said)
            if self.answers and self.answers[0] == HANG_UP:
                self.answers.popleft()
                connection.shutdown(socket.SHUT_RDWR)
                self.hung_up.release()
                return


def _read_request(connection: socket.socket) -> bytes:
    """Return one whole request, or nothing when the client has hung up."""
    request = b""
    while b"\r\n\r\n" not in request:
        more = connection.recv(65_536)
        if not more:
            return b""
        request += more
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", request)
    end = request.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(request) < end:
        request += connection.recv(65_536)
    return request


@contextmanager
def conversing(
    *answers: bytes, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, Conversation]]:
    """Run a server on loopback; yield a connection string and what it hears."""
    conversation = Conversation(deque(answers), tls)
    with raw_server(conversation.serve) as where:
        named = "http://127.0.0.1" if tls is None else "https://localhost"
        yield where.replace("http://127.0.0.1", named), conversation
