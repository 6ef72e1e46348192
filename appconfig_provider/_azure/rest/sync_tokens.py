"""Sync tokens: an endpoint sends them, and gets them back so that it answers nothing older."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import chain
from typing import NamedTuple


class SyncToken(NamedTuple):
    """A token of the service: an answer to a request with it is at least as new as the token."""

    value: str
    sequence: int


MAX_TOKENS = 4096
"""Characters of a header of sync tokens; servers refuse requests whose headers are very long."""

_SYNC_TOKEN = re.compile(r"([!-+\--:<>-~]+)=([!-+\--:<-~]+);sn=([0-9]{1,19})")
"""Printable ASCII only: a token is sent in a header, and it may come from outside, in an event."""


@lru_cache(maxsize=32)
def read_sync_tokens(header: str) -> Mapping[str, SyncToken]:
    """Return the tokens of a header by name; parts that are not tokens are ignored."""
    return newest_tokens({}, *map(_token, header.split(",")))


def _token(text: str) -> Mapping[str, SyncToken]:
    match = _SYNC_TOKEN.fullmatch(text.strip())
    return {match[1]: SyncToken(match[2], int(match[3]))} if match else {}


def newest_tokens(
    known: Mapping[str, SyncToken], *others: Mapping[str, SyncToken]
) -> dict[str, SyncToken]:
    """Return all tokens; of those with the same name the one with the highest sequence number.

    If there are more than fit into a header, those that came first are dropped.
    """
    newest = dict(known)
    if all(known.get(name) is token for one in others for name, token in one.items()):
        return newest  # the usual case: an answer repeats the tokens of the one before it
    for name, token in chain.from_iterable([one.items() for one in others]):
        if name not in newest or token.sequence >= newest[name].sequence:
            newest.pop(name, None)  # so that a renewed token moves to the end
            newest[name] = token
    too_many = sum(map(_length, newest.items())) - 1 - MAX_TOKENS
    for name in list(newest)[:-1]:
        if too_many <= 0:
            break
        too_many -= _length((name, newest.pop(name)))
    return newest


def _length(token: tuple[str, SyncToken]) -> int:
    """Return how many characters of a header a token takes, with the comma behind it."""
    name, (value, _) = token
    return len(name) + len(value) + 2


def sync_token_header(tokens: Mapping[str, SyncToken]) -> str:
    """Return the tokens as a request carries them, without their sequence numbers."""
    return ",".join(f"{name}={token.value}" for name, token in tokens.items())
