"""Mistakes found by attacking refresh with events, flags and reloads; kept from coming back."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from appconfig_provider import load
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.testing import Emulator, FakeClock, RequestRecord

FLAG = ".appconfig.featureflag/f"
FLAG_TYPE = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"


def switch(store: Emulator, *, on: bool) -> None:
    """Write the feature flag."""
    store.set(FLAG, json.dumps({"id": "f", "enabled": on}), content_type=FLAG_TYPE)


@pytest.mark.parametrize("interval", [30, 900])
def test_a_kill_switch_works_beside_settings_that_are_refused(interval: float) -> None:
    """A flag that moved together with a sentinel counts at once, though `validate` refuses."""

    def check(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["k"] == "bad":
            raise ValueError("bad k")

    with FakeClock() as clock, Emulator(clock=clock) as store:
        store.set_many({"k": "good", "sentinel": "1"})
        switch(store, on=True)
        with load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            refresh_interval=interval,
            validate=check,
            feature_flag_enabled=True,
            feature_flag_refresh_enabled=True,
        ) as config:
            store.set_many({"k": "bad", "sentinel": "2"})
            switch(store, on=False)
            clock.advance(interval)
            config.refresh()
            assert config["k"] == "good"
            management: Any = config["feature_management"]
            assert management["feature_flags"][0]["enabled"] is False


class Moody:
    """A credential whose tokens end soon and that now and then raises what is no azure error."""

    mood: Exception | None = None

    def get_token(self, *_scopes: str, **_more: object) -> AccessToken:
        """Return a token, or raise."""
        if self.mood is not None:
            raise self.mood
        return AccessToken("token", int(time.time()) + 200)


def test_a_push_outlives_a_failure_of_the_programs_own() -> None:
    """Where a credential breaks, the event's look comes soon after, not an interval later."""
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


def test_a_push_that_is_not_due_yet_outlives_such_a_failure_too() -> None:
    """A timer's attempt that breaks by itself does not use up an event whose moment is to come."""
    credential = Moody()
    with FakeClock() as clock, Emulator(tls=True, clock=clock) as store:
        store.tokens.add("token")
        store.set("sentinel", "1")
        with load(
            store.endpoint,
            credential,
            verify=store.ca_file,
            refresh_on=["sentinel"],
            refresh_interval=30,
            push_delay=60,
        ) as config:
            object.__setattr__(config._context, "random", lambda: 1.0)
            config.notify(store.event("sentinel"))
            clock.advance(30)
            credential.mood = OSError("no route")
            assert not config.refresh()
            assert config._state.timers.push == 60


def test_a_setting_that_two_reloads_saw_in_two_places_stands_once() -> None:
    """What was written while pages were read shadows nothing twice, and publishes once."""
    with Emulator(page_size=2) as store:
        store.set_many({f"k{number}": "0" for number in range(0, 9, 2)})
        with load(connection_string=store.connection_string, refresh_enabled=True) as config:

            def write(record: RequestRecord) -> None:
                if "after" in record.target:
                    hook.remove()
                    store.set_many({"k3": "new", "k5": "new"})

            store.set("k1", "1")
            with store.after_answer(write) as hook:
                config.refresh(force=True)
            for key in ("k2", "k6"):
                store.delete(key)
                config.refresh(force=True)
            assert config.refresh(force=True) is False
            assert dict(config.snapshot) == {
                key: setting.value
                for key, setting in ((f"k{n}", store.get(f"k{n}")) for n in range(9))
                if setting is not None
            }
            for key in config.snapshot:
                assert config.snapshot.explain(key).shadows == ()


def test_no_repr_of_the_state_shows_a_value() -> None:
    """Tools that print local variables print the state; a rejected generation is no exception."""
    with Emulator() as store:
        store.set_many({"k": "hush-1", "sentinel": "1"})
        with load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            validate=lambda snapshot: math.log(snapshot["k"] == "hush-1"),
        ) as config:
            store.set_many({"k": "hush-22", "sentinel": "2"})
            config.refresh(force=True)
            assert config._state.rejected is not None
            assert "hush" not in repr(config._state)
            assert "hush" not in repr(config.snapshot._explain)
