"""A push outlives a failure of the program's own credential."""

from __future__ import annotations

import time

from azure.core.credentials import AccessToken

from appconfig_provider import load
from appconfig_provider._live.inspection import inspect
from appconfig_provider.testing import Emulator, FakeClock


class Moody:
    """A credential whose tokens end soon and that now and then raises what is no azure error."""

    mood: Exception | None = None

    def get_token(self, *_scopes: str, **_more: object) -> AccessToken:
        """Return a token, or raise."""
        if self.mood is not None:
            raise self.mood
        return AccessToken("token", int(time.time()) + 200)


def test_a_push_outlives_a_failure_of_the_programs_own() -> None:
    """Where a credential breaks, the event is checked soon after, not an interval later."""
    credential = Moody()
    with FakeClock() as clock, Emulator(tls=True, clock=clock) as store:
        store.tokens.add("token")
        store.set_many({"k": "1", "sentinel": "1"})
        with load(
            store.endpoint,
            credential,
            verify=store.ca_file,
            refresh_on=["sentinel"],
            refresh_interval=3600,
            push_delay=0,
        ) as config:
            store.set_many({"k": "2", "sentinel": "2"})
            credential.mood = OSError("no route")
            config.notify(store.event("sentinel"))
            assert not config.refresh()
            credential.mood = None
            clock.advance(30)
            assert config.refresh()
            assert config["k"] == "2"


def test_a_push_that_is_not_due_yet_outlives_such_a_failure_too(chance: list[float]) -> None:
    """A timer's attempt that breaks by itself does not use up an event that is due later."""
    credential = Moody()
    chance[0] = 1.0
    with FakeClock() as clock, Emulator(tls=True, clock=clock) as store:
        store.tokens.add("token")
        store.set("sentinel", "1")
        with load(
            store.endpoint,
            credential,
            verify=store.ca_file,
            refresh_on=["sentinel"],
            refresh_interval=600,
            push_delay=660,
        ) as config:
            config.notify(store.event("sentinel"))
            clock.advance(600)
            credential.mood = OSError("no route")
            assert not config.refresh()
            assert inspect(config).state.timers.push == 660
            credential.mood = None
            store.set("sentinel", "2")
            clock.advance(59.9)
            assert not config.refresh()
            clock.advance(0.1)
            assert config.refresh()
