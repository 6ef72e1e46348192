"""Sync tokens: how far a store had come when it answered, and how far a client has seen it.

Each answer carries the number of mutations so far. A client sends back the newest it has met, so an
endpoint that is behind can tell that this client must not be answered from its older state.
"""

from __future__ import annotations

import base64
from typing import Final

_ID: Final = "kv"


def sync_token(mutations: int) -> str:
    """The token after so many mutations, as it stands in the ``Sync-Token`` header of an answer."""
    return f"{_ID}={base64.b64encode(str(mutations).encode()).decode()};sn={mutations}"


def seen_mutations(header: str) -> int:
    """The most mutations that the ``Sync-Token`` header of a request tells of.

    A request names tokens without their sequence numbers. Tokens of other stores, and texts that
    are none, count for nothing.
    """
    return max((_mutations(token) for token in header.split(",")), default=0)


def _mutations(token: str) -> int:
    name, _, rest = token.strip().partition("=")
    try:
        text = base64.b64decode(rest.partition(";")[0], validate=True).decode("ascii")
        return int(text) if name == _ID and text.isdecimal() else 0
    except ValueError:
        return 0
