"""Clients of OpenFeature over our provider, and what the provider tells OpenFeature."""

from __future__ import annotations

import asyncio
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent, ProviderEventDetails
from openfeature.flag_evaluation import FlagEvaluationDetails

from appconfig_provider.integrations.openfeature import AppConfigurationFeatureProvider

ANNA = EvaluationContext("Anna")


def client_of(given: Any, **keywords: Any) -> OpenFeatureClient:
    """Return a client of a provider that has begun."""
    api.set_provider_and_wait(AppConfigurationFeatureProvider(given, **keywords))
    return api.get_client()


def details(
    client: OpenFeatureClient, key: str, default: Any, context: EvaluationContext | None = None
) -> FlagEvaluationDetails[Any]:
    """Evaluate a flag as the type of the default, at once and awaited, which must agree."""
    name = {bool: "boolean", str: "string", int: "integer", float: "float"}.get(type(default))
    method = f"get_{name or 'object'}_details"
    found: FlagEvaluationDetails[Any] = getattr(client, method)(key, default, context)
    assert asyncio.run(getattr(client, f"{method}_async")(key, default, context)) == found
    return found


def reason(client: OpenFeatureClient, key: str, context: EvaluationContext | None = None) -> Any:
    """Return the reason for a boolean flag."""
    return details(client, key, default=False, context=context).reason


class Heard:
    """A provider that has begun without the SDK, and what it emits, at once and in order."""

    def __init__(self, given: Any, **keywords: Any) -> None:
        self.provider = AppConfigurationFeatureProvider(given, **keywords)
        self._events: list[tuple[ProviderEvent, ProviderEventDetails]] = []
        self.provider.attach(lambda _, event, details: self._events.append((event, details)))
        self.provider.initialize(EvaluationContext())

    def reason(self) -> Any:
        """Return the reason of an evaluation of `beta`."""
        return self.provider.resolve_boolean_details("beta", default_value=False).reason

    def told(self) -> list[tuple[str, list[str] | None]]:
        """Return what was emitted since the last call: the event, the flags that changed."""
        events, self._events[:] = list(self._events), []
        return [
            (event.value.removeprefix("PROVIDER_"), details.flags_changed)
            for event, details in events
        ]
