"""Local settings from a file that is watched."""

from __future__ import annotations

import logging
import os

from appconfig_provider.configcat.overridedatasource import (
    FlagOverrides,
    OverrideBehaviour,
    OverrideDataSource,
)


class LocalFileDataSource(OverrideDataSource):
    """A JSON file: `{"flags": {key: value}}`, or a config as ConfigCat's servers have it.

    Comments (`//`, `/* */`) and trailing commas are allowed. The client checks at most once a
    second whether the file has changed; while it is missing or broken, what it said last counts.
    """

    def __init__(
        self,
        file_path: str | bytes | os.PathLike[str],
        override_behaviour: OverrideBehaviour,
        log: logging.Logger | None = None,  # noqa: ARG002 - as in ConfigCat's SDK
    ) -> None:
        """Take the path, as it is in the folder of now; `log` is not used."""
        super().__init__(override_behaviour)
        self.path = os.path.abspath(os.fsdecode(file_path))  # noqa: PTH100 - pathlib is slow to import
        """The path of the file."""


class LocalFileFlagOverrides(FlagOverrides):
    """The same, with the name of ConfigCat's SDKs from version 7 on."""

    def __init__(
        self,
        file_path: str | bytes | os.PathLike[str],
        override_behaviour: OverrideBehaviour,
        log: logging.Logger | None = None,
    ) -> None:
        """Take the path, as it is in the folder of now; `log` is not used."""
        self._made = LocalFileDataSource(file_path, override_behaviour, log)

    def create_data_source(self, log: logging.Logger) -> LocalFileDataSource:  # noqa: ARG002
        """Return the source."""
        return self._made
