"""The client, where ConfigCat's SDK has it."""

from __future__ import annotations

from appconfig_provider.configcat.client import ConfigCatClient, KeyValue

__all__ = ["ConfigCatClient", "KeyValue"]
