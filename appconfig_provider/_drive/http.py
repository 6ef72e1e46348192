"""What both drivers share: connections, and the translation between our records and httpx.

A driver keeps *lanes*: transports of one connection each. One pool for many workers would look
through all its connections for every request, which costs more than the request. httpx's client
layer is left out (it would follow redirects, keep cookies and parse every address anew); what it
gives that we need is done here: proxies from the environment, TLS contexts and time limits.
"""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from appconfig_provider._plan import Response, Send
from appconfig_provider._rest.failures import Kind, RequestFailed
from appconfig_provider._rest.signing import host_of
from appconfig_provider.options import Options
from appconfig_provider.protocols import Clock

LaneT = TypeVar("LaneT")

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
"""A proxy of the environment cannot reach the emulator on this machine."""

MAX_BODY = 64 * 1024 * 1024
"""A page is at most 1 MB; an answer far beyond that is no page."""


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach a store; times in seconds."""

    connect_timeout: float
    read_timeout: float
    keepalive: float
    proxy: str | None
    verify: bool | str | ssl.SSLContext

    @classmethod
    def of(cls, options: Options) -> Network:
        """Return how the options want the stores reached."""
        connect, read = options.timeouts
        keepalive = max(4 * options.interval, 60.0)
        return cls(connect, read, keepalive, options.proxy, options.tls)

    def proxy_for(self, origin: str) -> str | None:
        """Return the proxy for an origin: the given one, else the environment's."""
        if self.proxy is not None:
            return self.proxy
        parts = urlsplit(origin)
        if (parts.hostname or "") in _LOOPBACK:
            return None
        proxies = getproxies()
        proxy = proxies.get(parts.scheme) or proxies.get("all")
        if not proxy or proxy_bypass(host_of(origin)) or proxy_bypass(parts.hostname or ""):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"

    def limits(self) -> httpx.Limits:
        """Return the limits of a lane: one connection, kept well beyond the next check."""
        return httpx.Limits(
            max_connections=1, max_keepalive_connections=1, keepalive_expiry=self.keepalive
        )

    def tls(self, origin: str) -> ssl.SSLContext:
        """Return the TLS context for an origin; one per process and kind of verification."""
        if isinstance(self.verify, ssl.SSLContext):
            return self.verify
        if origin.startswith("http://") and self.proxy_for(origin) is None:
            return _plain_context()
        return _context(self.verify)


@lru_cache(maxsize=8)
def _context(verify: bool | str) -> ssl.SSLContext:
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return httpx.create_ssl_context(verify=verify)


@lru_cache(maxsize=1)
def _plain_context() -> ssl.SSLContext:
    """Return an empty context for origins without TLS; loading the CA bundle costs 20 ms."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class Lanes(Generic[LaneT]):
    """Idle transports by origin; the one used last is taken first, so that spare ones expire."""

    def __init__(self, make: Callable[[str], LaneT]) -> None:
        self._make = make
        self._idle: dict[str, deque[LaneT]] = {}

    def take(self, origin: str) -> LaneT:
        """Return a transport nobody else uses. Thread-safe: a deque pops atomically."""
        try:
            return self._idle[origin].pop()
        except (KeyError, IndexError):
            return self._make(origin)

    def give_back(self, origin: str, lane: LaneT) -> None:
        """Make a transport free for the next request."""
        self._idle.setdefault(origin, deque()).append(lane)

    def drain(self) -> list[LaneT]:
        """Take every idle transport out."""
        lanes: list[LaneT] = []
        for idle in list(self._idle.values()):
            while idle:
                lanes.append(idle.pop())
        return lanes


def to_httpx(effect: Send, clock: Clock, network: Network) -> httpx.Request:
    """Sign a request and make it httpx's, with its time limits cut to what is left.

    Raises:
        RequestFailed: the deadline has passed.
    """
    request = effect.request
    left = time_left(effect, clock)
    signature = effect.sign(request, clock.time()) if effect.sign else ()
    whole = httpx.Request(
        request.method,
        _parsed(request.origin),
        headers=[("host", host_of(request.origin)), *request.headers, *signature],
        content=request.body or None,
        extensions={
            "timeout": {
                "connect": min(network.connect_timeout, left),
                "pool": min(network.connect_timeout, left),
                "read": min(network.read_timeout, left),
                "write": min(network.read_timeout, left),
            },
        },
    )
    whole.url = _Exact(whole.url, request.target)
    return whole


class _Exact(httpx.URL):
    """An address whose path and query are sent as they were signed; httpx would tidy them up.

    The extension `target` of httpx would do as much, but not through a proxy: there it replaces the
    name of the host that the proxy is to connect to.
    """

    def __init__(self, origin: httpx.URL, target: str) -> None:
        super().__init__(origin)
        self._target = target.encode("ascii")

    @property
    def raw_path(self) -> bytes:
        return self._target


@lru_cache(maxsize=64)
def _parsed(origin: str) -> httpx.URL:
    """Return an origin as httpx wants it; parsing it anew costs a fifth of building a request."""
    return httpx.URL(origin)


def time_left(effect: Send, clock: Clock) -> float:
    """Return the seconds until an effect's deadline, or raise when there are none."""
    left = effect.deadline - clock.monotonic()
    if left <= 0:
        raise RequestFailed(Kind.OUT_OF_TIME, effect.request.origin, "the time allowed is used up")
    return left


class Body:
    """Collects an answer chunk by chunk, and gives up when it takes too long or grows too big."""

    def __init__(self, effect: Send, clock: Clock) -> None:
        self._effect = effect
        self._clock = clock
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take a chunk.

        Raises:
            RequestFailed: past the deadline, or past `MAX_BODY`.
        """
        time_left(self._effect, self._clock)
        self._size += len(chunk)
        if self._size > MAX_BODY:
            origin = self._effect.request.origin
            raise RequestFailed(Kind.MALFORMED, origin, f"an answer passed {MAX_BODY} bytes")
        self._chunks.append(chunk)

    def response(self, answer: httpx.Response) -> Response:
        """Return the whole answer as ours."""
        return Response(answer.status_code, answer.headers, b"".join(self._chunks))


TRANSPORT_ERRORS = (httpx.HTTPError, httpx.InvalidURL, OSError)
"""What a transport raises; the `TimeoutError` of a cancel scope is an OSError."""


def failure(effect: Send, error: BaseException) -> RequestFailed:
    """Return what went wrong on the way, without the query (it may be long) or any header."""
    request = effect.request
    if isinstance(error, TimeoutError):
        return RequestFailed(Kind.OUT_OF_TIME, request.origin, "the time allowed is used up")
    path = request.target.partition("?")[0]
    kind = Kind.UNREACHABLE if isinstance(error, _CONNECTING) else Kind.UNANSWERED
    detail = f"{kind.value} ({type(error).__name__}: {error}) for {request.method} {path}"
    if kind is Kind.UNREACHABLE and (urlsplit(request.origin).hostname or "") in _LOOPBACK:
        detail += "; is the emulator running? ('appconfig emulator' starts it)"
    failed = RequestFailed(kind, request.origin, detail)
    failed.__cause__ = error
    return failed


_CONNECTING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
