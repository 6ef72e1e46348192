"""Bearer tokens that are still good, so that a credential is not asked for every refresh."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appconfig_provider._plan import AcquireToken
from appconfig_provider.protocols import Clock

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

MARGIN = 300.0
"""Seconds before its end when a token is renewed, as azure-core does."""


class Tokens:
    """The last token of each scope; azure-identity keeps its own, other credentials may not."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[str, AccessToken] = {}

    def cached(self, wanted: AcquireToken) -> AccessToken | None:
        """Return a token that is neither ending nor refused, or None."""
        held = self._held.get(wanted.scope)
        if held is None or held.token == wanted.refused:
            return None
        return held if held.expires_on - self._clock.time() > MARGIN else None

    def keep(self, wanted: AcquireToken, token: AccessToken) -> AccessToken:
        """Remember a token and return it."""
        self._held[wanted.scope] = token
        return token
