"""TLS without a socket; the caller sends and receives its bytes.

asyncio uses it, and threads use it for TLS inside the TLS connection to a proxy.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Generator
from functools import partial
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Transfer: TypeAlias = Generator["bytes | None", bytes, T]
"""Yields bytes that the caller is to send, or None when it is to receive and pass the bytes to
`send()`. The return value is the result."""

RECORD_SIZE = 16 * 1024
"""Bytes of the longest TLS record. The caller receives no more than that at once."""


class TlsSession:
    """One TLS connection as the client sees it."""

    __slots__ = ("_incoming", "_outgoing", "ssl_object")

    def __init__(self, context: ssl.SSLContext, hostname: str | None) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.ssl_object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=hostname)

    @property
    def pending(self) -> int:
        """Bytes that were received and not read yet."""
        return self.ssl_object.pending() + self._incoming.pending

    def handshake(self) -> Transfer[None]:
        """Do the handshake with the server, which checks its certificate."""
        return self._transfer(self.ssl_object.do_handshake)

    def read(self, max_bytes: int) -> Transfer[bytes]:
        """Return the next bytes; empty at the end, even if the server did not announce it."""
        try:
            return (yield from self._transfer(partial(self.ssl_object.read, max_bytes)))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, content: bytes) -> Transfer[int]:
        """Send all of `content`; return its length."""
        sent = 0
        while sent < len(content):
            rest = content[sent:]
            sent += yield from self._transfer(partial(self.ssl_object.write, rest))
        return sent

    def _transfer(self, step: Callable[[], T]) -> Transfer[T]:
        while True:
            done: list[T] = []
            try:
                done.append(step())
            except ssl.SSLWantReadError:
                pass
            finally:
                # Also when the step fails: then this is the alert that tells the server why.
                to_send = self._outgoing.read()
            if to_send:
                yield to_send
            if done:
                return done[0]
            received = yield None
            if received:
                self._incoming.write(received)
            else:
                self._incoming.write_eof()
