"""Feature flags through OpenFeature: a provider for its SDK (extra `openfeature`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.provider import AbstractProvider, Metadata
from openfeature.track import TrackingEventDetails

from appconfig_provider.checks import seconds
from appconfig_provider.integrations.dialects import flags_of
from appconfig_provider.integrations.loading import check_loader, load_with
from appconfig_provider.integrations.managed_flags import Manager
from appconfig_provider.integrations.resolution import NOT_READY, Flags, Resolvers
from appconfig_provider.integrations.serving import Serving
from appconfig_provider.integrations.tracking import Track, Tracking

if TYPE_CHECKING:
    from appconfig_provider.integrations.configcat_flags import Client

__all__ = ["AppConfigurationFeatureProvider"]

NAME = "appconfig_provider"
"""The name in OpenFeature's metadata, and in the attributes of telemetry."""

Structure: TypeAlias = "Sequence[FlagValueType] | Mapping[str, FlagValueType]"
Given: TypeAlias = "Mapping[str, Any] | Manager | Client"


class AppConfigurationFeatureProvider(AbstractProvider):
    """Evaluates the feature flags of a configuration for OpenFeature's clients.

    `config` is what `load()` returns, also that of `appconfig_provider.aio`, any Mapping with
    `feature_management`, or a `FeatureManager` with filters and callbacks of the program; or a
    client of `appconfig_provider.configcat` or `configcat.aio`; or a function without parameters
    that returns one of these: `initialize` calls it, and `shutdown` closes what it loaded.

    The user is the targeting key, or the attribute that `user_id_attribute` names; the attribute
    `groups` has the user's groups; all attributes are passed on to filters of the program. For
    ConfigCat the attributes are those of the user, `Email` and `Country` among them. From
    `stale_after` seconds without a confirmation of the flags by the store on, the provider is stale
    (None: age does not count); flags that are not refreshed are confirmed only by `load()`.
    `on_track` is called with name, user id and properties of tracked events.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    def __init__(
        self,
        config: Given | Callable[[], Given],
        *,
        user_id_attribute: str | None = None,
        stale_after: float | None = None,
        on_track: Track | None = None,
    ) -> None:
        super().__init__()
        if user_id_attribute is not None and not isinstance(user_id_attribute, str):
            raise TypeError("user_id_attribute must be the name of an attribute")
        as_flags = partial(flags_of, user_id_attribute=user_id_attribute)
        self._loads = callable(config)
        self._load: Callable[[], Flags]
        if callable(config):
            check_loader(config)
            self._load = partial(load_with, config, as_flags)
        else:
            given = as_flags(config)
            self._load = lambda: given
        self._stale_after = seconds("stale_after", stale_after, math.inf, 0)
        self._tracking = Tracking(on_track)
        self._metadata = Metadata(NAME)
        self._serving: Serving | None = None
        self._resolvers: Resolvers = NOT_READY
        self._begun: dict[object, Serving] = {}
        """What has begun and not ended, by the call of `initialize`. Who takes an item ends it."""
        self._wanted: object = None
        """The last call of `initialize`; None after `shutdown`."""

    # OpenFeature's life cycle ----------------------------------------------------------------

    def get_metadata(self) -> Metadata:
        """Return the provider's name."""
        return self._metadata

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Load the configuration, if a function was given, and listen to its refreshes.

        OpenFeature itself tells READY afterwards.

        Raises:
            ProviderFatalError: the function's arguments or credentials were refused.
            ProviderNotReadyError: a ConfigCat client has no config yet. It goes on trying, and
                READY is told when it has one.
            Exception: what else the function raises; OpenFeature shows ERROR.
        """
        del evaluation_context
        self.shutdown()
        call = self._wanted = object()
        flags = self._load()
        serving = Serving(flags, self._stale_after, self.emit, loaded=self._loads)
        self._begun[call] = serving
        serving.begin()
        self._serving = serving
        self._resolvers = serving.resolvers
        if self._wanted is not call:  # `shutdown` came while it was loading
            self._end(call)
            serving.silence()
            return
        serving.check()

    def shutdown(self) -> None:
        """Stop listening, and close what `initialize` has loaded; may be called again."""
        self._wanted = None
        for call in tuple(self._begun):
            self._end(call)

    def _end(self, call: object) -> None:
        serving = self._begun.pop(call, None)
        if serving is not None:
            if self._serving is serving:
                self._serving, self._resolvers = None, NOT_READY
            serving.end()

    def track(
        self,
        tracking_event_name: str,
        evaluation_context: EvaluationContext | None = None,
        tracking_event_details: TrackingEventDetails | None = None,
    ) -> None:
        """Hand an event on to `on_track`."""
        serving = self._serving
        if serving is not None:
            user = serving.flags.user_of
            self._tracking.track(
                tracking_event_name, lambda: user(evaluation_context), tracking_event_details
            )

    # Evaluations -----------------------------------------------------------------------------

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Return whether a flag is on; of a flag with variants the value, or that for null."""
        return self._resolvers.boolean.resolve(flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Return the text of a flag."""
        return self._resolvers.string.resolve(flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Return the whole number of a flag."""
        return self._resolvers.integer.resolve(flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Return the number of a flag; whole numbers are converted."""
        return self._resolvers.number.resolve(flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Structure,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Structure]:
        """Return the JSON object or array of a flag."""
        return self._resolvers.structure.resolve(flag_key, default_value, evaluation_context)

    async def resolve_boolean_details_async(
        self,
        flag_key: str,
        default_value: bool,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Return the same; filters of the program are awaited."""
        resolver = self._resolvers.boolean
        return await resolver.resolve_waiting(flag_key, default_value, evaluation_context)

    async def resolve_string_details_async(
        self,
        flag_key: str,
        default_value: str,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """Return the same; filters of the program are awaited."""
        resolver = self._resolvers.string
        return await resolver.resolve_waiting(flag_key, default_value, evaluation_context)

    async def resolve_integer_details_async(
        self,
        flag_key: str,
        default_value: int,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[int]:
        """Return the same; filters of the program are awaited."""
        resolver = self._resolvers.integer
        return await resolver.resolve_waiting(flag_key, default_value, evaluation_context)

    async def resolve_float_details_async(
        self,
        flag_key: str,
        default_value: float,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[float]:
        """Return the same; filters of the program are awaited."""
        resolver = self._resolvers.number
        return await resolver.resolve_waiting(flag_key, default_value, evaluation_context)

    async def resolve_object_details_async(
        self,
        flag_key: str,
        default_value: Structure,
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Structure]:
        """Return the same; filters of the program are awaited."""
        resolver = self._resolvers.structure
        return await resolver.resolve_waiting(flag_key, default_value, evaluation_context)
