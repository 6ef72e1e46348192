"""Making clients, as the functions of `configcat` do."""

from __future__ import annotations

from appconfig_provider.configcat.client import ConfigCatClient
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions


def create(sdk_key: str, options: ConfigCatOptions) -> ConfigCatClient:
    """Make a client of its own, which asks for `config_v5.json` first.

    Raises:
        ConfigCatClientException: there is no SDK key.
        TypeError, ValueError: an option is wrong.
    """
    return ConfigCatClient.of(sdk_key, options)
