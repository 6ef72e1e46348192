"""Hours of a network that comes and goes, in virtual time, and a second account of the rules."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from appconfig_provider._azure.state import State
from tests.support.deployment import ENDPOINTS, FAULTS, MOMENTS, Deployment, refusing, whole

HEALED = 600
"""Seconds after the end of all trouble until the newest version is served."""


@dataclass
class Ledger:
    """Who may be asked when: kept from what was seen on the wire, not by the engine's code."""

    failures: dict[str, int] = field(default_factory=dict)
    free: dict[str, float] = field(default_factory=dict)
    last: str = ""

    def order(self, now: float, *, balanced: bool) -> list[str]:
        """Return who may be asked, in the order that was promised."""
        start = ENDPOINTS.index(self.last) + 1 if balanced and self.last else 0
        turned = (*ENDPOINTS[start:], *ENDPOINTS[:start])
        return [endpoint for endpoint in turned if self.free.get(endpoint, 0) <= now]

    def enter(self, deployment: Deployment, asked: Sequence[str], *, answered: bool) -> None:
        """Write down the endpoints that an operation tries."""
        for endpoint in asked[:-1] if answered else asked:
            count = self.failures[endpoint] = self.failures.get(endpoint, 0) + 1
            fault = deployment.trouble[endpoint][1]
            least = 60 if fault is FAULTS["429, wait a minute"] else 0
            pause = max(min(30 * 2 ** (count - 1), 600), least)
            self.free[endpoint] = deployment.ended[endpoint] + pause
        if answered:
            self.last = asked[-1]
            self.failures[self.last] = 0


def disturb(deployment: Deployment, chance: random.Random) -> None:
    """Let something happen to one endpoint, or to the store."""
    endpoint = chance.choice(ENDPOINTS)
    match chance.randrange(6):
        case 0 | 1:
            fault = chance.choice(list(FAULTS.values()))
            deployment.afflict([endpoint], chance.choice(("", *MOMENTS)), fault)
        case 2:
            deployment.trouble.pop(endpoint, None)
        case 3:
            deployment.stale[endpoint] = deployment.stale.get(endpoint, deployment.version)
        case 4:
            deployment.stale.pop(endpoint, None)
        case _:
            deployment.version += 1


def refresh_by_the_rules(deployment: Deployment, state: State, ledger: Ledger) -> State:
    """Refresh, and compare what was asked with what the ledger says."""
    began = deployment.clock.monotonic()
    outcome = deployment.refresh(state)
    asked, options = deployment.asked(), deployment.options
    if began < state.due:
        assert asked == []
        return outcome.state
    order = ledger.order(began, balanced=options.store.balances)
    answered = outcome.error is None
    assert asked == (order[: len(asked)] if answered else order)
    ledger.enter(deployment, asked, answered=answered)
    for endpoint in outcome.state.endpoints.all:
        url = endpoint.store.url
        assert endpoint.backoff.failures == ledger.failures.get(url, 0)
        assert endpoint.backoff.failures == 0 or endpoint.backoff.until == ledger.free[url]
    took = deployment.clock.monotonic() - began
    assert took <= options.check_budget + options.load_budget
    assert whole(outcome.state) >= whole(state)
    assert all(sent == given for _, sent, given in deployment.echoes)
    deployment.echoes.clear()
    return outcome.state


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_hours_of_trouble_are_gone_through_by_the_rules(seed: int, balanced: bool) -> None:
    """Faults, lag and deployments at random: order and back-off as promised, nothing rolls back.

    What is served is always one version, and the newest soon after everything healed.
    """
    chance = random.Random(seed)
    deployment = Deployment({"load_balancing_enabled": balanced, "retry_total": 0})
    state = deployment.start()
    ledger = Ledger(last=ENDPOINTS[0])
    attempts = 0
    for _ in range(400):
        deployment.clock.advance(chance.choice((1, 5, 30, 90)))
        disturb(deployment, chance)
        deployment.next_version_at = chance.choice((0, 0, 2, 3, 4))
        attempts += deployment.clock.monotonic() >= state.due
        state = refresh_by_the_rules(deployment, state, ledger)
    assert attempts > 100
    deployment.trouble.clear()
    deployment.stale.clear()
    deployment.next_version_at = 0
    end = deployment.clock.monotonic() + HEALED
    while state.due <= end:
        state = deployment.when_due(state).state
    assert whole(state) == deployment.version


@pytest.mark.parametrize("lost", [ENDPOINTS[:1], ENDPOINTS[:2], ENDPOINTS])
def test_a_partition_comes_and_heals(lost: Sequence[str]) -> None:
    """What can be reached goes on by the interval; what cannot costs little and comes back."""
    deployment = Deployment({"retry_total": 0})
    state = deployment.start()
    deployment.afflict(lost, "", refusing)
    requests = 0
    for _ in range(3_600):
        deployment.clock.advance(1)
        if deployment.clock.monotonic() == 1_800:
            deployment.version = 2
        if deployment.clock.monotonic() >= state.due:
            state = deployment.refresh(state).state
            requests += sum(one.origin in lost for one in deployment.driver.requests)
    assert requests == 10 * len(lost), "after 30, 60, .. 480 s, then every ten minutes"
    assert whole(state) == (1 if len(lost) == 3 else 2)
    deployment.trouble.clear()
    deployment.version = 3
    deployment.clock.advance(HEALED)
    state = deployment.refresh(state).state
    assert deployment.asked() == [ENDPOINTS[0]]
    assert whole(state) == 3
