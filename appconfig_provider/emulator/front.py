"""What a request meets first, whatever is served behind it: a store, its faults, or a vault.

Nothing else runs for a request that is refused here. ``/_health`` is answered here, too: it tells
that the server runs, and is for scripts that wait for its start.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from appconfig_provider.emulator.answers import response
from appconfig_provider.emulator.hosts import Hosts
from appconfig_provider.emulator.origins import NO_ORIGINS, Origins, shared
from appconfig_provider.emulator.wire import CONTROL_PATH, Answer, problem

_HEALTH_PATH: Final = "/_health"
#: The limits of the service's web servers; looking at more would keep others waiting.
_MAX_TARGET: Final = 8 * 1024
_MAX_HEADERS: Final = 100
_MAX_HEADER_BYTES: Final = 32 * 1024
_HEALTHY: Final = Answer(
    200,
    b'{"status":"ok"}',
    (("Content-Type", "application/json"), ("Cache-Control", "no-store")),
)
_HEALTH_IS_READ: Final = Answer(405, headers=(("Allow", "GET, HEAD"),))
# 403, where 421 would be more precise: clients give up on it at once and tell what it says, while
# they take 421 for trouble that passes and ask for minutes.
_HOST_REFUSED: Final = partial(
    problem,
    403,
    "host-not-served",
    detail="Served are localhost, IP addresses and the names that the emulator was started with:"
    " --allow-host NAME adds one.",
)
_ORIGIN_REFUSED: Final = partial(
    problem,
    403,
    "origin-not-allowed",
    detail=f"--cors ORIGIN lets the pages of an origin in, though never at {CONTROL_PATH}.",
)
#: Characters of a name that is refused; it may be as long as a header.
_MAX_SHOWN: Final = 100

_TARGET_TOO_LONG: Final = problem(
    414, "target-too-long", f"The path and query are longer than {_MAX_TARGET} bytes"
).answer
_HEADERS_TOO_LARGE: Final = problem(
    431,
    "headers-too-large",
    f"The request has more than {_MAX_HEADERS} headers, or {_MAX_HEADER_BYTES} bytes of them",
).answer


def fronted(app: ASGIApp, hosts: Hosts, origins: Origins) -> ASGIApp:
    """The application for requests that may reach it; the others are answered here."""
    readable = shared(_beside_health(app), origins)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        controls = scope["path"].startswith(CONTROL_PATH)
        refused = (
            _too_long(scope)
            or _refused_host(scope, hosts)
            or _refused_origin(scope, NO_ORIGINS if controls else origins, links=not controls)
        )
        if refused is not None:
            await response(refused)(scope, receive, send)
        else:
            await (app if controls else readable)(scope, receive, send)

    return front


def _beside_health(app: ASGIApp) -> ASGIApp:
    async def beside(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != _HEALTH_PATH:
            await app(scope, receive, send)
            return
        answer = _HEALTHY if scope["method"] in ("GET", "HEAD") else _HEALTH_IS_READ
        await response(answer)(scope, receive, send)

    return beside


def _too_long(scope: Scope) -> Answer | None:
    """The refusal of a request whose head is too long; None for any other."""
    if len(scope["raw_path"]) + len(scope["query_string"]) >= _MAX_TARGET:
        return _TARGET_TOO_LONG
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
    if len(headers) > _MAX_HEADERS:
        return _HEADERS_TOO_LARGE
    size = sum(len(name) + len(value) for name, value in headers)
    return _HEADERS_TOO_LARGE if size > _MAX_HEADER_BYTES else None


def _refused_host(scope: Scope, hosts: Hosts) -> Answer | None:
    """The refusal of a request that names a host that is not served, or names none at all."""
    refused = next((each for each in _authorities(scope) or [b""] if not hosts.serve(each)), None)
    if refused is None:
        return None
    title = f"The host of this request is not served here: {_shown(refused)}"
    return _HOST_REFUSED(title).answer


def _refused_origin(scope: Scope, origins: Origins, *, links: bool) -> Answer | None:
    """The refusal of a request that a web page of another origin sent."""
    if origins.let_in(scope, links=links):
        return None
    told = [value for name, value in scope["headers"] if name == b"origin"]
    named = f": {', '.join(map(_shown, told[:2]))}" if told else ""
    title = f"A web page of another origin sent this request{named}"
    return _ORIGIN_REFUSED(title).answer


def _shown(name: bytes) -> str:
    """A name out of a header as a line of ASCII, in quotation marks."""
    text = name[: _MAX_SHOWN + 1].decode("latin-1")
    shown = "".join(each if " " <= each <= "~" else ascii(each)[1:-1] for each in text)
    return f"'{shown if len(shown) <= _MAX_SHOWN else shown[: _MAX_SHOWN - 3] + '...'}'"


def _authorities(scope: Scope) -> Sequence[bytes]:
    named = [value for name, value in scope["headers"] if name == b"host"]
    target: bytes = scope["raw_path"]
    if not target.startswith(b"/") and target != b"*":  # a whole address, as a proxy gets it
        _, separator, rest = target.partition(b"://")
        named.append((rest if separator else target).partition(b"/")[0])
    return named
