"""Connections: each serves one request at a time; here is decided which may serve another.

A driver keeps its idle connections here. httpcore's pool is not used: it goes through all of its
connections at every request, which with many workers takes longer than the request. A connection to
the store itself is a plain one of httpcore. Through a proxy it is a pool of one connection, because
httpcore's code for proxies is in its pools.

HTTP/1.1 matches answers to requests by their order alone. If a server sends more than one answer to
a request, the next request would read the rest as its own answer: answers are *displaced*. So a
connection on which anything is left, in the parser or on the socket, is closed. When that happens,
earlier answers of that server may have been displaced already. So the load that they belong to
begins again, and for a while each connection to that server serves only one request.
"""

from __future__ import annotations

import logging
import os
import re
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from threading import Thread, current_thread
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

import httpcore

from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._io.http import address_of
from appconfig_provider._io.network import Network

logger = logging.getLogger("appconfig_provider")

SINGLE_USE = 600.0
"""Seconds for which a connection serves only one request, after its server sent too much."""

MORE_THAN_ASKED = "sent more than it was asked for; for now its connections serve one request each"

WATCHED = 60.0
"""Seconds after its last answer for which an idle connection is checked for left-over bytes."""

_IDLE_TIMEOUT = re.compile(rb"HTTP/1\.[01] 408 ")
"""What some servers send before they close an idle connection. It is harmless, unlike other answers
that no request has asked for."""


class Backend(Protocol):
    """What opens the stream of a connection, for threads or for asyncio."""

    connected: bool
    """True once there was a connection to the server, or to a proxy."""

    def begin(self, seconds: float, /) -> None:
        """Prepare for a request that may take so many seconds. Nothing may wait to be read."""
        ...

    def unread(self) -> bytes | None:
        """Return the first bytes that wait to be read: None if none do, empty at the end."""
        ...

    def close(self) -> None:
        """Close what was opened."""
        ...


HttpT = TypeVar("HttpT")
BackendT = TypeVar("BackendT", bound=Backend)


@dataclass(slots=True, eq=False)
class Connection(Generic[HttpT, BackendT]):
    """A connection to a server, not necessarily open yet."""

    http: HttpT
    """httpcore's object, which speaks HTTP."""
    backend: BackendT
    """Our object, which has the socket."""
    keepalive: float
    """Seconds that it may be idle."""
    user: Thread | None = None
    """The thread that uses it, or used it last."""
    used_at: float = 0.0
    """When its last request ended, on the monotonic clock."""
    checked_after: float = 0.0
    """How many seconds after `used_at` it was last checked for left-over bytes."""

    def close(self) -> None:
        """Close the socket; httpcore's object is not used any more."""
        self.backend.close()

    @property
    def closed(self) -> bool:
        """True when it cannot serve another request."""
        http = self.http
        return http.is_closed() if isinstance(http, _BARE) else not http.connections  # type: ignore[attr-defined]  # a pool

    @property
    def expired(self) -> bool:
        """True when it was idle for too long, or is closed."""
        return monotonic() - self.used_at > self.keepalive or self.closed

    @property
    def left_over(self) -> bool:
        """True when the parser has bytes after the end of the answer, or cannot be asked."""
        parser = _parser(self.http)
        try:
            return parser is None or bool(parser.trailing_data[0])
        except AttributeError:
            return True


_BARE = (httpcore.HTTPConnection, httpcore.AsyncHTTPConnection)


def _inside(http: Any) -> Sequence[Any]:
    """Return httpcore's connection, or the one in a pool; nothing when that was closed."""
    return (http,) if isinstance(http, _BARE) else http.connections


def _parser(http: Any) -> Any:
    """Return the h11 parser inside httpcore's connection; None where it cannot be found.

    httpcore has no public way to it, so this uses private attributes. `left_over` is True when they
    are missing: then each connection serves one request, which is slow but safe.
    """
    inner: Any = next(iter(_inside(http)), None)
    while inner is not None and not hasattr(inner, "_h11_state"):
        inner = getattr(inner, "_connection", None)
    return getattr(inner, "_h11_state", None)


@dataclass(frozen=True, slots=True)
class ConnectionKinds(Generic[HttpT, BackendT]):
    """httpcore's classes for connections, for threads or for asyncio."""

    direct: Callable[..., HttpT]
    http_proxy: Callable[..., HttpT]
    socks_proxy: Callable[..., HttpT]
    backend: Callable[[], BackendT]

    def open(self, network: Network, origin: str) -> Connection[HttpT, BackendT]:
        """Return a new connection to an origin; it connects at its first request."""
        backend = self.backend()
        return Connection(self._http(network, origin, backend), backend, network.keepalive)

    def _http(self, network: Network, origin: str, backend: BackendT) -> HttpT:
        tls, keepalive = network.tls(origin), network.keepalive
        proxy = network.proxy_for(origin)
        if proxy is None:
            return self.direct(address_of(origin).origin, tls, keepalive, network_backend=backend)
        kind = self.socks_proxy if proxy.socks else self.http_proxy
        # The certificate of a proxy is checked by the same rules as that of a store.
        own = {"proxy_ssl_context": network.context()} if proxy.secure else {}
        return kind(
            proxy.url,
            proxy.auth,
            ssl_context=tls,
            max_connections=1,
            keepalive_expiry=keepalive,
            network_backend=backend,
            **own,
        )


class Connections(Generic[HttpT, BackendT]):
    """The connections of a driver.

    The idle connection that was used last is taken first, so that those beyond the usual need
    expire. Threads may take and keep at the same time: a deque pops and appends atomically.
    """

    def __init__(self) -> None:
        self._open: set[Connection[HttpT, BackendT]] = set()
        """Every connection that is not closed, idle or in use. Without it a connection that is in
        use when a call is interrupted could never be closed."""
        self._idle: dict[str, deque[Connection[HttpT, BackendT]]] = {}
        self._suspects: set[str] = set()
        """Origins that sent unsolicited bytes between two runs; the next `take` raises for them."""
        self._single_use: dict[str, float] = {}
        """By origin: until when its connections serve one request each."""
        self.closed = False

    def add(self, connection: Connection[HttpT, BackendT]) -> Connection[HttpT, BackendT]:
        """Register a new connection; called before it is used, in case the use is interrupted."""
        self._open.add(connection)
        connection.user = current_thread()
        return connection

    def in_use(self) -> list[Connection[HttpT, BackendT]]:
        """Return the connections that are not closed, once `close` has closed the idle ones."""
        return list(self._open)

    def drop(self, connection: Connection[HttpT, BackendT]) -> None:
        """Close a connection for good."""
        connection.close()
        self._open.discard(connection)

    def abandon(self) -> None:
        """Close every connection, also those in use: their event loop is closed."""
        for connection in list(self._open):
            self.drop(connection)
        self._idle.clear()

    def begin(self) -> None:
        """Prepare for a run: check idle connections, as bytes may have come since the last run."""
        self.end()
        for origin, idle in list(self._idle.items()):
            try:
                # All but the one that is taken first: `take` checks that one.
                self._verify(origin, list(idle)[:-1])
            except RequestFailed:
                self._suspects.add(origin)

    def end(self) -> None:
        """Close connections that an interrupted call has left in use.

        A worker thread may still be in the middle of a request; it closes its own connection then.
        """
        if len(self._open) == sum(map(len, self._idle.values())):
            return
        idle = set(chain.from_iterable(list(self._idle.values())))
        for connection in list(self._open):
            user = connection.user
            left_behind = user is not None and user.is_alive() and user is not current_thread()
            if connection not in idle and not left_behind:
                self.drop(connection)

    def take(self, origin: str) -> Connection[HttpT, BackendT] | None:
        """Return an idle connection on which nothing is left, if there is one.

        Raises:
            RequestFailed: the server sent unsolicited bytes.
        """
        if origin in self._suspects:
            self._suspects.discard(origin)
            raise RequestFailed(Kind.UNSOLICITED, origin, MORE_THAN_ASKED)
        while (connection := self._pop(origin)) is not None:
            if self._is_clean(origin, connection):
                connection.user = current_thread()
                return connection
        return None

    def _is_clean(self, origin: str, connection: Connection[HttpT, BackendT]) -> bool:
        """Tell whether a connection is open and nothing is left on it; drop it otherwise.

        Raises:
            RequestFailed: the server sent unsolicited bytes.
        """
        unread = b"" if connection.expired else connection.backend.unread()
        if unread is None:
            return True
        self.drop(connection)
        if unread and not _IDLE_TIMEOUT.match(unread):
            self.distrust(origin)
        return False

    def keep(self, origin: str, connection: Connection[HttpT, BackendT]) -> None:
        """Make a connection free for the next request, if it may serve another.

        Raises:
            RequestFailed: the server sent more than the answer.
        """
        if self.closed or connection.closed or self._is_single_use(origin):
            self.drop(connection)
        elif connection.left_over:
            self.drop(connection)
            self.distrust(origin)
        else:
            connection.used_at, connection.checked_after = monotonic(), 0.0
            self._idle.setdefault(origin, deque()).append(connection)
            # Another thread may have called `close` after the first line, and missed this one.
            if self.closed:
                self.close()

    def verify(self, origin: str) -> None:
        """Make sure that nothing is left on any connection to an origin that was used lately.

        Displaced answers may come late, so a connection is checked for `WATCHED` seconds.

        Raises:
            RequestFailed: the server sent unsolicited bytes.
        """
        self._verify(origin, list(self._idle.get(origin, ())))

    def _verify(self, origin: str, connections: list[Connection[HttpT, BackendT]]) -> None:
        now = monotonic() if connections else 0.0
        for connection in connections:
            age, checked_after = now - connection.used_at, connection.checked_after
            # Only when the age has doubled since the last check: this is called for every load, and
            # each check is a system call.
            if age <= WATCHED and age >= 2 * checked_after:
                connection.checked_after = age
                if not self._is_clean(origin, connection):
                    with suppress(ValueError):  # `distrust` may have removed all of them
                        self._idle[origin].remove(connection)

    def close(self) -> None:
        """Close the idle connections; `keep` closes those in use when their request is over."""
        self.closed = True
        for origin in list(self._idle):
            self._discard(origin)

    def _pop(self, origin: str) -> Connection[HttpT, BackendT] | None:
        try:
            return self._idle[origin].pop()
        except (KeyError, IndexError):
            return None

    def _discard(self, origin: str) -> None:
        while (connection := self._pop(origin)) is not None:
            self.drop(connection)

    def _is_single_use(self, origin: str) -> bool:
        return bool(self._single_use) and monotonic() < self._single_use.get(origin, 0.0)

    def distrust(self, origin: str) -> None:
        """Close the idle connections of an origin, and use each new one for one request only.

        Raises:
            RequestFailed: so that the job begins again. Not while connections are used for one
                request already: then nothing can have been displaced since.
        """
        self._discard(origin)
        if self._is_single_use(origin):
            return
        self._single_use[origin] = monotonic() + SINGLE_USE
        logger.warning("%s %s", origin, MORE_THAN_ASKED)
        raise RequestFailed(Kind.UNSOLICITED, origin, MORE_THAN_ASKED)


def close_at_the_end(driver: object, connections: Callable[[], None]) -> None:
    """Close the connections of a driver when it is collected, in case nobody has called `close`.

    Not in a forked child: there the connections are the parent's.
    """
    weakref.finalize(driver, _close_in, os.getpid(), connections)


def _close_in(process: int, close: Callable[[], None]) -> None:
    if os.getpid() == process:
        close()
