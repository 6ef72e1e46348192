"""What a request meets first, whatever is served behind it: a store, its faults, or a vault.

Nothing else runs for a request that is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from appconfig_provider.emulator.answers import response
from appconfig_provider.emulator.hosts import Hosts
from appconfig_provider.emulator.wire import problem

# 403, where 421 would be more precise: clients give up on it at once and tell what it says, while
# they take 421 for trouble that passes and ask for minutes.
_HOST_REFUSED: Final = problem(
    403,
    "host-not-served",
    "The host of this request is not served here",
    detail="Served are localhost, IP addresses and the names that the emulator was started with:"
    " --allow-host NAME adds one.",
).answer


def fronted(app: ASGIApp, hosts: Hosts) -> ASGIApp:
    """The application for requests that may reach it; the others are answered here."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        refused = None if _names_a_host(scope, hosts) else _HOST_REFUSED
        if refused is None:
            await app(scope, receive, send)
        else:
            await response(refused)(scope, receive, send)

    return front


def _names_a_host(scope: Scope, hosts: Hosts) -> bool:
    """Whether a request names hosts that are served, and names one at all."""
    named = list(_authorities(scope))
    return bool(named) and all(hosts.serve(each) for each in named)


def _authorities(scope: Scope) -> Iterator[bytes]:
    yield from (value for name, value in scope["headers"] if name == b"host")
    target: bytes = scope["raw_path"]
    if not target.startswith(b"/") and target != b"*":  # a whole address, as a proxy gets it
        _, separator, rest = target.partition(b"://")
        yield (rest if separator else target).partition(b"/")[0]
