"""How long `load()` waits between its rounds, and when it gives up."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from itertools import groupby
from typing import Any

import pytest

from appconfig_provider import Polling
from appconfig_provider._azure.budgets import first_load_allowance
from appconfig_provider._azure.first_generation import NotInTime
from appconfig_provider._azure.first_load import NobodyAnswered
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._fetch.budget import Allowance, Budget
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import Effect, Request, Response, Send
from appconfig_provider.errors import KeyVaultReferenceError, StartupTimeout
from appconfig_provider.testing import FakeClock, StaticCredential
from appconfig_provider.trouble import public
from tests.support.scripted import (
    CONNECTION,
    REPLICA,
    ScriptedDriver,
    context_for,
    page,
    reference,
    setting,
    status,
)


def unreachable(request: Request) -> Response:
    """Have nobody there."""
    raise RequestFailed(Kind.UNREACHABLE, request.origin, "no connection")


def scene(
    answer: Callable[[Request], Response], **keywords: Any
) -> tuple[ScriptedDriver, Callable[[], State]]:
    """Return a driver and what loads with it."""
    driver = ScriptedDriver(answer, FakeClock())
    given: dict[str, Any] = {
        "connection_string": CONNECTION,
        "replica_discovery_enabled": False,
        "retry_total": 0,
        **keywords,
    }
    context = context_for(driver.clock, Keywords(**given).checked())
    driver.clock.advance(1000)  # no clock begins with the load
    return driver, lambda: driver.run(start(context))


def test_the_longer_nobody_answers_the_rarer_are_the_rounds() -> None:
    """Every 5 s for 100 s, every 10 s until 200 s, every 30 s until 600 s, then ten minutes."""
    driver, load = scene(unreachable, startup_timeout=5000)
    with pytest.raises(NobodyAnswered):
        load()
    pauses = [(pause, len(list(group))) for pause, group in groupby(driver.slept)]
    assert pauses[:4] == [(5.0, 20), (10.0, 10), (30.0, 14), (600.0, 6)]
    assert all(pause < 600 for pause, _ in pauses[4:])


def test_after_ten_minutes_each_wait_is_twice_the_one_before() -> None:
    """Where rounds are slow there have been few; ten minutes is the longest."""

    def slow(request: Request) -> Response:
        driver.clock.advance(250)
        return unreachable(request)

    driver, load = scene(slow, startup_timeout=10_000)
    with pytest.raises(NobodyAnswered):
        load()
    assert driver.slept[:7] == [30.0, 30.0, 120.0, 240.0, 480.0, 600.0, 600.0]


def test_a_short_budget_is_halved_at_each_wait() -> None:
    """Half of what is left keeps time for another try; below half a second there is none."""
    driver, load = scene(unreachable, startup_timeout=8)
    with pytest.raises(NobodyAnswered) as caught:
        load()
    assert driver.slept == [4.0, 2.0, 1.0, 0.5, 0.25]
    assert "startup_timeout=8 s" in str(caught.value)
    error = public(caught.value)
    assert isinstance(error, StartupTimeout)
    assert len(error.causes) == 1


def test_the_error_names_the_keyword_that_said_how_long() -> None:
    """`startup_timeout`, or `init_wait` of the poller where that was given."""
    given: list[tuple[dict[str, Any], str]] = [
        ({"startup_timeout": 1, "polling": None}, "startup_timeout=1 s"),
        ({"startup_timeout": 1}, "startup_timeout=1 s"),
        ({"polling": Polling.auto(init_wait=2), "refresh_enabled": True}, "init_wait=2 s"),
    ]
    for keywords, words in given:
        _, load = scene(unreachable, **keywords)
        with pytest.raises(NobodyAnswered, match=f"within {words}"):
            load()


def test_the_error_of_a_deadline_says_which_time_was_used_up() -> None:
    """All of it, or the share that an endpoint has while others were not tried."""
    budget = Budget(10.0, Allowance(5.0, "the time of a check (5 s)"))
    assert budget.used_up(10.0) == "the time of a check (5 s) was used up"
    assert budget.used_up(9.9) == "its share of the time of a check (5 s) was used up"
    assert budget.share(4.0, 2) == 6.0
    assert budget.share(4.0, 0) == 10.0
    one_attempt = Keywords(connection_string=CONNECTION, startup_timeout=0).checked()
    allowed = first_load_allowance(one_attempt)
    assert (allowed.seconds, allowed.message) == (100.0, "the default of startup_timeout (100 s)")


@pytest.mark.parametrize(
    ("waits", "pauses"),
    [(("7", "9"), [7.0]), (("9", None), [5.0]), (("1", "2"), [5.0]), (("99", "120"), [99.0]),
     (("100", "120"), [])],
)  # fmt: skip
def test_the_shortest_wait_that_is_asked_for_is_kept(
    waits: tuple[str | None, str | None], pauses: list[float]
) -> None:
    """Never a shorter one than the usual; one that does not fit ends the start."""
    asked = dict(zip(("https://one.azconfig.io", REPLICA), waits, strict=True))

    def answer(request: Request) -> Response:
        if driver.slept:
            return page([setting("k", "v")])
        wait = asked[request.origin]
        return status(503, {"retry-after": wait} if wait else {})

    driver, load = scene(answer, replicas=[REPLICA])
    if pauses:
        assert load().snapshot["k"] == "v"
    else:
        with pytest.raises(NobodyAnswered):
            load()
    assert driver.slept == pauses


def test_each_round_asks_every_endpoint_though_it_backs_off() -> None:
    """At start there is nothing else to serve."""
    driver, load = scene(unreachable, startup_timeout=3, replicas=[REPLICA])
    with pytest.raises(NobodyAnswered):
        load()
    rounds = len(driver.slept) + 1
    origins = [request.origin for request in driver.requests]
    assert origins == ["https://one.azconfig.io", REPLICA] * rounds


def test_functions_that_use_up_the_time_end_the_load() -> None:
    """What is not called any more is reported, with the time that was used up."""

    def slow(_shown: object) -> None:
        driver.clock.advance(6)

    def passing(_snapshot: object) -> None:
        """Accept anything."""

    mapper = {"configuration_mapper": slow}
    given: list[tuple[str, dict[str, Any], str]] = [
        ("abc", mapper, "configuration_mapper was shown 2 of 3 settings"),
        ("ab", {**mapper, "validate": passing}, "validate was not called"),
    ]
    for names, keywords, words in given:
        answer = page([setting(name, "v") for name in names])
        driver, load = scene(partial(_always, answer), startup_timeout=10, **keywords)
        with pytest.raises(NotInTime, match=words) as caught:
            load()
        assert isinstance(public(caught.value), StartupTimeout)


def _always(answer: Response, _request: Request) -> Response:
    return answer


def test_what_is_known_after_a_load() -> None:
    """`status` has attempt, success and endpoint; timers begin when the load is over."""

    def answer(_request: Request) -> Response:
        driver.clock.advance(0.25)
        return page([setting("k", "v")])

    driver, load = scene(answer, refresh_enabled=True, refresh_interval=20)
    state = load()
    assert state.endpoints.all[0].round_trip == 0.25
    now = driver.clock.monotonic()
    assert state.attempt.last is not None
    assert state.attempt.last.monotonic == now
    assert state.attempt.success == state.attempt.last
    assert state.attempt.error is None
    assert state.attempt.endpoint == state.endpoints.last == "https://one.azconfig.io"
    assert state.due == now + 20
    assert state.rejected is None
    assert state.unread is None


VAULT = "https://v.vault.azure.net"


class VaultDriver(ScriptedDriver):
    """Answers for a vault, too: by a challenge without a token; for `b` in trouble for a while."""

    healed_at: float
    refused_with: int
    read: list[str]

    def _perform(self, effect: Effect[object]) -> object:
        if not isinstance(effect, Send) or effect.request.origin != VAULT:
            return super()._perform(effect)
        if not (effect.sign and effect.sign(effect.request, 0.0)):
            challenge = 'Bearer resource="https://vault.azure.net"'
            return status(401, {"www-authenticate": challenge})
        name = effect.request.target.removeprefix("/secrets/")[0]
        self.read.append(name)
        if name == "b" and self.clock.monotonic() < self.healed_at:
            return status(self.refused_with)
        return Response(200, {}, json.dumps({"value": f"secret {name}"}).encode())


def references(*names: str) -> Response:
    """Return a page of Key Vault references."""
    return page([reference(name, f"{VAULT}/secrets/{name}", name) for name in names])


def vault_scene(
    healed_after: float, refused_with: int = 503, **keywords: Any
) -> tuple[VaultDriver, Callable[[], State]]:
    """Return a driver with a vault, and what loads with it."""
    driver = VaultDriver(lambda _: references("a", "b"), FakeClock())
    driver.healed_at = driver.clock.monotonic() + healed_after
    driver.refused_with, driver.read = refused_with, []
    options = Keywords(
        connection_string=CONNECTION,
        replica_discovery_enabled=False,
        retry_total=0,
        keyvault_credential=StaticCredential("token"),
        **keywords,
    ).checked()
    return driver, lambda: driver.run(start(context_for(driver.clock, options)))


@pytest.mark.parametrize(
    ("healed_after", "budget", "pauses"),
    [(4.0, 100.0, [5.0]), (9.0, 100.0, [5.0, 5.0]), (3.5, 6.0, [3.0, 1.5])],
)
def test_a_vault_in_passing_trouble_is_asked_again_alone(
    healed_after: float, budget: float, pauses: list[float]
) -> None:
    """Every 5 s, or after half of what is left; what was read is not read twice, nor the store."""
    driver, load = vault_scene(healed_after, startup_timeout=budget)
    assert dict(load().snapshot) == {"a": "secret a", "b": "secret b"}
    assert driver.slept == pauses
    assert driver.read == ["a", *["b"] * (len(pauses) + 1)]
    assert len(driver.requests) == 1


def test_a_vault_that_stays_in_trouble_ends_the_load_with_its_own_error() -> None:
    """The error names the reference; below half a second nothing is waited for."""
    driver, load = vault_scene(1e9, startup_timeout=4)
    with pytest.raises(UnresolvedReference) as caught:
        load()
    assert driver.slept == [2.0, 1.0, 0.5, 0.25]
    error = public(caught.value)
    assert isinstance(error, KeyVaultReferenceError)
    assert error.key == "b"


@pytest.mark.parametrize(
    ("refused_with", "keywords"), [(403, {}), (404, {}), (503, {"startup_timeout": 0})]
)
def test_a_vault_is_not_asked_again_where_it_does_not_help(
    refused_with: int, keywords: dict[str, Any]
) -> None:
    """A refusal stays one, and without a budget nothing is waited for."""
    driver, load = vault_scene(1.0, refused_with, **keywords)
    with pytest.raises(UnresolvedReference):
        load()
    assert driver.slept == []


def test_a_secret_that_the_policy_makes_up_for_is_reported_with_the_load() -> None:
    """Left out by `omit`, it is owed, and what failed stands in the status."""
    driver, load = vault_scene(1.0, secret_policy="omit")
    state = load()
    assert dict(state.snapshot) == {"a": "secret a"}
    assert isinstance(state.attempt.error, KeyVaultReferenceError)
    assert state.unread is state.attempt.error
    assert [problem.key for problem in state.generation.problems] == ["b"]
    kept: BaseException | None = state.unread
    while kept is not None:
        assert kept.__traceback__ is None, "what is kept holds no frames"
        kept = kept.__cause__
    assert state.due < driver.clock.monotonic() + 60
