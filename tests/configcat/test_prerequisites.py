"""Settings that need one another take no longer than their config is long."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from appconfig_provider.configcat import (
    ConfigCatClient,
    ConfigCatOptions,
    Hooks,
    PollingMode,
    User,
)
from appconfig_provider.configcat.evaluation.document import read_config
from appconfig_provider.configcat.evaluation.evaluators import Evaluators
from appconfig_provider.testing import ConfigCatEmulator
from tests.support.configcat_clients import KEY

Config = dict[str, Any]


class CountingUser(User):
    """A user that counts how often it is looked at; each condition of `rules` does so once."""

    looks = 0

    def get_attribute(self, attribute: object) -> Any:
        """Return an attribute."""
        self.looks += 1
        return super().get_attribute(attribute)


def needs(key: str) -> Config:
    """Return a rule that serves True where another setting is True."""
    return {"c": [{"p": {"f": key, "c": 0, "v": {"b": True}}}], "s": {"v": {"b": True}}}


def setting(*rules: Config) -> Config:
    """Return a setting that is False for all others."""
    return {"t": 0, "v": {"b": False}, "r": list(rules)}


def ladder(steps: int, tops: int) -> Config:
    """Return settings that need the next one twice, and others that need the first of them."""
    asks = {"c": [{"u": {"a": "Email", "c": 28, "s": "x"}}], "s": {"v": {"b": False}}}
    config = {f"f{n}": setting(asks, *[needs(f"f{n + 1}")] * 2) for n in range(steps)}
    config[f"f{steps}"] = setting(asks)
    return {**config, **{f"g{n}": setting(needs("f0")) for n in range(tops)}}


def evaluators(settings: Config) -> Evaluators:
    """Return the evaluators of settings."""
    return Evaluators(read_config(json.dumps({"f": settings})).settings)


@pytest.fixture
def client() -> Iterator[ConfigCatClient]:
    """Yield a client with 40 settings that need the next one twice, and 100 that need the first."""
    with ConfigCatEmulator() as cdn:
        cdn.load({"f": ladder(40, 100)})
        options = ConfigCatOptions(base_url=cdn.base_url, polling_mode=PollingMode.manual_poll())
        with ConfigCatClient.of(KEY, options) as client:
            client.force_refresh()
            yield client


def test_one_setting_is_evaluated_whatever_it_needs(client: ConfigCatClient) -> None:
    """2 to the power of 40 ways lead to the last setting; it is looked at some thousand times."""
    user = CountingUser("1", "jane@example.com")
    details = client.get_value_details("g0", None, user)
    assert (details.value, details.error) == (False, None)
    assert user.looks < 10_000


@pytest.mark.parametrize("heard", ["nothing", "log", "hook"])
@pytest.mark.parametrize("method", ["get_all_values", "get_all_value_details"])
def test_all_settings_together_need_each_setting_once(
    client: ConfigCatClient, heard: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit counts for the whole call, also where each evaluation is logged or told."""
    caplog.set_level(logging.INFO if heard == "log" else logging.WARNING, "configcat")
    if heard == "hook":
        client.get_hooks().add_on_flag_evaluated(lambda _: None)
    user = CountingUser("1", "jane@example.com")
    assert len(getattr(client, method)(user)) == 141
    assert user.looks < 20_000
    values = client.get_all_values(User("1", "jane@example.com"))
    assert set(values.values()) == {False}
    assert isinstance(client.get_hooks(), Hooks)


def test_what_was_kept_is_what_each_setting_comes_to() -> None:
    """Values, and settings that cannot be evaluated, are those of single evaluations."""
    settings = {
        **ladder(30, 20),
        "circle": setting(needs("circle2")),
        "circle2": setting(needs("circle")),
        **{f"into{n}": setting(needs("circle")) for n in range(20)},
        "lost": setting(needs("unknown")),
        "on": {"t": 0, "v": {"b": True}},
        **{f"by{n}": setting(needs("f0"), needs("on")) for n in range(20)},
    }
    found = evaluators(settings)
    for user in (None, User("1", "x"), User("1", "jane@example.com"), User("1")):
        call = found.one_call()
        together = [found.decide(key, user, call) for key in settings]
        alone = [found.decide(key, user) for key in settings]
        assert [one.value for one in together] == [one.value for one in alone]
        failed = [one.failure is not None for one in alone]
        assert [one.failure is not None for one in together] == failed
        assert sum(failed) == 23
        assert [one.value for one in together][-20:] == [True] * 20


def test_a_setting_that_is_null_is_broken_and_not_unknown() -> None:
    """It stands in the config, so the error does not say that its key was not found."""
    decision = evaluators({"a": None, "b": setting()}).decide("a")
    assert decision.failure is not None
    assert decision.failure.event_id == 2001
    assert "not found" not in decision.failure.notice("x").text
