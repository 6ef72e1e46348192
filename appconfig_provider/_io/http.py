"""Translates our records to httpcore's, and errors of a connection to `RequestFailed`.

The package uses httpcore directly. A client above it, such as httpx's, would follow redirects, keep
cookies, parse every address anew, and normalise the target, which breaks its signature.
"""

from __future__ import annotations

import ssl
from functools import lru_cache
from urllib.parse import urlsplit

import httpcore

from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._fetch.origins import host_of
from appconfig_provider._io.network import Network
from appconfig_provider._plan import Send
from appconfig_provider.protocols import Clock
from appconfig_provider.texts import printable


@lru_cache(maxsize=64)
def address_of(origin: str) -> httpcore.URL:
    """Return an origin as httpcore's URL; cached, since parsing costs more than signing."""
    parts = urlsplit(origin)
    return httpcore.URL(scheme=parts.scheme, host=parts.hostname or "", port=parts.port, target="/")


def to_httpcore(effect: Send, clock: Clock, network: Network) -> httpcore.Request:
    """Sign a request and return it as httpcore's, with time limits no longer than what is left.

    Raises:
        RequestFailed: the deadline has passed.
    """
    request = effect.request
    timeouts = network.timeouts(time_left(effect, clock))
    signature = effect.sign(request, clock.time()) if effect.sign else ()
    to = address_of(request.origin)
    headers = [("host", host_of(request.origin)), *request.headers, *signature]
    if request.body:
        headers.append(("Content-Length", str(len(request.body))))
    whole = httpcore.Request(
        request.method,
        # The target is sent as it was signed, character by character.
        httpcore.URL(scheme=to.scheme, host=to.host, port=to.port, target=request.target),
        content=request.body,
        extensions={"timeout": timeouts},
    )
    # latin-1, so that any byte of an ETag is sent back as it was received. Set after construction:
    # the constructor would check every header, which takes time.
    whole.headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    return whole


def time_left(effect: Send, clock: Clock, late: str = "no time was left for") -> float:
    """Return the seconds until an effect's deadline.

    Raises:
        RequestFailed: none are left; `late` begins its message.
    """
    left = effect.deadline - clock.monotonic()
    if left <= 0:
        detail = f"{late} {effect.request.name}"
        raise RequestFailed(Kind.OUT_OF_TIME, effect.request.origin, detail)
    return left


class DecodingError(Exception):
    """A body is not encoded the way its header says."""


class NoAnswer(Exception):
    """A connection ended before the first byte of an answer; `__cause__` says how."""


CONNECTION_ENDED = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)
"""httpcore's errors for a connection that ends before an answer is complete."""


def may_repeat(effect: Send, error: BaseException) -> bool:
    """Tell whether a request that failed on an idle connection is sent again, on a new one.

    A server may close an idle connection just when the next request arrives. That does not mean
    that the server is in trouble. Only reads are sent again: a write may have taken effect.
    """
    return isinstance(error, NoAnswer) and effect.request.method == "GET"


def failure(effect: Send, error: Exception, network: Network, *, connected: bool) -> RequestFailed:
    """Return the failure for any exception of an exchange; its message has no query and no header.

    Every exception counts, also those that are not httpcore's: an answer can make any parser fail,
    and then another endpoint must be tried. `connected` tells whether there was a connection, to
    the server or to a proxy.
    """
    if isinstance(error, RequestFailed):
        return error
    origin, doing = effect.request.origin, effect.request.name
    proxy = network.proxy_shown(origin)
    by = f" by the proxy {proxy}" if proxy else ""
    if isinstance(error, TimeoutError):
        ended = f"connected, but no whole answer to {doing} came in time"
        detail = (ended if connected else f"the connection for {doing} was not made in time") + by
        return RequestFailed(Kind.OUT_OF_TIME, origin, detail)
    kind, hint = _kind_and_hint(origin, error, proxied=bool(proxy))
    if isinstance(error, NoAnswer) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    # A LocalProtocolError quotes what we were about to send, and that may be a token.
    said = "" if isinstance(error, httpcore.LocalProtocolError) else printable(error)
    what = type(error).__name__ + (f": {said}" if said else "")
    failed = RequestFailed(kind, origin, f"{kind.value} ({what}) for {doing}{by}", hint=hint)
    failed.__cause__, failed.proxied = error, bool(proxy)
    return failed


def _kind_and_hint(origin: str, error: BaseException, *, proxied: bool) -> tuple[Kind, str]:
    """Return the kind of an error, and a hint what to do about it."""
    tls = error.__cause__ if isinstance(error, httpcore.ConnectError) else None
    if isinstance(tls, ssl.SSLCertVerificationError):
        return Kind.UNTRUSTED, _CERTIFICATE_HINTS.get(tls.verify_code, "")
    if isinstance(tls, ssl.SSLError):
        return Kind.UNREACHABLE, "does it speak TLS? An endpoint without TLS begins with http://"
    if not isinstance(error, _CONNECTING):
        plain = isinstance(error, NoAnswer) and origin.startswith("http://") and not proxied
        return Kind.UNANSWERED, "does it need https://?" if plain else ""
    return Kind.UNREACHABLE, ""


NAME_A_CA = "pass the CA file that its certificate is signed with: verify='ca.pem'"
USE_ITS_NAME = (
    "use a name that the certificate holds for; a local emulator's certificate also holds for the"
    " names of its option --allow-host"
)
_CERTIFICATE_HINTS = {
    **dict.fromkeys((18, 19, 20, 21), NAME_A_CA),  # no trusted CA has signed it
    **dict.fromkeys((62, 64), USE_ITS_NAME),  # it was issued for another name or address
}
"""Hints about a certificate that is not accepted, by OpenSSL's error code."""

_CONNECTING = (
    httpcore.ConnectError,
    httpcore.ConnectTimeout,
    httpcore.PoolTimeout,
    httpcore.ProxyError,
    UnicodeError,
)
