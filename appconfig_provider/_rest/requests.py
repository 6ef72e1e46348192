"""Every request target the provider asks for.

Query names are lower case and sorted, values percent-encoded: content delivery networks in front
of a store match queries letter by letter.
"""

from __future__ import annotations

from urllib.parse import quote

from appconfig_provider.models import NO_LABEL, SettingSelector, WatchKey

API_VERSION = "2024-09-01"
"""The newest version that both the service and Microsoft's own emulator accept."""


def list_target(selector: SettingSelector) -> str:
    """Return the target of a selector's first page."""
    return _target("/kv", ("key", selector.key_filter), ("label", selector.label_filter))


def key_target(watched: WatchKey) -> str:
    """Return the target of a single setting."""
    path = "/kv/" + quote(watched.key, safe="")
    if watched.label == NO_LABEL:
        return _target(path)
    return _target(path, ("label", watched.label))


def _target(path: str, *query: tuple[str, str]) -> str:
    pairs = sorted([("api-version", API_VERSION), *query])
    return path + "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
