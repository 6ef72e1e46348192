"""Which names a server answers to.

A web page that a browser has loaded from anywhere can make the browser send requests to this
machine: its owner lets his own host name point to 127.0.0.1 (DNS rebinding), and to the browser the
answers belong to the page. Such a request names the host of the page. So names of loopback are
served, IP addresses, which nobody can point elsewhere, and names that the server was told of.

The grammar is strict. A browser writes a host in one form only, so that whatever looks odd comes
from somebody else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Final

_LABEL = "[0-9a-z_](?:[0-9a-z_-]{0,61}[0-9a-z_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ADDRESS: Final = re.compile(r"[0-9.]+")
_AUTHORITY: Final = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([0-9a-z._-]{1,254}))(?::[0-9]{1,5})?")


class Hosts:
    """The hosts that are served: those of this machine, IP addresses, and the names given.

    Addresses among the names change nothing.

    Raises:
        ValueError: a name is not the name of a host.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset(_checked(each) for each in names if not _is_any_address(each))

    def serve(self, authority: bytes) -> bool:
        """Whether ``host`` or ``host:port``, as requests name it, is served."""
        found = _AUTHORITY.fullmatch(authority.decode("latin-1").lower())
        if found is None:
            return False
        if found[1] is not None:
            return _is_address(found[1], IPv6Address)
        host = found[2].removesuffix(".")
        return _is_address(found[2], IPv4Address) or host in self._names or _is_loopback(host)


def is_name(host: str) -> bool:
    """Whether a text is the name of a host, in any case; an address is none."""
    name = host.lower().removesuffix(".")
    return bool(len(name) <= 253 and _NAME.fullmatch(name)) and not _ADDRESS.fullmatch(name)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (host.endswith(".localhost") and bool(_NAME.fullmatch(host)))


def _is_any_address(host: str) -> bool:
    return _is_address(host, IPv4Address) or _is_address(host, IPv6Address)


def _is_address(host: str, kind: type[IPv4Address | IPv6Address]) -> bool:
    try:
        kind(host)
    except ValueError:
        return False
    return True


def _checked(name: str) -> str:
    if not is_name(name):
        raise ValueError(
            f"{name!r} is not the name of a host: it is written in ASCII, without scheme and port"
        )
    return name.lower().removesuffix(".")
