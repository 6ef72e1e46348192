"""Reading what Event Grid pushes: which endpoint changed, and the sync token to ask it with.

Both schemas are understood, Event Grid's own and CloudEvents. Of a batch every event is read before
any counts, so that a bad one changes nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from appconfig_provider._azure.rest.sync_tokens import (
    LONGEST_TOKENS,
    SyncToken,
    newest_tokens,
    read_sync_tokens,
)
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.endpoints import Fleet
from appconfig_provider.decoding import Undecodable, decode

Event: TypeAlias = "str | bytes | Mapping[str, Any] | Sequence[Mapping[str, Any]]"

_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_OURS = "microsoft.appconfiguration."


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody changed something at an endpoint."""

    authority: str
    """Host and port; replicas on one machine differ by the port alone."""
    sync_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the next refresh is asked for: to look soon, and with these sync tokens by endpoint."""

    tokens: Mapping[str, Mapping[str, SyncToken]] = field(default_factory=dict, repr=False)
    at: float = math.inf
    """When to look, on the monotonic clock."""

    @property
    def empty(self) -> bool:
        """True when nothing is wished for."""
        return not self.tokens

    def also(self, other: Wish) -> Wish:
        """Return both wishes as one; the newer tokens count, and the moment of the earlier wish.

        Did each event of a deployment choose anew, the soonest of all would count, and a fleet
        would ask at once after all.
        """
        tokens = {
            authority: newest_tokens(
                self.tokens.get(authority, {}), other.tokens.get(authority, {})
            )
            for authority in self.tokens.keys() | other.tokens.keys()
        }
        return Wish(tokens, other.at if math.isinf(self.at) else self.at)


def read_events(given: Event) -> tuple[tuple[Notice, ...], str | None]:
    """Return the notices in an event or a batch, and the code of a validation that is asked for.

    Events of other services are left out.

    Raises:
        ValueError: it is no event; nothing of it counts.
    """
    notices: list[Notice] = []
    code: str | None = None
    for event in _events(given):
        kind = event.get("eventType", event.get("type"))
        if not isinstance(kind, str):
            raise ValueError("no Event Grid event: it has neither 'eventType' nor 'type'")
        if kind == _VALIDATION:
            code = _text(_data(event), "validationCode")
        elif kind.lower().startswith(_OURS):
            notices.append(_notice(event))
    return tuple(notices), code


def _events(given: Event) -> list[Mapping[str, Any]]:
    decoded: object = given
    if isinstance(given, str | bytes | bytearray):
        try:
            decoded = decode(given if isinstance(given, str) else bytes(given))
        except Undecodable as error:
            raise ValueError(f"no Event Grid event: the text is not JSON ({error})") from None
    events = [decoded] if isinstance(decoded, Mapping) else decoded
    if not isinstance(events, list | tuple) or not all(isinstance(one, Mapping) for one in events):
        raise ValueError("no Event Grid event: it is neither a JSON object nor a list of them")
    return cast("list[Mapping[str, Any]]", list(events))


def _notice(event: Mapping[str, Any]) -> Notice:
    try:
        authority = _authority(_text(event, "subject"))
    except ValueError:
        authority = ""
    if not authority:
        raise ValueError("no App Configuration event: 'subject' is not the address of a setting")
    token = _text(_data(event), "syncToken")
    if len(token) > LONGEST_TOKENS:
        raise ValueError(f"no App Configuration event: 'syncToken' has {len(token)} characters")
    return Notice(authority, token)


def _authority(address: str) -> str:
    """Return the host and the port of an address; empty where it is none.

    Raises:
        ValueError: it cannot be taken apart.
    """
    # No more than that of an address, which may be very long, or in letters that no host has.
    origin = _ORIGIN.match(address)
    parts = urlsplit(origin[0] if origin else "")
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return f"{parts.hostname}:{port}" if parts.hostname and port else ""


_ORIGIN = re.compile(r"https?://[!-\"$-.0->@-~]{1,300}(?=[/?#]|\Z)", re.IGNORECASE)
"""Scheme, host and port of an address."""


def _data(event: Mapping[str, Any]) -> Mapping[str, Any]:
    data = event.get("data")
    if not isinstance(data, Mapping):
        raise ValueError("no Event Grid event: it has no 'data'")
    return data


def _text(owner: Mapping[str, Any], name: str) -> str:
    text = owner.get(name)
    if not isinstance(text, str):
        raise ValueError(f"no App Configuration event: {name!r} is not text")
    return text


def wish_of(notices: Iterable[Notice], fleet: Fleet, at: float) -> Wish | None:
    """Return the wish to look at a moment; None when no notice is about this store."""
    known = {_authority(endpoint.store.url) for endpoint in fleet.endpoints}
    given: dict[str, list[Mapping[str, SyncToken]]] = {}
    for notice in notices:
        if notice.authority in known:
            given.setdefault(notice.authority, []).append(read_sync_tokens(notice.sync_token))
    # Put together once: a batch may hold thousands of events.
    tokens = {authority: newest_tokens({}, *all_of) for authority, all_of in given.items()}
    return Wish(tokens, at) if tokens else None


def wished(state: State, wish: Wish) -> State:
    """Return the state that knows of a wish: its tokens, and when to look."""
    if wish.empty:
        return state
    fleet = state.fleet
    for endpoint in fleet.endpoints:
        tokens = wish.tokens.get(_authority(endpoint.store.url))
        if tokens:
            merged = newest_tokens(cast("Mapping[str, SyncToken]", endpoint.memory), tokens)
            fleet = fleet.having(replace(endpoint, memory=merged))
    push = wish.at if math.isinf(state.timers.push) else state.timers.push
    return replace(state, fleet=fleet, timers=replace(state.timers, push=push))
