"""Bearer tokens that are still good, so that a credential is not asked for every refresh."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from appconfig_provider._plan import AcquireToken
from appconfig_provider.protocols import Clock
from appconfig_provider.trouble import EngineError

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

MARGIN = 300.0
"""Seconds before its end when a token is renewed, as azure-core does."""


_SENDABLE = re.compile(r"[!-~]+")


class UnusableToken(EngineError):
    """A token with characters that a header must not have; never shows it."""

    def as_public(self) -> Exception:
        return ValueError(str(self))


class Tokens:
    """The last token of each credential and scope; not every credential keeps its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[tuple[int, str], AccessToken] = {}

    def cached(self, wanted: AcquireToken) -> AccessToken | None:
        """Return a token that is neither ending nor refused, or None."""
        kept = self._held.get(_whose(wanted))
        if kept is None or kept.token == wanted.refused:
            return None
        return kept if kept.expires_on - self._clock.time() > MARGIN else None

    def keep(self, wanted: AcquireToken, token: AccessToken) -> AccessToken:
        """Remember a token and return it.

        Raises:
            UnusableToken: no header can hold it.
        """
        if not _SENDABLE.fullmatch(token.token):
            raise UnusableToken(
                "the credential gave a token that no header can hold; does a line break end it?"
            )
        self._held[_whose(wanted)] = token
        return token


def _whose(wanted: AcquireToken) -> tuple[int, str]:
    """Tell tokens apart by credential and scope; the options keep every credential alive."""
    return id(wanted.credential), wanted.scope
