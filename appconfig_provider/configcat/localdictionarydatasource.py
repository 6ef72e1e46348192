"""Local settings from a dict."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from appconfig_provider.configcat.evaluation.document import simple_settings
from appconfig_provider.configcat.evaluation.settings import Settings
from appconfig_provider.configcat.overridedatasource import (
    FlagOverrides,
    OverrideBehaviour,
    OverrideDataSource,
)
from appconfig_provider.texts import kind_of


class LocalDictionaryDataSource(OverrideDataSource):
    """Keys and values of a dict: bool, str, int or float. The dict is copied."""

    def __init__(
        self,
        source: Mapping[str, Any],
        override_behaviour: OverrideBehaviour,
        log: logging.Logger | None = None,  # noqa: ARG002 - as in ConfigCat's SDK
    ) -> None:
        """Copy the values; `log` is not used."""
        super().__init__(override_behaviour)
        if not isinstance(source, Mapping):
            raise TypeError(f"source must be a dict of values by key, not {kind_of(source)}")
        self.settings: Settings = simple_settings(source)
        """The settings as clients evaluate them."""

    def get_overrides(self) -> Mapping[str, Any]:
        """Return the settings as a config."""
        return {"f": dict(self.settings)}


class LocalDictionaryFlagOverrides(FlagOverrides):
    """The same, with the name of ConfigCat's SDKs from version 7 on."""

    def __init__(
        self,
        source: Mapping[str, Any],
        override_behaviour: OverrideBehaviour,
        log: logging.Logger | None = None,
    ) -> None:
        """Copy the values; `log` is not used."""
        self._made = LocalDictionaryDataSource(source, override_behaviour, log)

    def create_data_source(self, log: logging.Logger) -> LocalDictionaryDataSource:  # noqa: ARG002
        """Return the source."""
        return self._made
