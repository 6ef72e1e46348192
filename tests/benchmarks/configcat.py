"""Evaluating ConfigCat's settings: our client, configcat-client 10.0.1 and 6.0.3, taking turns.

Microseconds of one call, the fastest of all rounds, net of an empty loop, unless a row says what
else. Each client gets its config by HTTP from a local CDN: `config_v5.json` for 6.0.3,
`config_v6.json` for the others. What a refresh and a start take is in `configcat_processes`.
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from timeit import Timer
from typing import Any, NamedTuple

from appconfig_provider.testing import ConfigCatEmulator
from tests.support.configcat603 import NAME as NAME_OF_OLD
from tests.support.configcat603 import import_603

from .configcat_content import LOCAL, USER, config
from .configcat_processes import OLD, PEER, measure_refresh, measure_start
from .measure import Effort, Figure
from .rows import OURS, Row, figure, many_rounds, measured, timed

MANY, SOME = 1_000, 100
"""Settings without rules of the bigger configs; local ones come on top."""
CACHE_TAKES = 0.001
"""Seconds for which a shared cache is asked."""
FEW_CALLS = 10
"""Calls in one run of a peer that takes a millisecond or more for each."""
NO_RULES = 0.35
"""Microseconds that a setting without rules may cost, wherever it comes from."""

PACKAGES = {OURS: "appconfig_provider.configcat", PEER: "configcatclient", OLD: NAME_OF_OLD}
LOGGERS = tuple(map(logging.getLogger, ("configcat", NAME_OF_OLD)))


class SlowCache:
    """A shared cache that takes its time to answer."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return what was set, late."""
        time.sleep(CACHE_TAKES)
        return self._kept.get(key)

    def set(self, key: str, value: object) -> None:
        """Keep it."""
        self._kept[key] = value


class Sides(NamedTuple):
    """One client of each package, with the same settings."""

    clients: dict[str, Any]

    def row(self, name: str, call: str, at_most: float, **names: dict[str, Any]) -> Row:
        """Return the row of a call of `m`, which may use more names, with a value for each side."""
        timers = {
            side: Timer(
                call, globals={"m": client, **{key: each[side] for key, each in names.items()}}
            )
            for side, client in self.clients.items()
        }
        return Row(name, timers.pop(OURS), at_most, timers)


def sides(base_url: str, number: int, *, local: bool = False, slow_cache: bool = False) -> Sides:
    """Make a client of each package that has downloaded its config.

    The number is another one for each call, for `get` has one client for each SDK key.
    """
    key = f"{number:022}/" + "B" * 22
    cache = SlowCache if slow_cache else None
    clients = {
        side: make(PACKAGES[side], base_url, key, local=local, cache=cache)
        for side, make in ((OURS, _newer), (PEER, _newer), (OLD, _older))
    }
    for client in clients.values():
        client.force_refresh()
    return Sides(clients)


def _newer(package: str, base_url: str, key: str, *, local: bool, cache: Any) -> Any:
    options = _module(package, "configcatoptions").ConfigCatOptions(
        base_url=base_url,
        polling_mode=_module(package, "pollingmode").PollingMode.manual_poll(),
        flag_overrides=_local(package, "LocalDictionaryFlagOverrides") if local else None,
        config_cache=cache and cache(),
    )
    return import_module(package).get(f"configcat-sdk-1/{key}", options)


def _older(package: str, base_url: str, key: str, *, local: bool, cache: Any) -> Any:
    return import_603().create_client_with_manual_poll(
        key,
        config_cache_class=cache,
        base_url=base_url,
        flag_overrides=_local(package, "LocalDictionaryDataSource") if local else None,
    )


def _local(package: str, name: str) -> Any:
    behaviour = _module(package, "overridedatasource").OverrideBehaviour.LocalOverRemote
    return getattr(_module(package, "localdictionarydatasource"), name)(LOCAL, behaviour)


def _module(package: str, name: str) -> Any:
    return import_module(f"{package}.{name}")


def _users() -> dict[str, Any]:
    return {side: _module(package, "user").User(*USER) for side, package in PACKAGES.items()}


def _reads(each: Sides) -> list[Row]:
    users = _users()
    rows = [each.row("get_value: no rules", "m.get_value('simple', False)", NO_RULES)]
    for name, call, at_most in (
        ("no rules, with a user", "m.get_value('simple', False, user)", NO_RULES),
        ("one rule", "m.get_value('rule', False, user)", 0.65),
        ("four percentage options", "m.get_value('options', '', user)", 1.6),
        ("one rule, a list of ten hashes", "m.get_value('hashed', False, user)", 1.4),
        ("one rule, a semantic version", "m.get_value('semver', False, user)", 1.6),
    ):
        rows.append(each.row(f"get_value: {name}", call, at_most, user=users))
    return rows


def _slow(base: dict[int, str]) -> list[Row]:
    """Return the rows in which a peer takes a millisecond or more."""
    one = "m.get_value('flag7', False)"
    rows = [
        sides(base[MANY], 2, local=True).row(
            f"get_value: no rules, {MANY + len(LOCAL):,} settings, LocalOverRemote", one, NO_RULES
        ),
        sides(base[SOME], 3, slow_cache=True).row(
            "get_value: no rules, a shared cache that takes 1 ms", one, NO_RULES
        ),
        sides(base[SOME], 4, local=True).row(
            f"get_all_values: {SOME + len(LOCAL)} settings, LocalOverRemote",
            "m.get_all_values()",
            15,
        ),
    ]
    return [row._replace(peer_calls=FEW_CALLS) for row in rows]


class Nowhere(io.TextIOBase):
    """A stream that keeps nothing."""

    def write(self, text: str) -> int:
        """Take a text."""
        return len(text)


@contextmanager
def _logging(handler: logging.Handler) -> Iterator[None]:
    """Log all evaluations to a handler."""
    with ExitStack() as after:
        for logger in LOGGERS:
            after.callback(logger.setLevel, logger.level)
            after.callback(setattr, logger, "propagate", logger.propagate)
            after.callback(logger.removeHandler, handler)
            logger.setLevel(logging.INFO)
            logger.propagate = False
            logger.addHandler(handler)
        yield


def _logged(each: Sides, effort: Effort) -> list[Figure]:
    """Return what the log of evaluations adds to one evaluation.

    A record that no handler formats costs the peers their text, too.
    """
    row = each.row("get_value", "m.get_value('rule', False, user)", 6, user=_users())
    row = row._replace(calls=200)
    rounds = many_rounds(effort)
    without = timed([row], effort, rounds)[row.name]
    figures = []
    for name, handler in (
        ("a record", logging.NullHandler()),
        ("a record and its text", logging.StreamHandler(Nowhere())),
    ):
        with _logging(handler):
            best = timed([row], effort, rounds)[row.name]
        added = {side: taken - without[side] for side, taken in best.items()}
        figures.append(figure(f"one rule, the log at INFO adds {name}", "us", added, row.at_most))
    return figures


def _evaluations(effort: Effort) -> list[Figure]:
    with ExitStack() as stack:
        base = {}
        for plain in (0, SOME, MANY):
            cdn = stack.enter_context(ConfigCatEmulator())
            cdn.load(config(plain))
            base[plain] = cdn.base_url
        for side in (OURS, PEER):
            stack.callback(_module(PACKAGES[side], "configcatclient").ConfigCatClient.close_all)
        each = sides(base[0], 1)
        return [
            *measured(_reads(each), effort),
            *_logged(each, effort),
            *measured(_slow(base), effort, effort.rounds),
        ]


def measure_configcat(effort: Effort) -> list[Figure]:
    """Measure all of it, the sides taking turns."""
    return [*_evaluations(effort), measure_refresh(effort, sides), *measure_start(effort)]
