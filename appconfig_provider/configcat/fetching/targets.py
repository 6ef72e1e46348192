"""Which server is asked: ConfigCat's, or the one that a config sends its clients to.

A config may name the server that its clients are to ask (data governance). ConfigCat's own servers
are believed; a server that the program named is believed only when it insists. A redirect never
leads from `https` to `http`. Who begins at an `http` address, here or elsewhere, believes that
server whatever it says, and may be led to another `http` address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from appconfig_provider._fetch.origins import is_loopback
from appconfig_provider.configcat.datagovernance import DataGovernance
from appconfig_provider.texts import kind_of

CDN_GLOBAL = "https://cdn-global.configcat.com"
CDN_EU = "https://cdn-eu.configcat.com"

ASK_NEXT_TIME, ASK_NOW, ASK_NOW_ALWAYS = 0, 1, 2
"""What a config says of the server that it names."""

_ADDRESS = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_MAX_ADDRESS = 1000
"""Characters."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a client begins, and what stands for ConfigCat's servers."""

    first: str
    """Without a slash at its end."""
    custom: bool = False
    """True for a server that the program named: only a forced redirect leads away from it."""
    cdn_global: str = CDN_GLOBAL
    cdn_eu: str = CDN_EU


@dataclass(frozen=True, slots=True)
class Redirect:
    """Where a config sends its clients."""

    base: str
    at_once: bool
    """True when its own settings are not to be used."""
    unexpected: bool
    """True when the program should have been told to begin there."""


def address(given: str) -> str:
    """Return the address of a server, without a slash at its end.

    Raises:
        TypeError: it is no text.
        ValueError: it is none. The message does not quote it: it may hold a password.
    """
    if not isinstance(given, str):
        raise TypeError(f"an address must be a str, not {kind_of(given)}")
    wrong = ValueError(
        "an address must read https://host[:port][/path] or http://..., without user and password"
    )
    base = given.strip().rstrip("/")
    if len(base) > _MAX_ADDRESS or not _ADDRESS.fullmatch(base):
        raise wrong
    try:
        parts = urlsplit(base)
        usable = parts.hostname and parts.port != 0  # an invalid port raises
    except ValueError:
        raise wrong from None
    if not usable or "@" in parts.netloc or parts.query or parts.fragment or "\\" in base:
        raise wrong
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path}"  # the scheme in lower case


def given_addresses(
    base_url: str | None, governance: DataGovernance, stand_in: str | None
) -> Addresses:
    """Return where a client begins.

    `stand_in` names what takes the place of ConfigCat's servers: one address, or the global one and
    that of the European Union, with a comma between them.

    Raises:
        ValueError: an address is none, or that of a stand-in is not safe.
    """
    if base_url is not None:
        return Addresses(address(base_url), custom=True)
    both = (CDN_GLOBAL, CDN_EU) if not stand_in else _stand_ins(stand_in)
    first = both[1] if governance == DataGovernance.EuOnly else both[0]
    return Addresses(first, cdn_global=both[0], cdn_eu=both[1])


def _stand_ins(given: str) -> tuple[str, str]:
    named = [address(one) for one in given.split(",")]
    if len(named) > 2:
        raise ValueError("at most two addresses are wanted: the global one, that of the EU")
    if any(one.startswith("http://") and not is_loopback(one) for one in named):
        raise ValueError("http:// is for servers on this machine; write https://")
    return named[0], named[-1]


def origin_and_path(base: str) -> tuple[str, str]:
    """Return scheme, host and port of an address, and its path, if any."""
    scheme, _, rest = base.partition("://")
    netloc, slash, path = rest.partition("/")
    return f"{scheme}://{netloc}", slash + path


def redirected(addresses: Addresses, base: str, named: str | None, mode: int) -> Redirect | None:
    """Return where the answer of a server leads; None when it is to be used as it is."""
    if named is None or (addresses.custom and mode != ASK_NOW_ALWAYS):
        return None
    try:
        to = address(named)
    except ValueError:
        return None
    to = {CDN_GLOBAL: addresses.cdn_global, CDN_EU: addresses.cdn_eu}.get(to, to)
    if to == base or (to.startswith("http://") and not base.startswith("http://")):
        return None
    return Redirect(to, at_once=mode != ASK_NEXT_TIME, unexpected=mode == ASK_NOW)
