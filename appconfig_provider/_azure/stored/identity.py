"""What a copy is a copy of: it is used only where the same would be loaded."""

from __future__ import annotations

from typing import Any, NamedTuple

from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.requests import key_target, list_target, snapshot_list_target
from appconfig_provider.models import FLAG_PREFIX
from appconfig_provider.selectors import SettingSelector


class Identity(NamedTuple):
    """Which settings were loaded, and from where; selectors and watched keys as their targets."""

    endpoints: tuple[str, ...]
    """Those that were given. Replicas that DNS named are left out: they change."""
    settings: tuple[str, ...]
    flags: tuple[str, ...] | None
    """None when feature flags are not loaded."""
    watched: tuple[str, ...]
    watches_pages: bool
    detailed: bool
    """True when the fields that only a mapper needs were kept."""

    def fits(self, wanted: Identity) -> bool:
        """Tell whether a copy may be used for what is wanted; one common endpoint is enough."""
        common = set(self.endpoints) & set(wanted.endpoints)
        return bool(common) and self[1:] == wanted[1:]


def identity_of(options: Options) -> Identity:
    """Return what these options load."""
    selection, refresh = options.selection, options.refresh
    return Identity(
        endpoints=tuple(store.url for store in options.store.endpoints),
        settings=tuple(_target(one, "") for one in selection.settings),
        flags=None
        if selection.flags is None
        else tuple(_target(one, FLAG_PREFIX) for one in selection.flags),
        watched=tuple(map(key_target, refresh.watch)),
        watches_pages=refresh.watch_pages,
        detailed=selection.mapper is not None,
    )


def _target(selector: SettingSelector, key_prefix: str) -> str:
    if selector.snapshot_name is not None:
        return snapshot_list_target(selector.snapshot_name)
    return list_target(selector, key_prefix)


def read_identity(found: Any) -> Identity:
    """Read an identity from decoded JSON.

    Raises:
        TypeError, KeyError: it is something else.
    """
    flags = found["flags"]
    return Identity(
        _texts(found["endpoints"]),
        _texts(found["settings"]),
        None if flags is None else _texts(flags),
        _texts(found["watched"]),
        found["watches_pages"] is True,
        found["detailed"] is True,
    )


def _texts(found: Any) -> tuple[str, ...]:
    if type(found) is not list or not all(type(one) is str for one in found):
        raise TypeError("a list of texts was expected")
    return tuple(found)
