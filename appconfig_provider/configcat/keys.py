"""What an SDK key looks like."""

from __future__ import annotations

import re

_OF_SERVERS = re.compile(r"(?:configcat-sdk-1/)?[^\r\n]{22}/[^\r\n]{22}")
_OF_PROXIES = re.compile(r"configcat-proxy/[^\r\n]+")


def valid_key(sdk_key: str, *, has_base_url: bool) -> bool:
    """Tell whether a key has a form of ConfigCat's; proxies have keys of their own.

    A key of a proxy is of use only to who has told the address of that proxy.
    """
    if has_base_url and _OF_PROXIES.fullmatch(sdk_key):
        return True
    return _OF_SERVERS.fullmatch(sdk_key) is not None
