"""Evaluating feature flags: ours, `featuremanagement` and ConfigCat's client, taking turns.

Microseconds of one call, the fastest of all rounds, net of an empty loop. The rules are equivalent,
not the same algorithm: ConfigCat's client hashes otherwise.
"""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from timeit import Timer
from typing import Any, NamedTuple

import configcatclient.user
import featuremanagement
from configcatclient.configcatoptions import ConfigCatOptions
from configcatclient.interfaces import ConfigCache
from configcatclient.pollingmode import PollingMode

from appconfig_provider import AzureAppConfigurationProvider, Polling, load
from appconfig_provider.flags import FeatureManager, TargetingContext
from appconfig_provider.testing import Emulator
from tests.support.content import FLAG_PREFIX, FLAG_TYPE

from .measure import Effort, Figure
from .openfeature import through_openfeature
from .rows import Row, measured

MANY = 1_000
PEER, CONFIGCAT = "featuremanagement", "configcat-client"
WEEK = 7 * 86_400

AUDIENCE = {
    "Users": ["Anna", "Bert"],
    "Groups": [
        {"Name": "ring0", "RolloutPercentage": 100},
        {"Name": "ring1", "RolloutPercentage": 50},
    ],
    "DefaultRolloutPercentage": 25,
}
THIRDS = [("A", 0, 33), ("B", 33, 66), ("C", 66, 100)]


def _conditions(name: str, parameters: object) -> dict[str, Any]:
    return {"conditions": {"client_filters": [{"name": name, "parameters": parameters}]}}


TARGETED = _conditions("Microsoft.Targeting", {"Audience": AUDIENCE})
WEEKLY = _conditions(
    "Microsoft.TimeWindow",
    {
        "Start": "Mon, 01 Jan 2024 08:00:00 GMT",
        "End": "Mon, 01 Jan 2024 18:00:00 GMT",
        "Recurrence": {
            "Pattern": {"Type": "Weekly", "DaysOfWeek": ["Monday", "Wednesday", "Friday"]},
            "Range": {"Type": "NoEnd"},
        },
    },
)
FLAGS: list[dict[str, Any]] = [
    {"id": "simple", "enabled": True},
    {"id": "targeting", "enabled": True, **TARGETED},
    {
        "id": "variant",
        "enabled": True,
        "variants": [{"name": name, "configuration_value": name} for name, _, _ in THIRDS],
        "allocation": {
            "percentile": [{"variant": name, "from": low, "to": high} for name, low, high in THIRDS]
        },
    },
    {"id": "weekly", "enabled": True, **WEEKLY},
]


def many(more: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a thousand flags."""
    return [{"id": f"flag{number}", "enabled": True, **more} for number in range(MANY)]


class Sides(NamedTuple):
    """What is measured."""

    provider: AzureAppConfigurationProvider
    lazy: AzureAppConfigurationProvider
    plain: dict[str, Any]
    theirs: Any
    configcat: Any


class _Cache(ConfigCache):
    """A cache that has ConfigCat's configuration, so that no request is sent."""

    def get(self, key: str) -> str:
        """Return the configuration."""
        del key
        return _CACHED

    def set(self, key: str, value: str) -> None:
        """Keep nothing."""


def _value(text: str) -> dict[str, Any]:
    return {"v": {"s": text}}


_LISTED = {"u": {"a": "Identifier", "c": 0, "l": ["Anna", "Bert"]}}
_CONFIGCAT: dict[str, Any] = {
    "p": {"u": "https://localhost", "r": 0, "s": "salt"},
    "f": {
        "simple": {"t": 1, **_value("true")},
        "targeting": {
            "t": 1,
            **_value("false"),
            "r": [{"c": [_LISTED], "s": _value("true")}],
            "p": [{"p": 25, **_value("true")}, {"p": 75, **_value("false")}],
        },
        "variant": {
            "t": 1,
            **_value("A"),
            "p": [{"p": high - low, **_value(name)} for name, low, high in THIRDS],
        },
    },
}


_CACHED = f"{time.time() * 1000:.0f}\netag\n{json.dumps(_CONFIGCAT)}"


@contextmanager
def _loaded(flags: list[dict[str, Any]], **more: Any) -> Iterator[AzureAppConfigurationProvider]:
    """Load flags from a store of our own; it may be gone afterwards."""
    with Emulator() as store:
        for flag in flags:
            store.set(FLAG_PREFIX + flag["id"], json.dumps(flag), content_type=FLAG_TYPE)
        config = load(connection_string=store.connection_string, feature_flag_enabled=True, **more)
    with config:
        yield config


@contextmanager
def _sides() -> Iterator[Sides]:
    flags = FLAGS + many({})
    plain = {"feature_management": {"feature_flags": flags}}
    untyped: Any = configcatclient
    polling: Any = PollingMode
    options = ConfigCatOptions(polling_mode=polling.manual_poll(), config_cache=_Cache())
    client = untyped.get("configcat-sdk-1/" + "A" * 22 + "/" + "B" * 22, options)
    try:
        lazy = {"polling": Polling.lazy(3_600), "feature_flag_refresh_enabled": True}
        with _loaded(flags) as config, _loaded(FLAGS, **lazy) as reading:
            theirs = featuremanagement.FeatureManager(copy.deepcopy(plain))
            yield Sides(config, reading, plain, theirs, client)
    finally:
        client.close()


def _calls(statement: str, manager: Any, context: Any = None, kind: Any = None) -> Timer:
    names = {"m": manager, "c": context, "Context": kind, "user": "Brittney", "groups": ["ring2"]}
    return Timer(statement, globals=names)


def _rows(sides: Sides) -> list[Row]:
    ours, theirs = FeatureManager(sides.provider), sides.theirs
    plain = FeatureManager(copy.deepcopy(sides.plain))
    context = TargetingContext("Brittney", ["ring2"])
    their_context = featuremanagement.TargetingContext("Brittney", ["ring2"])
    untyped: Any = configcatclient.user
    user = untyped.User("Brittney")
    simple, targeting = "m.is_enabled('simple')", "m.is_enabled('targeting', c)"
    variant, built = "m.get_variant('variant', c)", "Context(user, groups)"
    theirs_simple = {PEER: _calls(simple, theirs)}

    def configcat(name: str) -> dict[str, Timer]:
        return {CONFIGCAT: _calls(f"m.get_value('{name}', None, c)", sides.configcat, user)}

    return [
        Row(
            "simple flag, our provider",
            _calls(simple, ours),
            0.12,
            {**theirs_simple, **configcat("simple")},
        ),
        Row("simple flag, a dict", _calls(simple, plain), 0.2, theirs_simple),
        Row(
            "simple flag, lazy provider",
            _calls(simple, FeatureManager(sides.lazy)),
            0.2,
            theirs_simple,
        ),
        Row(
            "targeting",
            _calls(targeting, ours, context),
            1.2,
            {PEER: _calls(targeting, theirs, their_context), **configcat("targeting")},
        ),
        Row(
            "three-way variant",
            _calls(variant, ours, context),
            1.3,
            {PEER: _calls(variant, theirs, their_context), **configcat("variant")},
        ),
        Row(
            "targeting, context built for each call",
            _calls(f"m.is_enabled('targeting', {built})", ours, kind=TargetingContext),
            1.6,
            {
                PEER: _calls(
                    f"m.is_enabled('targeting', {built})",
                    theirs,
                    kind=featuremanagement.TargetingContext,
                )
            },
        ),
        Row("evaluate() of a simple flag", _calls("m.evaluate('simple')", ours), 0.5),
        Row(
            "weekly recurrence, in a kept window",
            _calls("m.is_enabled('weekly')", ours),
            0.4,
            {PEER: _calls("m.is_enabled('weekly')", theirs)},
        ),
        Row(
            "weekly recurrence, leaving it at each call",
            _calls("m.is_enabled('weekly')", _restless(sides.plain)),
            1.0,
        ),
        Row(
            f"unknown flag, {MANY:,} loaded",
            _calls("m.is_enabled('unknown')", ours),
            0.2,
            {PEER: _calls("m.is_enabled('unknown')", theirs)},
        ),
    ]


def _restless(plain: dict[str, Any]) -> FeatureManager:
    """Return a manager whose clock jumps from one week to another at each look."""
    now = time.time()

    class Clock:
        time = staticmethod(cycle([now, now + WEEK]).__next__)

    class Restless(dict[str, Any]):
        _clock_of_flags = Clock

    return FeatureManager(Restless(plain))


_TOUCH = """
for name in names:
    m.is_enabled(name, c)
"""


def _first_touches() -> list[Row]:
    """Return what it takes to evaluate flags that were just loaded."""
    rows = []
    context = TargetingContext("Brittney", ["ring2"])
    their_context = featuremanagement.TargetingContext("Brittney", ["ring2"])
    names = [f"flag{number}" for number in range(MANY)]
    for kind, more, at_most in (("plain", {}, 2_000), ("all targeting", TARGETED, 5_000)):
        plain = {"feature_management": {"feature_flags": many(more)}}
        with _loaded(many(more)) as config:

            def ours(config: AzureAppConfigurationProvider = config) -> FeatureManager:
                return FeatureManager(config)

            def theirs(plain: dict[str, Any] = plain) -> Any:
                return featuremanagement.FeatureManager(copy.deepcopy(plain))

            rows.append(
                Row(
                    f"first touch of {MANY:,} flags, {kind}",
                    _touch(ours, names, context),
                    at_most,
                    {PEER: _touch(theirs, names, their_context)},
                    calls=1,
                    loop=False,
                )
            )
    return rows


def _touch(make: Callable[[], Any], names: list[str], context: Any) -> Timer:
    return Timer(_TOUCH, "m = make()", globals={"make": make, "names": names, "c": context})


def _one_changed(effort: Effort) -> Figure:
    """Return what the first evaluation takes after one flag of a thousand was changed."""
    taken = []
    with Emulator() as store:
        for flag in many(TARGETED):
            store.set(FLAG_PREFIX + flag["id"], json.dumps(flag), content_type=FLAG_TYPE)
        with load(
            connection_string=store.connection_string,
            feature_flag_enabled=True,
            feature_flag_refresh_enabled=True,
        ) as config:
            manager = FeatureManager(config)
            for number in range(3 + effort.repeats // 5):
                manager.evaluate_all("Brittney")
                changed = {"id": "flag500", "enabled": number % 2 == 0}
                store.set(FLAG_PREFIX + "flag500", json.dumps(changed), content_type=FLAG_TYPE)
                config.refresh(force=True)
                begin = time.perf_counter_ns()
                manager.is_enabled("flag500", "Brittney")
                taken.append((time.perf_counter_ns() - begin) / 1000)
    name = f"first touch of one changed flag among {MANY:,}"
    return Figure(name, "us", min(taken), at_most=200)


def measure_flags(effort: Effort) -> list[Figure]:
    """Measure all of it, the sides taking turns."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # theirs logs an unknown flag at each call
    try:
        with _sides() as sides:
            figures = measured(_rows(sides), effort)
            figures += through_openfeature(sides.provider, effort)
        return [*figures, *measured(_first_touches(), effort), _one_changed(effort)]
    finally:
        logging.disable(disabled)
