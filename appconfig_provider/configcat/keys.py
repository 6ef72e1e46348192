"""The SDK key: what it must look like, what is shown of it, and which files and caches it names.

The key is a secret: it stands in the target of every request, and in nothing that is shown.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from appconfig_provider.configcat.interfaces import ConfigCatClientException

VERSION_5 = "config_v5.json"
"""The file of SDKs up to 8."""
VERSION_6 = "config_v6.json"
"""The file of SDKs from 9 on."""

_OF_SERVERS = re.compile(r"(?:configcat-sdk-1/)?[^\r\n]{22}/[^\r\n]{22}")
_OF_PROXIES = re.compile(r"configcat-proxy/[^\r\n]+")
_ONLY_VERSION_6 = "configcat-sdk-1/"
_DOTS = {".": "%2E", "..": "%2E%2E"}
_SHOWN = 4
"""Characters at the end of a key that are shown, to tell one key from another."""
_LONG = 22
"""Characters. Of a key that is shorter nothing is shown."""


def files_of(sdk_key: str, *, newest: bool) -> tuple[str, str]:
    """Return both config files in the order in which a server is asked for them.

    `newest` begins with version 6, as SDKs from 9 on do; so does a key that has no other file.
    """
    if newest or sdk_key.startswith(_ONLY_VERSION_6):
        return VERSION_6, VERSION_5
    return VERSION_5, VERSION_6


def masked(sdk_key: str) -> str:
    """Return what may be shown of a key: enough to tell it from another, not to use it."""
    return "*" * 8 + (sdk_key[-_SHOWN:] if len(sdk_key) >= _LONG else "")


def check_key(sdk_key: object) -> str:
    """Return a key that was given.

    Raises:
        ConfigCatClientException: there is none, or it is no text.
    """
    if sdk_key is None:
        raise ConfigCatClientException("SDK Key is required.")
    if not isinstance(sdk_key, str):
        kind = type(sdk_key).__name__
        raise ConfigCatClientException(f"SDK Key must be a str, not {kind}.")
    return sdk_key


def valid_key(sdk_key: str, *, has_base_url: bool) -> bool:
    """Tell whether a key has a form of ConfigCat's; proxies have keys of their own.

    A key of a proxy is of use only to who has told the address of that proxy.
    """
    if has_base_url and _OF_PROXIES.fullmatch(sdk_key):
        return True
    return _OF_SERVERS.fullmatch(sdk_key) is not None


def check_format(sdk_key: str, *, custom: bool) -> None:
    """Check that a key looks as keys do now; `custom` is True where a base URL was given.

    Raises:
        ConfigCatClientException: it does not. The message shows the key masked.
    """
    if not valid_key(sdk_key, has_base_url=custom):
        raise ConfigCatClientException(f"SDK Key `{masked(sdk_key)}` is invalid.")


def path_of(sdk_key: str, file: str) -> str:
    """Return the path of a config file, percent-encoded."""
    quoted = quote(sdk_key, safe="/", errors="replace")
    # A server, or what stands before it, would take `..` for the folder above.
    parts = [_DOTS.get(part, part) for part in quoted.split("/")]
    return f"/configuration-files/{'/'.join(parts)}/{file}"


def shown_path_of(sdk_key: str, file: str) -> str:
    """Return what errors show instead of the path."""
    return f"/configuration-files/{masked(sdk_key)}/{file}"


def cache_key_of(sdk_key: str, file: str) -> str:
    """Return the key of a config file in a shared cache; all of ConfigCat's SDKs use the same."""
    from hashlib import sha1

    text = f"{sdk_key}_{file}_v2"
    return sha1(text.encode(errors="replace"), usedforsecurity=False).hexdigest()
