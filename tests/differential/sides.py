"""Both providers loaded alike: options are written once, in words both understand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import azure.appconfiguration.provider as official

import appconfig_provider
from appconfig_provider.testing import Emulator
from tests.support.adapter import LOADERS, Provider
from tests.support.content import FLAG_TYPE
from tests.support.official import make_flags_due, make_settings_due

INTERVAL = 3600
"""Seconds; nothing is due by itself while a test runs."""

FLAG_PREFIX = ".appconfig.featureflag/"
REFERENCE_TYPE = (
    'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8'
)

load_official: Any = official.load
"""Its overloads do not take keywords as they come."""

OfficialSelector: Any = official.SettingSelector
Selector = Mapping[str, Any]
"""The keywords of a SettingSelector."""


@dataclass(frozen=True)
class Sides:
    """The official provider and both providers of ours."""

    official: Any
    ours: Mapping[str, Provider]

    def refresh(self) -> None:
        """Refresh all as if their intervals had passed."""
        make_settings_due(self.official)
        make_flags_due(self.official)
        self.official.refresh()
        for config in self.ours.values():
            config.refresh(force=True)

    def theirs(self) -> dict[str, Any]:
        """Return what the official provider holds, as plain JSON."""
        return plain(dict(self.official.items()))

    def own(self) -> dict[str, Any]:
        """Return what both providers of ours hold, as plain JSON."""
        sync, aio = (plain(dict(config.snapshot)) for config in self.ours.values())
        assert sync == aio
        return sync

    def agree(self) -> None:
        """Assert that all hold the same, type by type."""
        assert text(self.own()) == text(self.theirs())


def plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of JSON content without read-only types."""
    copied: dict[str, Any] = json.loads(json.dumps(content))
    return copied


def text(content: object) -> str:
    """Return JSON as a text that differs where types do: 1, 1.0 and true are three things."""
    return json.dumps(content, sort_keys=True, indent=1)


def official_keywords(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords with the official selectors; no replicas are looked for by DNS."""
    return {**_with(OfficialSelector, keywords), "replica_discovery_enabled": False}


def own_keywords(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Return keywords with our selectors."""
    return _with(appconfig_provider.SettingSelector, keywords)


def _with(selector: type[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
    made = {"refresh_interval": INTERVAL, **keywords}
    for name in ("selects", "feature_flag_selectors"):
        if name in made:
            selectors: Sequence[Selector] = made[name]
            made[name] = [selector(**one) for one in selectors]
    return made


@contextmanager
def both(store: Emulator, **keywords: Any) -> Iterator[Sides]:
    """Load on all sides with the same keywords."""
    connection = {"connection_string": store.connection_string}
    with ExitStack() as closing:
        theirs = load_official(**connection, **official_keywords(keywords))
        closing.callback(theirs.close)
        ours = {
            name: closing.enter_context(load(**connection, **own_keywords(keywords)))
            for name, load in LOADERS.items()
        }
        yield Sides(theirs, ours)


def set_flag(store: Emulator, name: str, flag: Mapping[str, Any], label: str | None = None) -> None:
    """Write a feature flag."""
    store.set(FLAG_PREFIX + name, json.dumps(flag), label, FLAG_TYPE)
