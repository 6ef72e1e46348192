"""Credentials for tests: they hand out one token and remember what they were asked for."""

from __future__ import annotations

import base64
import json
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

_LIFETIME = 3600


class StaticCredential:
    """A token credential that gives the same text for every scope.

    Without a text it makes an unsigned token for the audience of the scope, as the emulator and
    the vault of this package accept it. ``scopes`` are those it was asked for, one per call. May be
    used from any thread.
    """

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        self._lock = threading.Lock()
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        """A token that is good for an hour."""
        return _token(self._token, _remember(self, scopes))

    def close(self) -> None:
        """Do nothing; there is nothing to close."""

    def __enter__(self) -> StaticCredential:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncStaticCredential:
    """The same, awaited."""

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        self._lock = threading.Lock()
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_options: object) -> AccessToken:
        """A token that is good for an hour."""
        return _token(self._token, _remember(self, scopes))

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""

    async def __aenter__(self) -> AsyncStaticCredential:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


def unsigned_token(audience: str, lifetime: float = _LIFETIME) -> str:
    """A JWT for an audience that nobody signed; ``lifetime`` is in seconds from now."""
    claims = {"aud": audience, "exp": int(time.time() + lifetime)}
    return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."


def _remember(credential: StaticCredential | AsyncStaticCredential, scopes: tuple[str, ...]) -> str:
    scope = " ".join(scopes)
    with credential._lock:
        credential.scopes.append(scope)
    return scope


def _token(text: str | None, scope: str) -> AccessToken:
    from azure.core.credentials import AccessToken

    chosen = unsigned_token(scope.removesuffix("/.default")) if text is None else text
    return AccessToken(chosen, int(time.time() + _LIFETIME))


def _part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")
