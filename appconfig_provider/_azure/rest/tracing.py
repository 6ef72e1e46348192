"""The Correlation-Context header: which features are in use, for the service's own statistics.

Every official provider sends it, in this order and spelling. It holds no name and no value of a
setting. AZURE_APP_CONFIGURATION_TRACING_DISABLED=true turns it off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

OFF_SWITCH = "AZURE_APP_CONFIGURATION_TRACING_DISABLED"

_HOSTS = (
    ("AzureFunction", "FUNCTIONS_EXTENSION_VERSION"),
    ("AzureWebApp", "WEBSITE_SITE_NAME"),
    ("ContainerApp", "CONTAINER_APP_NAME"),
    ("Kubernetes", "KUBERNETES_PORT"),
    ("ServiceFabric", "Fabric_NodeName"),
)

_AI = "https://azconfig.io/mime-profiles/ai/"
_CHAT_COMPLETION = _AI + "chat-completion"

_FILTERS = {
    "PRCNT": ("Percentage", "PercentageFilter"),
    "TIME": ("TimeWindow", "TimeWindowFilter"),
    "TRGT": ("Targeting", "TargetingFilter"),
}
_PartT = TypeVar("_PartT", list[Any], dict[str, Any])

_BUILT_IN = {
    prefix + name: tag
    for tag, names in _FILTERS.items()
    for name in names
    for prefix in ("", "Microsoft.")
}


@dataclass(frozen=True, slots=True)
class Environment:
    """What the header says about the process; read once."""

    enabled: bool = True
    host: str = ""
    feature_management: str = ""
    """The version of the featuremanagement package, where flags are loaded."""


def read_environment(variables: Mapping[str, str], feature_management: str) -> Environment:
    """Read the environment variables."""
    host = next((name for name, variable in _HOSTS if variables.get(variable)), "")
    off = variables.get(OFF_SWITCH, "").lower() == "true"
    return Environment(not off, host, feature_management)


@dataclass(frozen=True, slots=True)
class Usage:
    """Which features the loaded content uses."""

    filters: frozenset[str] = frozenset()
    max_variants: int = 0
    seed: bool = False
    telemetry: bool = False
    ai: bool = False
    chat_completion: bool = False
    snapshot_reference: bool = False


def usage_of(
    flags: Iterable[Mapping[str, Any]], content_types: Iterable[str], *, snapshot_reference: bool
) -> Usage:
    """Return which features flags and settings use."""
    flags = list(flags)
    types = set(content_types)
    return Usage(
        filters=frozenset(tag for flag in flags for tag in _filter_tags(flag)),
        max_variants=max((len(_part(flag, "variants", list)) for flag in flags), default=0),
        seed=any(_part(flag, "allocation", dict).get("seed") for flag in flags),
        telemetry=any(_part(flag, "telemetry", dict).get("enabled") for flag in flags),
        ai=any(_AI in one for one in types),
        chat_completion=any(_CHAT_COMPLETION in one for one in types),
        snapshot_reference=snapshot_reference,
    )


def _filter_tags(flag: Mapping[str, Any]) -> Iterable[str]:
    for one in _part(_part(flag, "conditions", dict), "client_filters", list):
        if isinstance(one, dict):
            name = one.get("name")
            yield _BUILT_IN.get(name, "CSTM") if isinstance(name, str) else "CSTM"


def _part(flag: Mapping[str, Any], name: str, kind: type[_PartT]) -> _PartT:
    """Return a part of a flag; an empty one for null and for what has another shape."""
    part = flag.get(name)
    return part if isinstance(part, kind) else kind()


@lru_cache(maxsize=64)
def correlation_context(
    environment: Environment,
    usage: Usage,
    *,
    startup: bool,
    replicas: int,
    balanced: bool,
    tags: tuple[str, ...],
) -> str:
    """Return the header's value; empty when tracing is off. Cached: most requests have the same."""
    if not environment.enabled:
        return ""
    order = ("CSTM", "PRCNT", "TIME", "TRGT")
    pairs = (
        ("RequestType", "Startup" if startup else "Watch"),
        ("ReplicaCount", str(replicas) if replicas else ""),
        ("Host", environment.host),
        ("Filter", "+".join(tag for tag in order if tag in usage.filters)),
        ("MaxVariants", str(usage.max_variants) if usage.max_variants else ""),
        ("FFFeatures", _joined(("Seed", usage.seed), ("Telemetry", usage.telemetry))),
        (
            "Features",
            _joined(
                ("LB", balanced),
                ("AI", usage.ai),
                ("AICC", usage.chat_completion),
                ("SnapshotRef", usage.snapshot_reference),
            ),
        ),
        ("FMPyVer", environment.feature_management),
    )
    return ",".join([*(f"{name}={value}" for name, value in pairs if value), *tags])


def _joined(*features: tuple[str, bool]) -> str:
    return "+".join(name for name, used in features if used)
