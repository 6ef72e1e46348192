"""Credentials for a proxy, for who has no `requests` to take them from."""

from __future__ import annotations


class HTTPProxyAuth:
    """A user name and a password that a proxy asks for; no server behind it ever sees them.

    It takes the place of `requests.auth.HTTPProxyAuth`, which works too.
    """

    __slots__ = ("password", "username")

    def __init__(self, username: str, password: str) -> None:
        """Keep both as they are."""
        self.username = username
        self.password = password

    def __eq__(self, other: object) -> bool:
        """Equal credentials are interchangeable."""
        if not isinstance(other, HTTPProxyAuth):
            return NotImplemented
        return (self.username, self.password) == (other.username, other.password)

    def __hash__(self) -> int:
        """Equal credentials have the same hash."""
        return hash((self.username, self.password))

    def __repr__(self) -> str:
        """Show neither: who is asked for a log pastes what it shows."""
        return "<HTTPProxyAuth>"
