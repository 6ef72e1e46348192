"""Which flags a program means: the one place where the dialects of flags are told apart."""

from __future__ import annotations

from appconfig_provider.integrations.managed_flags import ManagedFlags, manager_of
from appconfig_provider.integrations.resolution import Flags
from appconfig_provider.texts import kind_of


def flags_of(given: object, user_id_attribute: str | None) -> Flags:
    """Return the flags of a configuration, of any Mapping, or of a manager.

    Raises:
        TypeError: it is none of these.
    """
    manager = manager_of(given)
    if manager is None:
        raise TypeError(f"a configuration or a FeatureManager was expected, not {kind_of(given)}")
    return ManagedFlags(manager, user_id_attribute)
