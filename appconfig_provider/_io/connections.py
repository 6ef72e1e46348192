"""Connections: what serves one request at a time, and which of them may serve another.

A driver keeps the connections that are idle. One pool for many workers would look through all of
them for every request, which costs more than the request. A connection to the store itself is
httpcore's bare one; through a proxy it is a pool of one, which knows how to speak to proxies.

An answer belongs to the request before it only as long as nothing else came on its connection. So
one with anything left on it, in the parser or on the socket, serves no more. Where it was found,
answers before it may have been misplaced: the load they belong to begins again, and for a while
connections to that server serve one request each.
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
"""Seconds for which connections to a server that sent more than was asked for serve one request."""


MORE_THAN_ASKED = "sent more than it was asked for; for now its connections serve one request each"

WATCHED = 60.0
"""Seconds after its last answer in which a connection may show that answers were displaced."""

_GOODBYE = re.compile(rb"HTTP/1\.[01] 408 ")
"""How some servers end a connection that was idle: an answer without a request."""


class Backend(Protocol):
    """What opens the stream of a connection, for threads or for asyncio."""

    connected: bool
    """True once a server, or a proxy, took the connection."""

    def begin(self, seconds: float, /) -> None:
        """Prepare for a request that may take so many seconds; nothing waits to be read."""
        ...

    def unread(self) -> bytes | None:
        """Return the beginning of what waits to be read: None is nothing, empty is the end."""
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
    """httpcore's side, which knows HTTP."""
    backend: BackendT
    """Our side, which knows sockets."""
    keepalive: float
    """Seconds that it may be idle."""
    user: Thread | None = None
    """The thread that uses it, or used it last."""
    used_at: float = 0.0
    """When it was kept for another request, on the monotonic clock."""
    looked_at: float = 0.0
    """Seconds after that when somebody looked whether anything had come since."""

    def close(self) -> None:
        """Close the socket; httpcore's side is not used any more."""
        self.backend.close()

    @property
    def closed(self) -> bool:
        """True when it serves no other request."""
        http = self.http
        return http.is_closed() if isinstance(http, _BARE) else not http.connections  # type: ignore[attr-defined]  # a pool

    @property
    def expired(self) -> bool:
        """True when it was idle for too long, or is closed."""
        return monotonic() - self.used_at > self.keepalive or self.closed

    @property
    def left_over(self) -> bool:
        """True when the parser holds what belongs to no answer, or nobody can tell."""
        parser = _parser(self.http)
        try:
            return parser is None or bool(parser.trailing_data[0])
        except AttributeError:
            return True


_BARE = (httpcore.HTTPConnection, httpcore.AsyncHTTPConnection)


def _inside(http: Any) -> Sequence[Any]:
    """Return httpcore's connection itself, or that of a pool: none when it was closed."""
    return (http,) if isinstance(http, _BARE) else http.connections


def _parser(http: Any) -> Any:
    """Return the h11 connection inside one of httpcore's; None where it cannot be found."""
    inner: Any = next(iter(_inside(http)), None)
    while inner is not None and not hasattr(inner, "_h11_state"):
        inner = getattr(inner, "_connection", None)
    return getattr(inner, "_h11_state", None)


@dataclass(frozen=True, slots=True)
class ConnectionKinds(Generic[HttpT, BackendT]):
    """What connections are made of, for threads or for asyncio."""

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
        # A proxy that is spoken to by TLS is trusted as the stores are.
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
    """The idle connections of a driver; the one used last is taken first, so spare ones expire.

    Threads may take and keep at the same time: a deque pops and appends atomically.
    """

    def __init__(self) -> None:
        self._open: set[Connection[HttpT, BackendT]] = set()
        """Every connection that was not closed yet: an interrupted call must not lose one."""
        self._idle: dict[str, deque[Connection[HttpT, BackendT]]] = {}
        self._suspects: set[str] = set()
        """Origins of which something came between two runs that nobody had asked for."""
        self._single_use: dict[str, float] = {}
        """By origin: until when its connections serve one request each."""
        self.closed = False

    def add(self, connection: Connection[HttpT, BackendT]) -> Connection[HttpT, BackendT]:
        """Take note of a new connection, before it is used."""
        self._open.add(connection)
        connection.user = current_thread()
        return connection

    def drop(self, connection: Connection[HttpT, BackendT]) -> None:
        """Close a connection for good."""
        connection.close()
        self._open.discard(connection)

    def abandon(self) -> None:
        """Close every connection, also those in use: the loop they were used on is gone."""
        for connection in list(self._open):
            self.drop(connection)
        self._idle.clear()

    def begin(self) -> None:
        """Prepare for a run: what was displaced in the last one may have come only after it."""
        self.end()
        for origin, idle in list(self._idle.items()):
            try:
                # Not the one that is taken first, which `take` checks.
                self._verify(origin, list(idle)[:-1])
            except RequestFailed:
                self._suspects.add(origin)

    def end(self) -> None:
        """Close what a call that was interrupted has left in use.

        A thread that is left behind in the middle of a request closes its own when that is over.
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
        """Return an idle connection that nothing waits on, if there is one.

        Raises:
            RequestFailed: something does that nobody asked for.
        """
        if origin in self._suspects:
            self._suspects.discard(origin)
            raise RequestFailed(Kind.UNASKED, origin, MORE_THAN_ASKED)
        while (connection := self._pop(origin)) is not None:
            if self._is_clean(origin, connection):
                connection.user = current_thread()
                return connection
        return None

    def _is_clean(self, origin: str, connection: Connection[HttpT, BackendT]) -> bool:
        """Tell whether nothing waits on a connection; drop one that has ended.

        Raises:
            RequestFailed: something does that nobody asked for.
        """
        unread = b"" if connection.expired else connection.backend.unread()
        if unread is None:
            return True
        self.drop(connection)
        if unread and not _GOODBYE.match(unread):
            self.distrust(origin)
        return False

    def keep(self, origin: str, connection: Connection[HttpT, BackendT]) -> None:
        """Make a connection free for the next request, if it may serve another.

        Raises:
            RequestFailed: more came than the answer.
        """
        if self.closed or connection.closed or self._once(origin):
            self.drop(connection)
        elif connection.left_over:
            self.drop(connection)
            self.distrust(origin)
        else:
            connection.used_at, connection.looked_at = monotonic(), 0.0
            self._idle.setdefault(origin, deque()).append(connection)
            if self.closed:  # meanwhile, by another thread
                self.close()

    def verify(self, origin: str) -> None:
        """Make sure that nothing is left on any connection to an origin that was used lately.

        What was displaced may come late, so a connection is checked again for a while.

        Raises:
            RequestFailed: something is that nobody asked for.
        """
        self._verify(origin, list(self._idle.get(origin, ())))

    def _verify(self, origin: str, connections: list[Connection[HttpT, BackendT]]) -> None:
        now = monotonic() if connections else 0.0
        for connection in connections:
            age, looked_at = now - connection.used_at, connection.looked_at
            # Ever less often: checks may follow each other quickly, and each of these takes time.
            if age <= WATCHED and age >= 2 * looked_at:
                connection.looked_at = age
                if not self._is_clean(origin, connection):
                    with suppress(ValueError):  # all of them may have been closed with it
                        self._idle[origin].remove(connection)

    def close(self) -> None:
        """Close the idle connections, and those in use when their request is over."""
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

    def _once(self, origin: str) -> bool:
        return bool(self._single_use) and monotonic() < self._single_use.get(origin, 0.0)

    def distrust(self, origin: str) -> None:
        """Use new connections, each for one request; say so once, and let the job begin again.

        Raises:
            RequestFailed: unless that is how it is done already.
        """
        self._discard(origin)
        if self._once(origin):
            return
        self._single_use[origin] = monotonic() + SINGLE_USE
        logger.warning("%s %s", origin, MORE_THAN_ASKED)
        raise RequestFailed(Kind.UNASKED, origin, MORE_THAN_ASKED)


def close_at_the_end(driver: object, connections: Callable[[], None]) -> None:
    """Close the connections of a driver that nobody closed, when it is collected.

    In a forked child they are the parent's, and are left alone.
    """
    weakref.finalize(driver, _close_in, os.getpid(), connections)


def _close_in(process: int, close: Callable[[], None]) -> None:
    if os.getpid() == process:
        close()
