"""Which flags a program means: the one place where the dialects of flags are told apart."""

from __future__ import annotations

from appconfig_provider.integrations.managed_flags import ManagedFlags, manager_of
from appconfig_provider.integrations.resolution import Flags
from appconfig_provider.texts import kind_of


def flags_of(given: object, user_id_attribute: str | None) -> Flags:
    """Return the flags of a configuration, of any Mapping, of a manager, or of a ConfigCat client.

    Raises:
        TypeError: it is none of these.
    """
    manager = manager_of(given)
    if manager is not None:
        return ManagedFlags(manager, user_id_attribute)
    # Imported here: programs without ConfigCat need none of it.
    from appconfig_provider.integrations.configcat_flags import Client, ConfigCatFlags

    if isinstance(given, Client):
        return ConfigCatFlags(given, user_id_attribute)
    raise TypeError(
        "a configuration, a FeatureManager or a ConfigCat client was expected, "
        f"not {kind_of(given)}"
    )
