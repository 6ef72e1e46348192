"""Bearer tokens: which ones a local store or vault takes for good.

A token in the form of a JWT is good when it was made for one of the audiences and is in time. Its
signature is not looked at: nobody here has the keys, and on this machine there is nothing to
protect. A token that is any other text is good when the emulator was told of it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Collection
from typing import Any, Final

from appconfig_provider.emulator.json_texts import read_json

STORE_AUDIENCES: Final = (
    "https://appconfig.azure.com",
    "https://appconfig.azure.us",
    "https://appconfig.azure.cn",
    "https://azconfig.io",
    "https://azconfig.azure.us",
    "https://azconfig.azure.cn",
)
VAULT_AUDIENCES: Final = (
    "https://vault.azure.net",
    "https://vault.usgovcloudapi.net",
    "https://vault.azure.cn",
)
_PORT: Final = re.compile(r":[0-9]*\Z")


class Tokens:
    """The tokens that are accepted: JWTs for an audience, and the texts in ``told``."""

    def __init__(
        self, audiences: Collection[str], told: Collection[str], now: Callable[[], float]
    ) -> None:
        self._audiences = frozenset(_plain(audience) for audience in audiences)
        self._told = told
        self._now = now

    def accept(self, authorization: str, *hosts: str) -> bool:
        """Whether an Authorization header carries a good token.

        The ``hosts``, as requests name them, are audiences, too, with and without their ports.
        """
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer":
            return False
        names = {name for host in hosts for name in (host, _PORT.sub("", host)) if name}
        own = {_plain(f"https://{name}") for name in names}
        return token in self._told or self._holds(_claims(token), self._audiences | own)

    def _holds(self, claims: dict[str, Any], accepted: Collection[str]) -> bool:
        given = claims.get("aud")
        audiences = given if isinstance(given, list) else [given]
        if not any(isinstance(name, str) and _plain(name) in accepted for name in audiences):
            return False
        return _number(claims, "nbf", 0) <= self._now() < _number(claims, "exp", float("inf"))


def _claims(token: str) -> dict[str, Any]:
    """What a JWT says, or nothing when the text is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        content = read_json(base64.b64decode(padded.encode(), b"-_", validate=True))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _number(claims: dict[str, Any], name: str, otherwise: float) -> float:
    value = claims.get(name, otherwise)
    return value if isinstance(value, int | float) else otherwise


def _plain(audience: str) -> str:
    return audience.rstrip("/").lower()
