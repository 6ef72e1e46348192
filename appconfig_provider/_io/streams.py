"""Sockets for threads: no step of a request takes longer than the request's deadline allows.

Each connection has a backend of its own, which opens one stream. When that fails, the backend
closes what it has opened, also when a signal handler raises an exception in the middle.
"""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress
from time import monotonic
from typing import Any, TypeAlias, TypeVar

import httpcore

from appconfig_provider._io.deadlines import Deadline, DeadlinePassed
from appconfig_provider._io.tls import RECORD_SIZE, TlsSession, Transfer

T = TypeVar("T")

PEEK = 64
"""Bytes that are read of what waits. httpcore does not get them, but the connection is closed."""

_PROBE = 1.0
"""Seconds of the deadline while `unread` reads what has come already, which does not wait."""

AnySocket: TypeAlias = "socket.socket | TlsInTls"


class Unsolicited(Exception):
    """A server sent something before the first request: its answers may be displaced."""


class TlsInTls:
    """TLS to a store inside the TLS connection to a proxy; it has the methods of a socket."""

    def __init__(self, outer: ssl.SSLSocket, session: TlsSession, deadline: Deadline) -> None:
        self.outer = outer
        self._session = session
        self._deadline = deadline
        self._timeout: float | None = None
        self.fileno = outer.fileno
        self.close = outer.close
        self.ssl_object = session.ssl_object

    def settimeout(self, seconds: float) -> None:
        """Limit each receive and send by so many seconds, and by the deadline."""
        self._timeout = seconds

    def do_handshake(self) -> None:
        """Do the TLS handshake with the store, which checks its certificate."""
        self._carry(self._session.handshake())

    def recv(self, max_bytes: int) -> bytes:
        """Return what came next, nothing at the end."""
        return self._carry(self._session.read(max_bytes))

    def send(self, content: bytes) -> int:
        """Send all of it; return its length."""
        return self._carry(self._session.write(content))

    def pending(self) -> int:
        """Return how many bytes were received and not read yet."""
        return self._session.pending + self.outer.pending()

    def _carry(self, transfer: Transfer[T]) -> T:
        """Send and receive for a transfer; each step is limited by what is left of the deadline."""
        received = b""
        try:
            to_send = next(transfer)
            while True:
                self.outer.settimeout(self._deadline.limit(self._timeout))
                if to_send is None:
                    received = self.outer.recv(RECORD_SIZE)
                else:
                    self.outer.sendall(to_send)
                to_send = transfer.send(received)
        except StopIteration as stop:
            result: T = stop.value
            return result


class Stream(httpcore.NetworkStream):
    """A connection to a server, plain or by TLS; `start_tls` changes it in place."""

    def __init__(self, raw: socket.socket, deadline: Deadline) -> None:
        self._socket: AnySocket = raw
        self._deadline = deadline
        self._asked = False
        """True once a request was sent. Before the first one `write` checks that nothing waits to
        be read; before later ones `Connections.take` does."""

    def connect(self, address: Any, seconds: float) -> None:
        """Connect the socket, and have it send at once (no Nagle's algorithm)."""
        if isinstance(self._socket, socket.socket):
            self._socket.settimeout(seconds)
            self._socket.connect(address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what came next, nothing at the end."""
        self._socket.settimeout(self._deadline.limit(timeout))
        try:
            return self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise self._too_late(httpcore.ReadTimeout) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send everything.

        Raises:
            Unsolicited: the server sent something before the first request.
        """
        if buffer and not self._asked:
            if self.unread():
                raise Unsolicited("something came before it was asked for")
            self._asked = True
        try:
            while buffer:
                self._socket.settimeout(self._deadline.limit(timeout))
                buffer = buffer[self._socket.send(buffer) :]
        except DeadlinePassed:
            raise
        except TimeoutError as error:
            raise self._too_late(httpcore.WriteTimeout) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def unread(self) -> bytes | None:
        """Return the first bytes that wait to be read: None if none do, empty at the end."""
        if not self._readable():
            return None
        try:
            # Read, not peeked at: TLS cannot tell what has come without reading it.
            self._socket.settimeout(0)
            return self._socket.recv(PEEK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None  # only bytes of TLS itself had come, such as a session ticket
        except DeadlinePassed:
            raise
        except OSError:
            return b""

    def interrupt(self) -> None:
        """End what another thread does with the socket: it reads the end, and closes the socket."""
        inner = self._socket
        raw = inner.outer if isinstance(inner, TlsInTls) else inner
        # Not the method of an SSLSocket: after that the other thread would read what came as if it
        # was not encrypted. An error says that the socket is not connected yet, or closed already.
        with suppress(OSError):
            socket.socket.shutdown(raw, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket; nothing is sent any more."""
        with suppress(OSError):
            self._socket.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> Stream:
        """Start TLS; on a TLS connection to a proxy, start a second TLS inside of it."""
        try:
            if isinstance(self._socket, ssl.SSLSocket):
                session = TlsSession(ssl_context, server_hostname)
                self._socket = TlsInTls(self._socket, session, self._deadline)
            elif isinstance(self._socket, socket.socket):
                # Assigned before the handshake, so that `close` finds it when that is interrupted.
                self._socket = ssl_context.wrap_socket(
                    self._socket, server_hostname=server_hostname, do_handshake_on_connect=False
                )
            self._socket.settimeout(self._deadline.limit(timeout))
            self._handshake()
        except DeadlinePassed:
            self.close()
            raise
        except TimeoutError as error:
            self.close()
            raise self._too_late(httpcore.ConnectTimeout) from error
        except (OSError, ValueError) as error:
            self.close()
            raise httpcore.ConnectError(str(error)) from error
        except BaseException:
            self.close()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks for: the TLS object."""
        if info == "ssl_object":
            inner = self._socket
            return inner.ssl_object if isinstance(inner, TlsInTls) else self._tls()
        # httpcore also asks "is_readable" before each request; `unread` has answered that already.
        return None

    def _tls(self) -> ssl.SSLSocket | None:
        return self._socket if isinstance(self._socket, ssl.SSLSocket) else None

    def _handshake(self) -> None:
        if isinstance(self._socket, TlsInTls | ssl.SSLSocket):
            self._socket.do_handshake()

    def _readable(self) -> bool:
        """Tell whether a read would not wait: something came, or the end."""
        pending = getattr(self._socket, "pending", None)  # only sockets of TLS have it
        return (pending is not None and pending() > 0) or is_readable(self._socket.fileno())

    def _too_late(self, kind: type[Exception]) -> Exception:
        if self._deadline.passed:
            return DeadlinePassed("the time allowed is used up")
        return kind("no answer in time")


class Backend(httpcore.NetworkBackend):
    """Opens the stream of one connection."""

    def __init__(self) -> None:
        self.deadline = Deadline()
        self.stream: Stream | None = None
        self.connected = False
        self._opening: socket.socket | None = None

    def begin(self, seconds: float) -> None:
        """Prepare for a request that may take so many seconds in all."""
        self.deadline.begin(seconds)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: object = None,  # noqa: ARG002 - the same
    ) -> Stream:
        """Connect to the first address of a host that answers; each gets its share of the time."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            until = monotonic() + self.deadline.limit(timeout)
            return self._first_connected(found, until)
        except DeadlinePassed:
            raise
        except TimeoutError as error:
            if self.deadline.passed:
                raise DeadlinePassed("the time allowed is used up") from error
            raise httpcore.ConnectTimeout(f"no connection to {host} in time") from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error

    def unread(self) -> bytes | None:
        """Return what the stream returns; empty, as at the end, when there is no stream."""
        self.begin(_PROBE)
        return b"" if self.stream is None else self.stream.unread()

    def interrupt(self) -> None:
        """End the request of another thread: no step of it waits any longer, or begins."""
        self.deadline.end()
        if self.stream is not None:
            self.stream.interrupt()

    def close(self) -> None:
        """Close what was opened, however far it got."""
        if self.stream is not None:
            self.stream.close()
        if self._opening is not None:
            self._opening.close()

    def _first_connected(self, found: list[Any], until: float) -> Stream:
        last: OSError = OSError("the host has no address")
        for place, (family, kind, protocol, _, address) in enumerate(found):
            share = (until - monotonic()) / (len(found) - place)
            if share <= 0:
                break
            try:
                return self._connected((family, kind, protocol), address, share)
            except OSError as error:
                last = error
        raise last

    def _connected(self, how: tuple[int, int, int], address: Any, seconds: float) -> Stream:
        # Each is assigned before the next step, so that `close` finds it when that is interrupted.
        raw = self._opening = socket.socket(*how)
        try:
            self.stream = Stream(raw, self.deadline)
            # Asked once more, now that `interrupt` finds the socket.
            self.stream.connect(address, self.deadline.limit(seconds))
        except BaseException:
            raw.close()
            raise
        self.connected = True
        return self.stream


def is_readable(fileno: int) -> bool:
    """Tell whether a read of a socket would return at once; True also for one that is closed."""
    if fileno < 0:
        return True
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([fileno], [], [], 0)[0])
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))
