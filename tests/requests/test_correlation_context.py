"""The Correlation-Context header, part by part; tests/differential compares it as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.rest.tracing import (
    Environment,
    Usage,
    correlation_context,
    read_environment,
    usage_of,
)
from appconfig_provider._azure.startup import start
from appconfig_provider._plan import Request, Response
from tests.support.scripted import (
    CONNECTION,
    REPLICA,
    ScriptedDriver,
    context_for,
    page,
    setting,
    status,
)

TELEMETRY: dict[str, Any] = {"telemetry": {}}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, Environment(enabled=True, host="")),
        ({"FUNCTIONS_EXTENSION_VERSION": "4"}, Environment(host="AzureFunction")),
        ({"WEBSITE_SITE_NAME": "x"}, Environment(host="AzureWebApp")),
        ({"CONTAINER_APP_NAME": "x"}, Environment(host="ContainerApp")),
        ({"KUBERNETES_PORT": "x"}, Environment(host="Kubernetes")),
        ({"Fabric_NodeName": "x"}, Environment(host="ServiceFabric")),
        ({"WEBSITE_SITE_NAME": "x", "FUNCTIONS_EXTENSION_VERSION": "4"},
         Environment(host="AzureFunction")),
        ({"KUBERNETES_PORT": "", "Fabric_NodeName": "x"}, Environment(host="ServiceFabric")),
        ({"AZURE_APP_CONFIGURATION_TRACING_DISABLED": "True"}, Environment(enabled=False)),
        ({"AZURE_APP_CONFIGURATION_TRACING_DISABLED": "1"}, Environment()),
    ],
)  # fmt: skip
def test_the_environment_is_reported_by_its_variables(
    variables: Mapping[str, str], expected: Environment
) -> None:
    """The first platform counts; only the word `true` turns the header off."""
    assert read_environment(variables, "") == expected
    assert read_environment(variables, "2.1") == replace(expected, feature_management="2.1")


FILTERS: dict[str, list[str | None]] = {
    "CSTM": ["Mine", "percentage", None],
    "PRCNT": ["Percentage", "PercentageFilter", "Microsoft.Percentage",
              "Microsoft.PercentageFilter"],
    "TIME": ["TimeWindow", "TimeWindowFilter", "Microsoft.TimeWindow",
             "Microsoft.TimeWindowFilter"],
    "TRGT": ["Targeting", "TargetingFilter", "Microsoft.Targeting", "Microsoft.TargetingFilter"],
}  # fmt: skip


@pytest.mark.parametrize(("tag", "name"), [(tag, name) for tag in FILTERS for name in FILTERS[tag]])
def test_a_filter_is_reported_by_its_kind(tag: str, name: str | None) -> None:
    """The filters that come with feature management have tags; every other is custom."""
    flag = {**TELEMETRY, "conditions": {"client_filters": [{"name": name}]}}
    assert usage_of([flag], (), snapshot_reference=False) == Usage(filters=frozenset({tag}))


PLAIN = Usage()
ANYWHERE = Environment()
AI = 'application/json; profile="https://azconfig.io/mime-profiles/ai/other"'
CHAT = 'application/json; profile="https://azconfig.io/mime-profiles/ai/chat-completion"'


@pytest.mark.parametrize(
    ("flags", "types", "expected"),
    [
        ([], (), PLAIN),
        ([TELEMETRY, TELEMETRY], ("text/plain",), PLAIN),
        ([{**TELEMETRY, "conditions": None, "variants": None, "allocation": None}], (), PLAIN),
        ([{**TELEMETRY, "conditions": {"client_filters": None}}], (), PLAIN),
        ([{**TELEMETRY, "variants": [{}] * 2}, {**TELEMETRY, "variants": [{}] * 3}, TELEMETRY],
         (), Usage(max_variants=3)),
        ([TELEMETRY, {**TELEMETRY, "allocation": {"seed": "s"}}], (), Usage(seed=True)),
        ([{**TELEMETRY, "allocation": {"seed": ""}}], (), PLAIN),
        ([TELEMETRY, {"telemetry": {"enabled": True}}], (), Usage(telemetry=True)),
        ([{"telemetry": {"enabled": False}}], (), PLAIN),
        ([], ("text/plain", AI), Usage(ai=True)),
        ([], (CHAT,), Usage(ai=True, chat_completion=True)),
    ],
)  # fmt: skip
def test_what_one_flag_or_setting_uses_is_used(
    flags: list[dict[str, Any]], types: tuple[str, ...], expected: Usage
) -> None:
    """Of all flags the most variants count; null counts as nothing."""
    assert usage_of(flags, types, snapshot_reference=False) == expected
    reported = usage_of(iter(flags), iter(types), snapshot_reference=True)
    assert reported == replace(expected, snapshot_reference=True)


def header(usage: Usage, environment: Environment = ANYWHERE, **others: Any) -> str:
    """Return the header of a check without replicas."""
    given: dict[str, Any] = {"startup": False, "replicas": 0, "balanced": False, "tags": ()}
    return correlation_context(environment, usage, **{**given, **others})


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (PLAIN, ""),
        (Usage(filters=frozenset({"TRGT", "CSTM", "TIME", "PRCNT"})),
         ",Filter=CSTM+PRCNT+TIME+TRGT"),
        (Usage(filters=frozenset({"TIME"})), ",Filter=TIME"),
        (Usage(max_variants=3), ",MaxVariants=3"),
        (Usage(seed=True), ",FFFeatures=Seed"),
        (Usage(telemetry=True), ",FFFeatures=Telemetry"),
        (Usage(seed=True, telemetry=True), ",FFFeatures=Seed+Telemetry"),
        (Usage(ai=True), ",Features=AI"),
        (Usage(ai=True, chat_completion=True, snapshot_reference=True),
         ",Features=AI+AICC+SnapshotRef"),
        (Usage(max_variants=2, seed=True, ai=True), ",MaxVariants=2,FFFeatures=Seed,Features=AI"),
    ],
)  # fmt: skip
def test_the_header_names_the_features_that_are_used(usage: Usage, expected: str) -> None:
    """Each has its place and its spelling; what is not used is not there."""
    assert header(usage) == f"RequestType=Watch{expected}"


def test_the_header_names_who_asks_and_how() -> None:
    """Replicas, platform, load balancing and version have their places; tags stand at its end."""
    assert header(PLAIN, startup=True) == "RequestType=Startup"
    assert header(PLAIN, replicas=2) == "RequestType=Watch,ReplicaCount=2"
    assert header(PLAIN, balanced=True) == "RequestType=Watch,Features=LB"
    tags = ("UsesKeyVault", "Failover")
    assert header(PLAIN, tags=tags) == "RequestType=Watch,UsesKeyVault,Failover"
    reported = header(PLAIN, Environment(host="H", feature_management="2.1"), tags=("Failover",))
    assert reported == "RequestType=Watch,Host=H,FMPyVer=2.1,Failover"


def test_switched_off_there_is_no_header() -> None:
    """Nothing is reported then, whatever is used."""
    off = Environment(enabled=False, host="H")
    assert header(Usage(seed=True), off, tags=("Failover",), replicas=2) == ""


def sent(**keywords: Any) -> list[str]:
    """Return the headers of a load that fails everywhere, and of a refresh that finds nothing."""
    refusing = {"https://one.azconfig.io"} if keywords.get("replicas") else set()

    def answer(request: Request) -> Response:
        return status(503) if request.origin in refusing else page([setting("k", "v")])

    driver = ScriptedDriver(answer)
    given: dict[str, Any] = {
        "connection_string": CONNECTION,
        "replica_discovery_enabled": False,
        "refresh_enabled": True,
        **keywords,
    }
    context = context_for(driver.clock, Keywords(**given).checked())
    state = driver.run(start(context))
    driver.clock.advance(60)
    driver.run(refresh(context, state, force=True))
    headers = [dict(request.headers)["correlation-context"] for request in driver.requests]
    return list(dict.fromkeys(headers))


def test_every_request_tells_how_it_came_about() -> None:
    """At start and later, with how many replicas, and after a failover."""
    assert sent() == ["RequestType=Startup", "RequestType=Watch"]
    assert sent(secret_resolver=str) == [
        "RequestType=Startup,UsesKeyVault",
        "RequestType=Watch,UsesKeyVault",
    ]
    assert sent(replicas=[REPLICA], load_balancing_enabled=True) == [
        "RequestType=Startup,ReplicaCount=1,Features=LB",
        "RequestType=Startup,ReplicaCount=1,Features=LB,Failover",
        "RequestType=Watch,ReplicaCount=1,Features=LB",
        "RequestType=Watch,ReplicaCount=1,Features=LB,Failover",
    ]
