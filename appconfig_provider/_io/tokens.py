"""A cache of bearer tokens, so that not every refresh asks the credential."""

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
    """A token with characters that a header must not have; the message does not show it."""

    def as_public(self) -> Exception:
        return ValueError(str(self))


class Tokens:
    """The last token of each credential and scope; not every credential has a cache of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cached: dict[tuple[int, str], AccessToken] = {}

    def cached(self, wanted: AcquireToken) -> AccessToken | None:
        """Return a token that does not expire soon and was not refused, or None."""
        token = self._cached.get(_key(wanted))
        if token is None or token.token == wanted.refused:
            return None
        return token if token.expires_on - self._clock.time() > MARGIN else None

    def keep(self, wanted: AcquireToken, token: AccessToken) -> AccessToken:
        """Remember a token and return it.

        Raises:
            UnusableToken: it has characters that a header must not have.
        """
        if not _SENDABLE.fullmatch(token.token):
            raise UnusableToken(
                "the credential gave a token that no header can hold; does a line break end it?"
            )
        self._cached[_key(wanted)] = token
        return token


def _key(wanted: AcquireToken) -> tuple[int, str]:
    """Return the cache key: credential and scope.

    `id()` is safe here, because the options keep every credential alive.
    """
    return id(wanted.credential), wanted.scope
