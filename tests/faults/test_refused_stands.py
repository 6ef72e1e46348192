"""What `status` tells while a generation stands refused, whatever else happens meanwhile."""

from __future__ import annotations

import pytest

from appconfig_provider import ConfigurationSnapshot
from appconfig_provider._azure.state import State
from appconfig_provider.errors import ServiceRequestError
from appconfig_provider.testing import Emulator, FakeClock
from tests.support.adapter import Loader
from tests.support.content import set_flag
from tests.support.deployment import ENDPOINTS, Deployment, refusing, whole


class Validation:
    """Accepts the first generation, and refuses every other one."""

    def __init__(self) -> None:
        self.first = True

    def __call__(self, _: object) -> None:
        if not self.first:
            raise ValueError("refused")
        self.first = False


@pytest.fixture
def deployment() -> Deployment:
    """A deployment whose second version will be refused."""
    return Deployment({"validate": Validation(), "refresh_interval": 1.0})


def refused(deployment: Deployment, times: int) -> State:
    """Load, deploy what is refused, and refresh until it has been refused so many times."""
    state = deployment.start()
    deployment.version = 2
    while times:
        outcome = deployment.when_due(state)
        state = outcome.state
        times -= outcome.error is not None
    return state


def test_an_outage_that_is_over_is_not_reported_for_as_long_as_a_refusal_stands(
    deployment: Deployment,
) -> None:
    """Once somebody answers again, the last error is what keeps the newer generation away."""
    state = refused(deployment, times=4)
    refusal = state.attempt.error
    deployment.afflict(ENDPOINTS, "", refusing)
    state = deployment.when_due(state).state
    assert isinstance(state.attempt.error, ServiceRequestError)
    deployment.trouble.clear()
    healed = deployment.when_due(state)
    assert healed.error is None
    assert healed.state.attempt.error is refusal
    assert str(refusal) == "refused"
    assert whole(healed.state) == 1


def test_a_flag_that_is_switched_does_not_hide_what_is_refused(load: Loader) -> None:
    """Flags are published while newer settings stand refused, and the last error says so still."""
    clock = FakeClock()

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["k"] == "bad":
            raise ValueError("refused")

    with clock, Emulator(clock=clock) as store:
        store.set_many({"k": "good", "sentinel": "1"})
        with load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            refresh_interval=20,
            feature_flag_enabled=True,
            feature_flag_refresh_enabled=True,
            feature_flag_refresh_interval=10,
            validate=validate,
        ) as config:
            store.set_many({"k": "bad", "sentinel": "2"})
            clock.advance(20)
            assert config.refresh() is False
            refusal = config.status.last_error
            assert str(refusal) == "refused"
            set_flag(store, "beta")
            clock.advance(10)
            assert config.refresh() is True
            assert config.snapshot["k"] == "good"
            assert config.status.last_error is refusal
            store.set_many({"k": "better", "sentinel": "3"})
            clock.advance(20)
            assert config.refresh() is True
            assert config.status.last_error is None


def test_flags_that_replace_refused_ones_end_the_refusal(load: Loader) -> None:
    """Flags were refused once: as soon as some are accepted all is well, and checks confirm it."""
    clock, refusing_flags = FakeClock(), [False]

    def validate(_: ConfigurationSnapshot) -> None:
        if refusing_flags[0]:
            raise ValueError("refused")

    with clock, Emulator(clock=clock) as store:
        store.set_many({"k": "good", "sentinel": "1"})
        with load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            refresh_interval=20,
            feature_flag_enabled=True,
            feature_flag_refresh_enabled=True,
            validate=validate,
        ) as config:
            refusing_flags[0] = True
            set_flag(store, "beta")
            clock.advance(20)
            assert config.refresh() is False
            refusing_flags[0] = False
            clock.advance(40)
            assert config.refresh() is True
            assert config.status.last_error is None
            clock.advance(1000)
            assert config.refresh() is False
            assert config.status.age == 0
