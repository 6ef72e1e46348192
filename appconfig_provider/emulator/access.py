"""Which requests a store accepts and what they may do, as the command line or a test says it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias, get_args

from appconfig_provider.emulator.auth import DEFAULT_ACCESS_KEY, AccessKey
from appconfig_provider.emulator.hosts import Hosts

#: What a request without credentials may do: ``owner`` reads and writes, ``reader`` only reads.
Role: TypeAlias = Literal["owner", "reader"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Access:
    """Which requests a store accepts.

    ``access_keys`` sign requests; the connection string has the first one. ``tokens`` are accepted
    as bearer tokens over TLS, as are JWTs for an audience of the service; None accepts no bearer
    token at all. ``anonymous`` is what a request without an ``Authorization`` header may do; None
    refuses it. ``anonymous_anywhere`` allows an anonymous owner on an address that other machines
    reach. ``hosts`` are further names that a request may have in its ``Host`` header; names of
    loopback and IP addresses are always accepted. ``origins`` are the origins of web pages that
    may send requests, such as ``http://localhost:3000``.

    Raises:
        ValueError: there is no access key, two have the same id, the role does not exist, or an
            entry of ``hosts`` is not a host name.
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
        # Only for its check: a wrong name is to be refused here, before a server is started.
        Hosts(self.hosts)

    def check_address(self, address: str) -> None:
        """Check that a server may listen on an IP address.

        Raises:
            ValueError: other machines reach the address, so everybody there could write, and
                ``anonymous_anywhere`` does not allow that.
        """
        if self.anonymous == "owner" and not self.anonymous_anywhere and _others_reach(address):
            raise ValueError(
                "with --anonymous owner everybody who reaches this address may write; listen on"
                " 127.0.0.1, or add --anonymous-anywhere if that is wanted"
            )

    def warning(self, address: str) -> str | None:
        """What to say of a server on an IP address when everybody knows its access key.

        Who asked for an anonymous owner there knows that everybody may write.
        """
        public = any(key.secret == DEFAULT_ACCESS_KEY.secret for key in self.access_keys)
        if not public or self.anonymous == "owner" or not _others_reach(address):
            return None
        return (
            "warning: other machines reach this address, and everybody knows the access key; give"
            " one of your own by --access-key-id and --access-key-secret (openssl rand -base64 32)"
        )


def _others_reach(address: str) -> bool:
    return not ip_address(address.partition("%")[0]).is_loopback
