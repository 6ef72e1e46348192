"""`feature_flags`: a live configuration whose feature flags are evaluated."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.notified import NotifiedConfiguration
from appconfig_provider._azure.state import State
from appconfig_provider._live.callbacks import Subscription, SuccessCallback
from appconfig_provider._live.process import DriverT, PollerT
from appconfig_provider.models import FLAG_PREFIX
from appconfig_provider.protocols import Clock
from appconfig_provider.trouble import name_of

if TYPE_CHECKING:  # programs that evaluate no flags do not import what evaluates them
    from appconfig_provider.flags.managing import Managing

logger = logging.getLogger("appconfig_provider")

ManagerT = TypeVar("ManagerT", bound="Managing")


class FlaggedConfiguration(NotifiedConfiguration[DriverT, PollerT]):
    """A read-only Mapping of a store's settings that evaluates its feature flags."""

    __slots__ = ("_managers",)

    def __init__(self, context: Context, driver: DriverT, state: State) -> None:
        self._managers: dict[type[Managing], Any] = {}
        super().__init__(context, driver, state)

    @property
    def _clock_of_flags(self) -> Clock:
        """The clock that time windows live by; every manager of flags asks for it."""
        return self._context.clock

    def subscribe(self, callback: SuccessCallback, key_filter: str = "*") -> Subscription:
        """Call a function after each generation in which keys of a filter changed."""
        subscription = super().subscribe(callback, key_filter)
        options = self._context.options
        still = options.refresh.flag_interval is None and not options.watches_files
        if still and key_filter.startswith(FLAG_PREFIX):
            logger.info(
                "%s will hear of no change of a feature flag: flags are refreshed only with "
                "load(feature_flag_refresh_enabled=True)",
                name_of(callback),
            )
        return subscription

    subscribe.__doc__ = NotifiedConfiguration.subscribe.__doc__

    def _manager(self, kind: type[ManagerT]) -> ManagerT:
        """Return the one manager of this provider."""
        if kind not in self._managers:
            made = kind(self)
            # One operation of the dict: threads that come at once get the same manager.
            first = self._managers.setdefault(kind, made) is made
            if first and not self._has_flags():
                logger.warning(
                    "feature_flags is used, but no feature flags are loaded, so that all of them "
                    "are off; load them with load(feature_flag_enabled=True)"
                )
        manager: ManagerT = self._managers[kind]
        return manager

    def _has_flags(self) -> bool:
        """Tell whether flags come from the store, or from overrides of the program."""
        if self._context.options.selection.flags is not None:
            return True
        return any(layer.flags is not None for layer in self._state.overlay.served)
