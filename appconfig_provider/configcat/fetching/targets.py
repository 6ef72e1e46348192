"""Which server is asked: ConfigCat's, or the one that a config sends its clients to."""

from __future__ import annotations

from dataclasses import dataclass, field

from appconfig_provider.configcat.datagovernance import DataGovernance

CDN_GLOBAL = "https://cdn-global.configcat.com"
CDN_EU = "https://cdn-eu.configcat.com"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a client begins, and what stands for ConfigCat's servers."""

    first: str
    """Without a slash at its end."""
    custom: bool = False
    """True for a server that the program named: only a forced redirect leads away from it."""
    cdn_global: str = CDN_GLOBAL
    cdn_eu: str = CDN_EU
