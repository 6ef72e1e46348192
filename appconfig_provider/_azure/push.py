"""Reading events of Event Grid: which endpoint has changed, and its newest sync token.

Both schemas can be read: Event Grid's own and CloudEvents. All events of a batch are read before
the first one has an effect, so a batch with a malformed event has none.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.rest.sync_tokens import (
    MAX_TOKENS,
    SyncToken,
    newest_tokens,
    read_sync_tokens,
)
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.endpoints import Endpoints
from appconfig_provider.decoding import Undecodable, decode

logger = logging.getLogger("appconfig_provider")

Event: TypeAlias = "str | bytes | Mapping[str, Any] | Sequence[Mapping[str, Any]]"

_VALIDATION = "Microsoft.EventGrid.SubscriptionValidationEvent"
_OURS = "microsoft.appconfiguration."


@dataclass(frozen=True, slots=True)
class Notice:
    """An event about a change at an endpoint."""

    authority: str
    """Host and port; replicas of the emulator on one machine differ only in the port."""
    sync_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PushedChange:
    """A request to the next refresh: check at a time, with these sync tokens.

    `tokens` are by authority (host and port) and name.
    """

    tokens: Mapping[str, Mapping[str, SyncToken]] = field(repr=False)
    at: float
    """When to check, on the monotonic clock."""

    def also(self, other: object, /) -> PushedChange:
        """Return both as one, with the newer tokens and with the time of this one, the older.

        The first event of a deployment decides the time. If each event of many brought a random
        delay, the shortest would count, and all clients would check at almost the same time.
        """
        if not isinstance(other, PushedChange):
            raise TypeError(f"another pushed change, not {type(other).__name__}")
        tokens = {
            authority: newest_tokens(
                self.tokens.get(authority, {}), other.tokens.get(authority, {})
            )
            for authority in self.tokens.keys() | other.tokens.keys()
        }
        return PushedChange(tokens, self.at)


def read_events(given: Event) -> tuple[tuple[Notice, ...], str | None]:
    """Return the notices of an event or a batch, and the code of a validation event if it is one.

    Events of other services are ignored.

    Raises:
        ValueError: it is not an event, or one of the batch is not.
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
    if len(token) > MAX_TOKENS:
        raise ValueError(f"no App Configuration event: 'syncToken' has {len(token)} characters")
    return Notice(authority, token)


def _authority(address: str) -> str:
    """Return host and port of an address; empty if it is not an address.

    Raises:
        ValueError: the address cannot be parsed.
    """
    # Only the beginning is parsed: the text comes from outside, and may be very long, or have
    # letters that no host has.
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


def read_push(
    context: Context, state: State, event: Event
) -> tuple[PushedChange | None, dict[str, str] | None]:
    """Return the request that an event makes, and the answer to a validation event; else None.

    Raises:
        ValueError: it is not an event.
    """
    notices, code = read_events(event)
    delay = context.random() * context.options.refresh.push_delay
    change = change_of(notices, state.endpoints, context.clock.monotonic() + delay)
    if change is None:
        logger.debug("event about another store ignored")
    return change, None if code is None else {"validationResponse": code}


def change_of(notices: Iterable[Notice], endpoints: Endpoints, at: float) -> PushedChange | None:
    """Return the request to check at a time; None when no notice is about this store."""
    known = {_authority(endpoint.store.url) for endpoint in endpoints.all}
    given: dict[str, list[Mapping[str, SyncToken]]] = {}
    for notice in notices:
        if notice.authority in known:
            given.setdefault(notice.authority, []).append(read_sync_tokens(notice.sync_token))
    # Merged once for each endpoint: a batch may hold thousands of events.
    tokens = {authority: newest_tokens({}, *all_of) for authority, all_of in given.items()}
    return PushedChange(tokens, at) if tokens else None


def with_change(state: State, change: PushedChange) -> State:
    """Return the state with a pushed change applied: its tokens, and when to check."""
    endpoints = state.endpoints
    for endpoint in endpoints.all:
        tokens = change.tokens.get(_authority(endpoint.store.url))
        if tokens:
            merged = newest_tokens(cast("Mapping[str, SyncToken]", endpoint.memory), tokens)
            endpoints = endpoints.replaced(replace(endpoint, memory=merged))
    push = change.at if math.isinf(state.timers.push) else state.timers.push
    return replace(state, endpoints=endpoints, timers=replace(state.timers, push=push))
