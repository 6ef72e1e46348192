"""Who is let in, and what he may do: one value, from the command line to the check of a request."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias, get_args

from appconfig_provider.emulator.auth import DEFAULT_ACCESS_KEY, AccessKey
from appconfig_provider.emulator.hosts import Hosts

#: What somebody without credentials may do: read and write, or read.
Role: TypeAlias = Literal["owner", "reader"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in.

    ``access_keys`` sign requests; the first one stands in the connection string. ``tokens`` are
    texts that are accepted as bearer tokens over TLS, beside the JWTs for an audience of the
    service; None accepts no bearer token at all. ``anonymous`` is what a request without an
    ``Authorization`` header may do; None refuses it. ``anonymous_anywhere`` allows an anonymous
    owner on an address that other machines reach. ``hosts`` are names that requests may use for
    the store, beside those of loopback and IP addresses. ``origins`` are those of other web pages
    that may ask, such as ``http://localhost:3000``.

    Raises:
        ValueError: there is no access key, two have the same id, there is no such role, or a host
            is none.
    """

    access_keys: Sequence[AccessKey] = (DEFAULT_ACCESS_KEY,)
    tokens: Collection[str] | None = None
    anonymous: Role | None = None
    anonymous_anywhere: bool = False
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.access_keys:
            raise ValueError("a store needs an access key for its connection string")
        ids = [key.id for key in self.access_keys]
        if len(set(ids)) < len(ids):
            raise ValueError("two access keys have the same id")
        if self.anonymous not in (None, *ROLES):
            raise ValueError(f"'anonymous' is {' or '.join(ROLES)}, not {self.anonymous!r}")
        Hosts(self.hosts)  # checks them before anything is made for them

    def check_address(self, address: str) -> None:
        """Check that a server may listen on an IP address.

        Raises:
            ValueError: everybody who reaches it could write, and nobody asked for that.
        """
        if self.anonymous != "owner" or self.anonymous_anywhere:
            return
        if not ip_address(address.partition("%")[0]).is_loopback:
            raise ValueError(
                "with --anonymous owner everybody who reaches this address may write; listen on"
                " 127.0.0.1, or add --anonymous-anywhere if that is wanted"
            )
