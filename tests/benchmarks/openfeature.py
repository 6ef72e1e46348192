"""Evaluating through a client of OpenFeature: our provider over the SDK's own in-memory provider.

The client itself takes ten microseconds, so what counts is the difference, of the fastest calls of
both. The in-memory provider answers what it was given, also where ours has to look at a user.
"""

from __future__ import annotations

from timeit import Timer
from typing import Any

from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from appconfig_provider import AzureAppConfigurationProvider
from appconfig_provider.integrations.openfeature import AppConfigurationFeatureProvider

from .measure import Effort, Figure

CALLS = 200
"""Calls in one run; few, so that some of them meet no other work of the machine."""
GOALS = {"simple": 0.5, "targeting": 1.8}
USER = EvaluationContext("Brittney", {"groups": ["ring2"]})


def _given(_flag: InMemoryFlag[Any], _context: EvaluationContext) -> FlagResolutionDetails[Any]:
    return FlagResolutionDetails(value=False, reason=Reason.TARGETING_MATCH)


def through_openfeature(config: AzureAppConfigurationProvider, effort: Effort) -> list[Figure]:
    """Measure both providers, taking turns."""
    values = {"on": True}
    memory = {
        "simple": InMemoryFlag("on", values),
        "targeting": InMemoryFlag("on", values, context_evaluator=_given),
    }
    providers = {
        "ours": AppConfigurationFeatureProvider(config),
        "memory": InMemoryProvider(memory),
    }
    try:
        for domain, provider in providers.items():
            api.set_provider_and_wait(provider, domain)
        clients = {domain: api.get_client(domain) for domain in providers}
        return [_figure(name, clients, effort) for name in GOALS]
    finally:
        api.shutdown()
        api.clear_providers()


def _figure(name: str, clients: dict[str, OpenFeatureClient], effort: Effort) -> Figure:
    best = dict.fromkeys(clients, float("inf"))
    for _ in range(effort.rounds * effort.repeats):
        for domain, client in clients.items():
            names = {"c": client, "name": name, "user": USER}
            timer = Timer("c.get_boolean_value(name, False, user)", globals=names)
            best[domain] = min(best[domain], timer.timeit(CALLS) / CALLS * 1e6)
    more = best["ours"] - best["memory"]
    beside = f"ours {best['ours']:.2f}, in memory {best['memory']:.2f}"
    title = f"OpenFeature, {name} flag, over the SDK's in-memory provider"
    return Figure(title, "us", more, at_most=GOALS[name], beside=beside)
