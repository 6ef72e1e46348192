"""Sockets for asyncio, without asyncio's transports.

A transport reads ahead, so bytes that nobody asked for would be in its buffer, where they cannot be
seen; and it must be closed on its own loop. A socket can be checked for waiting bytes, and closed
anywhere, also after its loop has ended. Time limits are cancel scopes; the driver puts one around
the whole request.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar

import anyio
import httpcore

from appconfig_provider._io.streams import PEEK, Unsolicited, is_readable
from appconfig_provider._io.tls import RECORD_SIZE, TlsSession, Transfer

T = TypeVar("T")

STAGGER = 0.25
"""Seconds after which the next address of a host is tried beside the one before (RFC 8305)."""

USUAL_READS = 2
"""How many reads a short answer needs. These are done without a pause, which costs time."""


class AsyncStream(httpcore.AsyncNetworkStream):
    """A connection to a server, plain or by TLS; `start_tls` changes it in place."""

    def __init__(self, raw: socket.socket) -> None:
        self._socket = raw
        self._sessions: tuple[TlsSession, ...] = ()
        """The TLS sessions that bytes go through, the innermost first; two behind a TLS proxy."""
        self._asked = False
        """True once a request was sent. Before the first one `write` checks that nothing waits to
        be read; before later ones `Connections.take` does."""
        self._reads = 0

    def begin(self) -> None:
        """Expect another answer."""
        self._reads = 0

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return what came next, nothing at the end."""
        self._reads += 1
        if self._reads > USUAL_READS:
            # A read of bytes that are there already does not give control to the event loop. A
            # server that sends without end would stop all other tasks, and our own timeout.
            await asyncio.sleep(0)
        step = self._receive(max_bytes, self._sessions)
        return await _limited(step, timeout, httpcore.ReadTimeout, httpcore.ReadError)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send everything.

        Raises:
            Unsolicited: the server sent something before the first request.
        """
        if not buffer:
            return
        if not self._asked:
            if self.unread():
                raise Unsolicited("something came before it was asked for")
            self._asked = True
        step = self._send(buffer, self._sessions)
        await _limited(step, timeout, httpcore.WriteTimeout, httpcore.WriteError)

    def unread(self) -> bytes | None:
        """Return the first bytes that wait to be read: None if none do, empty at the end."""
        if not self._sessions and not is_readable(self._socket.fileno()):
            return None
        try:
            return _at_once(self._socket, self._sessions, PEEK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return None
        except OSError:
            return b""

    async def aclose(self) -> None:
        """Close the socket; nothing is sent any more."""
        self.close()

    def close(self) -> None:
        """Close the socket; may be called from any thread, also when the loop has ended."""
        with suppress(OSError):
            self._socket.close()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> AsyncStream:
        """Start TLS; on a TLS connection to a proxy, start a second TLS inside of it."""
        try:
            session = TlsSession(ssl_context, server_hostname)
            step = self._carry(session.handshake(), self._sessions)
            await _limited(step, timeout, httpcore.ConnectTimeout, httpcore.ConnectError)
        except BaseException:
            self.close()
            raise
        self._sessions = (session, *self._sessions)
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return what httpcore asks for: the TLS object."""
        if info == "ssl_object":
            return self._sessions[0].ssl_object if self._sessions else None
        # httpcore also asks "is_readable" before each request; `unread` has answered that already.
        return None

    async def _receive(self, max_bytes: int, sessions: tuple[TlsSession, ...]) -> bytes:
        if not sessions:
            return await asyncio.get_running_loop().sock_recv(self._socket, max_bytes)
        return await self._carry(sessions[0].read(max_bytes), sessions[1:])

    async def _send(self, content: bytes, sessions: tuple[TlsSession, ...]) -> None:
        if not sessions:
            await asyncio.get_running_loop().sock_sendall(self._socket, content)
        else:
            await self._carry(sessions[0].write(content), sessions[1:])

    async def _carry(self, transfer: Transfer[T], outer: tuple[TlsSession, ...]) -> T:
        """Send and receive for a transfer, through the outer TLS sessions and the socket."""
        received = b""
        try:
            to_send = next(transfer)
            while True:
                if to_send is None:
                    received = await self._receive(RECORD_SIZE, outer)
                else:
                    await self._send(to_send, outer)
                to_send = transfer.send(received)
        except StopIteration as stop:
            result: T = stop.value
            return result


class AsyncBackend(httpcore.AsyncNetworkBackend):
    """Opens the stream of one connection."""

    def __init__(self) -> None:
        self.stream: AsyncStream | None = None
        self.connected = False

    def begin(self, _seconds: float) -> None:
        """Prepare for a request; the time is limited by the driver's cancel scope."""
        if self.stream is not None:
            self.stream.begin()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's signature
        socket_options: object = None,  # noqa: ARG002 - the same
    ) -> AsyncStream:
        """Connect to the address of a host that answers first."""
        step = self._connect(host, port)
        return await _limited(step, timeout, httpcore.ConnectTimeout, httpcore.ConnectError)

    def unread(self) -> bytes | None:
        """Return what the stream returns; empty, as at the end, when there is no stream."""
        return b"" if self.stream is None else self.stream.unread()

    async def _connect(self, host: str, port: int) -> AsyncStream:
        self.stream = AsyncStream(await _first_connected(await _addresses(host, port)))
        self.connected = True
        return self.stream

    def close(self) -> None:
        """Close what was opened; may be called from any thread, also when the loop has ended."""
        if self.stream is not None:
            self.stream.close()


async def _limited(
    step: Awaitable[T], timeout: float | None, late: type[Exception], broken: type[Exception]
) -> T:
    """Await a step for so many seconds at most; raise its errors as httpcore's."""
    try:
        with anyio.fail_after(timeout):
            result = await step
    except TimeoutError as error:
        raise late("no answer in time") from error
    except (OSError, ValueError) as error:
        raise broken(str(error)) from error
    return result


def _at_once(raw: socket.socket, sessions: tuple[TlsSession, ...], max_bytes: int) -> bytes:
    """Read what has come, without waiting; raise `BlockingIOError` when nothing has."""
    if not sessions:
        return raw.recv(max_bytes)
    transfer = sessions[0].read(max_bytes)
    try:
        to_send = next(transfer)
        while True:
            if to_send is not None:
                raise ConnectionError("TLS itself wants an answer; not worth it")
            to_send = transfer.send(_at_once(raw, sessions[1:], RECORD_SIZE))
    except StopIteration as stop:
        first: bytes = stop.value
        return first


async def _addresses(host: str, port: int) -> list[Any]:
    try:
        # An IP address needs no look-up. That of the event loop would start a thread.
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    try:
        loop = asyncio.get_running_loop()
        return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except RuntimeError as error:  # no thread can be started
        raise OSError(f"{host} cannot be looked up: {error}") from error


async def _first_connected(found: list[Any]) -> socket.socket:
    """Connect to the addresses, each `STAGGER` seconds after the one before, or when that failed.

    The first that connects is returned; the others are closed.
    """
    if len(found) == 1:
        return await _connected(found[0])
    connected: list[socket.socket] = []
    failed: list[Exception] = []
    try:
        async with anyio.create_task_group() as group:

            async def attempt(address: Any, over: anyio.Event) -> None:
                try:
                    connected.append(await _connected(address))
                    group.cancel_scope.cancel()
                except Exception as error:
                    failed.append(error)
                    over.set()

            for address in found:
                over = anyio.Event()
                group.start_soon(attempt, address, over)
                with anyio.move_on_after(STAGGER):
                    await over.wait()
    except BaseException:
        _close_all(connected)
        raise
    _close_all(connected[1:])
    if not connected:
        raise OSError(str(failed[0]) if failed else "the host has no address")
    return connected[0]


def _close_all(sockets: list[socket.socket]) -> None:
    for raw in sockets:
        raw.close()


async def _connected(address: Any) -> socket.socket:
    family, kind, protocol, _, place = address
    raw = socket.socket(family, kind, protocol)
    try:
        raw.settimeout(0)
        await asyncio.get_running_loop().sock_connect(raw, place)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        raw.close()
        raise
    return raw
