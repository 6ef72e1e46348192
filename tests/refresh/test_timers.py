"""What is due, and when: timers of settings, flags, secrets and pushes, and who backs off."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest

from appconfig_provider._azure.context import Secret
from appconfig_provider._azure.generation import Generation
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.listing.content import Content
from appconfig_provider._azure.options import Options
from appconfig_provider._azure.rest.tracing import Usage
from appconfig_provider._azure.state import Due, Reason, State, Timers, first_timers
from appconfig_provider._fetch.backoff import Backoff
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider.models import Explanation, Store
from appconfig_provider.snapshot import Provenance, make_snapshot
from tests.support.scripted import CONNECTION

NEVER = math.inf


def unexplained(key: str) -> Explanation:
    """Know of no key."""
    raise KeyError(key)


SNAPSHOT = make_snapshot(
    {}, Provenance(1, datetime(2026, 11, 21, tzinfo=timezone.utc)), explain=unexplained
)


def endpoints(*until: float) -> Endpoints:
    """Return endpoints that back off until some moments."""
    return Endpoints(
        tuple(
            Endpoint(Store(f"https://e{number}.azconfig.io"), Backoff(1, moment))
            for number, moment in enumerate(until)
        )
    )


def state(timers: Timers, *, free_at: float = -NEVER, secrets: tuple[Secret, ...] = ()) -> State:
    """Return a state of which only timers, back-off and secrets matter."""
    generation = Generation(
        snapshot=SNAPSHOT,
        values={},
        flags={},
        secrets={str(number): secret for number, secret in enumerate(secrets)},
        decoded={},
        problems=frozenset(),
        usage=Usage(),
    )
    return State(
        generation=generation,
        values={},
        snapshot=SNAPSHOT,
        content=Content(),
        sentinels=(),
        endpoints=endpoints(free_at, free_at + 1000),
        timers=timers,
    )


OWED = Secret("x", 0.0, due=15.0)


@pytest.mark.parametrize(
    ("found", "due"),
    [
        (state(Timers()), NEVER),
        (state(Timers(settings=30.0)), 30.0),
        (state(Timers(settings=30.0, flags=20.0)), 20.0),
        (state(Timers(settings=30.0, secrets=10.0)), 10.0),
        (state(Timers(settings=30.0, push=5.0)), 5.0),
        (state(Timers(settings=30.0, push=40.0)), 30.0),
        (state(Timers(push=5.0)), NEVER),
        (state(Timers(secrets=10.0, push=5.0)), 10.0),
        (state(Timers(settings=30.0), free_at=60.0), 60.0),
        (state(Timers(settings=30.0, push=5.0), free_at=60.0), 60.0),
        (state(Timers(settings=30.0), free_at=20.0), 30.0),
        (state(Timers(settings=30.0, secrets=10.0), free_at=60.0), 10.0),
        (state(Timers(secrets=10.0), free_at=60.0), 10.0),
        (state(Timers(settings=30.0), secrets=(OWED, Secret("y", 0.0))), 15.0),
        (state(Timers(), secrets=(Secret("y", 0.0),)), NEVER),
        (state(Timers(settings=30.0), free_at=60.0, secrets=(OWED,)), 15.0),
    ],
)
def test_a_refresh_is_due_with_the_first_timer_that_can_be_followed(
    found: State, due: float
) -> None:
    """The store waits until an endpoint is free, a vault does not; a push alone wants nothing."""
    assert found.due == due


WATCHING = Timers(settings=30.0, flags=40.0, secrets=50.0)
NOTHING = Due(settings=False, flags=False, secrets=False, cause=Reason.FORCED)


@pytest.mark.parametrize(
    ("found", "now", "expected"),
    [
        (state(Timers()), 1e9, NOTHING),
        (state(WATCHING), 29.9, NOTHING),
        (state(WATCHING), 30.0, Due(settings=True, flags=False, secrets=False)),
        (state(WATCHING), 40.0, Due(settings=True, flags=True, secrets=False)),
        (state(WATCHING), 50.0, Due(settings=True, flags=True, secrets=True)),
        (state(replace(WATCHING, settings=NEVER)), 40.0,
         Due(settings=False, flags=True, secrets=False)),
        (state(WATCHING, free_at=45.0), 40.0, Due(settings=False, flags=False, secrets=False)),
        (state(WATCHING, free_at=45.0), 45.0, Due(settings=True, flags=True, secrets=False)),
        (state(WATCHING, free_at=99.0), 50.0, Due(settings=False, flags=False, secrets=True)),
        (state(replace(WATCHING, push=5.0)), 5.0,
         Due(settings=True, flags=True, secrets=False, cause=Reason.PUSH)),
        (state(replace(WATCHING, push=5.0)), 4.9, NOTHING),
        (state(replace(WATCHING, push=5.0)), 30.0, Due(settings=True, flags=True, secrets=False)),
        (state(replace(WATCHING, push=5.0), free_at=9.0), 5.0, replace(NOTHING, cause=Reason.PUSH)),
        (state(Timers(push=5.0)), 5.0, replace(NOTHING, cause=Reason.PUSH)),
        (state(Timers(), secrets=(OWED,)), 14.9, NOTHING),
        (state(Timers(), secrets=(OWED,)), 15.0,
         Due(settings=False, flags=False, secrets=False, owed=True)),
    ],
)  # fmt: skip
def test_what_has_come_due_is_asked_and_nothing_else(
    found: State, now: float, expected: Due
) -> None:
    """At its very time a timer has passed; a push wants settings and flags sooner."""
    assert found.what_is_due(now, force=False) == expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (state(WATCHING, free_at=99.0),
         Due(settings=True, flags=True, secrets=True, cause=Reason.FORCED)),
        (state(Timers(settings=30.0)), Due(settings=True, flags=False, secrets=False,
                                           cause=Reason.FORCED)),
        (state(Timers()), NOTHING),
        (state(Timers(), secrets=(Secret("x", 0.0),)), replace(NOTHING, secrets=True)),
        (state(Timers(), secrets=(Secret("x", 0.0, fixed=True),)), NOTHING),
        (state(replace(WATCHING, push=1.0)),
         Due(settings=True, flags=True, secrets=True, cause=Reason.PUSH)),
    ],
)  # fmt: skip
def test_force_asks_for_all_that_is_watched_now(found: State, expected: Due) -> None:
    """Timers and back-offs do not count, and secrets that can change are read; the rest is not."""
    assert found.what_is_due(2.0, force=True) == replace(expected, forced=True)


def options(**keywords: Any) -> Options:
    """Return the options of `load()`."""
    given: dict[str, Any] = {"connection_string": CONNECTION, "refresh_interval": 30, **keywords}
    return Keywords(**given).checked()


FLAGS = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
VAULT = {"secret_refresh_interval": 90, "secret_resolver": str}


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, Timers()),
        ({"refresh_on": ["s"]}, Timers(settings=130.0)),
        ({"refresh_enabled": True}, Timers(settings=130.0)),
        ({"refresh_on": ["s"], "refresh_enabled": False}, Timers()),
        (FLAGS, Timers(flags=130.0)),
        ({**FLAGS, "feature_flag_refresh_interval": 60}, Timers(flags=160.0)),
        ({"feature_flag_enabled": True}, Timers()),
        (VAULT, Timers(secrets=190.0)),
        ({"secret_refresh_interval": 90}, Timers()),
        ({"secret_resolver": str}, Timers()),
    ],
)
def test_each_timer_begins_with_the_load_where_something_is_watched(
    keywords: dict[str, Any], expected: Timers
) -> None:
    """What is not watched is never due."""
    assert first_timers(100.0, options(**keywords)) == expected


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (Due(settings=False, flags=False, secrets=False), Timers(1.0, 2.0, 3.0, 4.0)),
        (Due(settings=True, flags=False, secrets=False), Timers(130.0, 2.0, 3.0, NEVER)),
        (Due(settings=False, flags=True, secrets=False), Timers(1.0, 160.0, 3.0, NEVER)),
        (Due(settings=False, flags=False, secrets=True), Timers(1.0, 2.0, 190.0, 4.0)),
        (Due(settings=True, flags=True, secrets=True), Timers(130.0, 160.0, 190.0, NEVER)),
    ],
)
def test_a_timer_begins_anew_when_it_was_followed(due: Due, expected: Timers) -> None:
    """A push has been followed once the store was asked."""
    given = options(refresh_on=["s"], **FLAGS, **VAULT, feature_flag_refresh_interval=60)
    timers = Timers(1.0, 2.0, 3.0, 4.0)
    assert timers.rearmed(100.0, given, due) == expected
    assert state(timers).rearmed(100.0, given, due).timers == expected


def test_flags_and_secrets_that_are_not_watched_stay_never() -> None:
    """Their timers are not begun by a refresh that was forced."""
    due = Due(settings=True, flags=True, secrets=True)
    assert Timers().rearmed(100.0, options(), due) == Timers(settings=130.0)
