"""ConfigCat's settings through OpenFeature: values, reasons, errors, users, events."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ProviderFatalError, ProviderNotReadyError
from openfeature.flag_evaluation import FlagEvaluationDetails
from openfeature.provider import ProviderStatus

from appconfig_provider import configcat
from appconfig_provider.configcat import (
    EvaluationDetails,
    Hooks,
    LocalDictionaryFlagOverrides,
    OverrideBehaviour,
    PollingMode,
    User,
    aio,
)
from appconfig_provider.configcat.evaluation.decisions import SettingDecision
from appconfig_provider.integrations.openfeature import AppConfigurationFeatureProvider
from appconfig_provider.testing import ConfigCatEmulator, FakeClock
from tests.openfeature.clients import Heard, client_of
from tests.support.configcat_clients import KEY, Client, Make

MANUAL, LAZY = PollingMode.manual_poll(), PollingMode.lazy_load(60)
METHODS = {bool: "boolean", str: "string", int: "integer", float: "float"}
JANE = EvaluationContext("1", {"Email": "jane@example.com", "Country": "HU", "plan": "pro"})


def setting(kind: int, value: Any, **more: Any) -> dict[str, Any]:
    """Return a setting of a type, whose value has the variation id `v`."""
    return {"t": kind, "v": {"bsid"[kind]: value}, "i": "v", **more}


def rule(attribute: str, comparator: int, **operand: Any) -> dict[str, Any]:
    """Return a rule that serves True, with the variation id `r`."""
    condition = {"u": {"a": attribute, "c": comparator, **operand}}
    return {"c": [condition], "s": {"v": {"b": True}, "i": "r"}}


def ruled(*rules: dict[str, Any]) -> dict[str, Any]:
    """Return a setting that is False for those who match no rule."""
    return setting(0, value=False, r=list(rules))


CONFIG: dict[str, Any] = {
    "f": {
        "on": setting(0, value=True),
        "text": setting(1, "text"),
        "number": setting(2, 7),
        "decimal": setting(3, 0.5),
        "object": setting(1, '{"a": [1, {"b": null}]}'),
        "array": setting(1, "[1, 2]"),
        "anonymous": {"t": 0, "v": {"b": True}},
        "example": ruled(rule("Email", 2, l=["@example.com"])),
        "half": {
            **setting(0, value=False),
            "p": [
                {"p": 50, "v": {"b": True}, "i": "a"},
                {"p": 50, "v": {"b": False}, "i": "b"},
            ],
        },
        "whole": {**setting(0, value=False), "p": [{"p": 100, "v": {"b": True}, "i": "w"}]},
        "broken": {"t": 0, "v": {"s": "confidential"}},
    }
}


@pytest.fixture
def cdn() -> Iterator[ConfigCatEmulator]:
    """Yield a server with settings of every sort."""
    with ConfigCatEmulator() as cdn:
        cdn.load(CONFIG)
        yield cdn


def refreshed(make: Make, cdn: ConfigCatEmulator, **options: Any) -> Client:
    """Return a client that polls by hand, and has a config."""
    client = make(cdn, polling_mode=MANUAL, **options)
    assert client.refresh().is_success
    return client


def details(
    client: Client, key: str, default: Any, context: EvaluationContext | None = None
) -> FlagEvaluationDetails[Any]:
    """Evaluate through OpenFeature as the type of the default, at once and awaited."""
    method = f"get_{METHODS.get(type(default), 'object')}_details"
    asked: Any = api.get_client()
    found: FlagEvaluationDetails[Any] = client.waited(
        getattr(asked, f"{method}_async")(key, default, context)
    )
    assert getattr(asked, method)(key, default, context) == found
    return found


# Values and reasons ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "default", "value"),
    [
        ("on", False, True),
        ("text", "", "text"),
        ("number", 0, 7),
        ("number", 0.0, 7.0),
        ("decimal", 0.0, 0.5),
        ("object", {}, {"a": [1, {"b": None}]}),
        ("array", [], [1, 2]),
    ],
)
def test_each_type_has_the_value_and_the_variation_id(
    cdn: ConfigCatEmulator, make: Make, key: str, default: Any, value: Any
) -> None:
    """A setting is answered in each of the five types; texts with JSON are objects, too."""
    client = refreshed(make, cdn)
    client_of(client.client)
    found = details(client, key, default)
    assert (found.value, type(found.value) is type(default)) == (
        value,
        not isinstance(default, dict | list),
    )
    assert (found.variant, found.reason, found.error_code) == ("v", "STATIC", None)
    assert json.dumps(found.value) == json.dumps(value)


@pytest.mark.parametrize(
    ("key", "default"),
    [("text", 1), ("on", 1), ("decimal", 1), ("number", ""), ("text", {}), ("on", {}), ("on", "")],
)
def test_a_value_of_another_type_is_a_mismatch(
    cdn: ConfigCatEmulator, make: Make, key: str, default: Any
) -> None:
    """Who asks for another type, or for an object that is none, gets the default."""
    client = refreshed(make, cdn)
    client_of(client.client)
    found = details(client, key, default)
    assert (found.value, found.reason, found.error_code) == (default, "ERROR", "TYPE_MISMATCH")


def test_objects_cannot_be_written_to(cdn: ConfigCatEmulator, make: Make) -> None:
    """Evaluations share the object that a text was read into, so nobody can change it."""
    client = refreshed(make, cdn)
    client_of(client.client)
    found = details(client, "object", {})
    with pytest.raises(TypeError):
        found.value["a"] = 1
    with pytest.raises(TypeError):
        found.value["a"].append(1)


def test_what_decided_is_the_reason(cdn: ConfigCatEmulator, make: Make) -> None:
    """Rules are TARGETING_MATCH or DEFAULT, percentages SPLIT, and all else is STATIC.

    A percentage of 100 decides nothing by chance.
    """
    client = refreshed(make, cdn)
    client_of(client.client)
    bert = EvaluationContext("2", {"Email": "bert@x.org"})
    found = [details(client, "example", default=False, context=one) for one in (JANE, bert)]
    assert [(one.value, one.variant, one.reason) for one in found] == [
        (True, "r", "TARGETING_MATCH"),
        (False, "v", "DEFAULT"),
    ]
    users = [EvaluationContext(f"user{number}") for number in range(20)]
    shares = [details(client, "half", default=False, context=one) for one in users]
    assert {(one.value, one.variant, one.reason) for one in shares} == {
        (True, "a", "SPLIT"),
        (False, "b", "SPLIT"),
    }
    (whole,) = {details(client, "whole", default=False, context=one).reason for one in users}
    assert whole == "TARGETING_MATCH"
    found = [details(client, "anonymous", default=False)]
    assert (found[0].variant, found[0].reason) == (None, "STATIC")


def test_values_are_those_of_the_client(cdn: ConfigCatEmulator, make: Make) -> None:
    """Value and variation id are what the client itself says of the same user."""
    client = refreshed(make, cdn)
    client_of(client.client)
    snapshot = client.client.snapshot()
    for number in range(50):
        name, email = f"user{number}", f"{number}@{'example.com' if number % 3 else 'x.org'}"
        for key in ("example", "half", "on"):
            own = snapshot.get_value_details(key, False, User(name, email))
            found = details(client, key, False, EvaluationContext(name, {"Email": email}))
            assert (found.value, found.variant) == (own.value, own.variation_id)


# Errors -----------------------------------------------------------------------------------------


def test_an_unknown_setting_is_not_found(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers the default and FLAG_NOT_FOUND; the log has the client's record with both."""
    client = refreshed(make, cdn)
    client_of(client.client)
    found = details(client, "nothing", "mine")
    assert (found.value, found.error_code) == ("mine", "FLAG_NOT_FOUND")
    assert [one.event_id for one in caplog.records] == [1001, 1001]  # type: ignore[attr-defined]
    assert "'mine'" in caplog.text


def test_a_setting_that_cannot_be_evaluated_is_a_parse_error(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers the default; neither the message nor the log repeats a value of the config."""
    client = refreshed(make, cdn)
    client_of(client.client)
    found = details(client, "broken", default=True)
    assert (found.value, found.error_code) == (True, "PARSE_ERROR")
    assert "'broken'" in str(found.error_message)
    assert [one.event_id for one in caplog.records] == [2001, 2001]  # type: ignore[attr-defined]
    assert "confidential" not in str(found.error_message) + caplog.text


@pytest.mark.parametrize("level", [logging.WARNING, logging.INFO])
def test_a_wrong_user_id_is_told_where_a_setting_needs_it(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    """A targeting key that is no text is INVALID_CONTEXT, but not for settings without rules."""
    client = refreshed(make, cdn)
    client_of(client.client)
    caplog.set_level(level, "configcat")
    wrong: Any = ["1"]
    context = EvaluationContext(wrong)
    found = details(client, "example", default=True, context=context)
    assert (found.value, found.error_code) == (True, "INVALID_CONTEXT")
    assert details(client, "on", default=False, context=context).value is True


def test_warnings_are_logged_as_the_client_logs_them(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Rules without a user warn as 3001 at each evaluation, objects do not warn of their type."""
    client = refreshed(make, cdn)
    client_of(client.client)
    details(client, "object", {})
    details(client, "example", default=False)
    assert [one.event_id for one in caplog.records] == [3001, 3001]  # type: ignore[attr-defined]


def test_decisions_with_warnings_are_not_kept(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """A warning may hold an attribute of a user, and no later evaluation has the same one."""
    with configcat.create_client_with_manual_poll(KEY, base_url=cdn.base_url) as client:
        client.force_refresh()
        asked = client_of(client)

        def kept() -> int:
            gc.collect()
            return sum(isinstance(one, SettingDecision) for one in gc.get_objects())

        asked.get_boolean_value("example", False, EvaluationContext("1", {"Email": 7}))
        before = kept()
        for number in range(50):
            asked.get_boolean_value("example", False, EvaluationContext("1", {"Email": number}))
        assert kept() == before


# Users ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("Identifier", "1"), ("Email", "jane@example.com"), ("Country", "HU"), ("plan", "pro")],
)
def test_a_context_is_a_user(
    cdn: ConfigCatEmulator, make: Make, attribute: str, value: str
) -> None:
    """The targeting key is the Identifier; Email, Country and all others are attributes."""
    cdn.load({"f": {"flag": ruled(rule(attribute, 28, s=value))}})
    client = refreshed(make, cdn)
    client_of(client.client)
    assert details(client, "flag", default=False, context=JANE).reason == "TARGETING_MATCH"
    other = EvaluationContext("2", {"plan": "free", "Email": "x", "Country": "x"})
    assert details(client, "flag", default=False, context=other).reason == "DEFAULT"


def test_an_attribute_may_be_the_identifier(cdn: ConfigCatEmulator, make: Make) -> None:
    """With `user_id_attribute` the targeting key does not count."""
    cdn.load({"f": {"flag": ruled(rule("Identifier", 28, s="7"))}})
    client = refreshed(make, cdn)
    client_of(client.client, user_id_attribute="account")
    context = EvaluationContext("1", {"account": 7})
    assert details(client, "flag", default=False, context=context).value is True
    context = EvaluationContext("7")
    assert details(client, "flag", default=False, context=context).value is False


def test_an_empty_context_is_the_default_user(cdn: ConfigCatEmulator, make: Make) -> None:
    """Who gives no user gets the client's default user; who gives anything does not."""
    client = refreshed(make, cdn, default_user=User("1", "jane@example.com"))
    client_of(client.client)
    for context in (None, EvaluationContext()):
        assert details(client, "example", default=False, context=context).value is True
    context = EvaluationContext("1")
    assert details(client, "example", default=False, context=context).value is False


def test_hooks_and_the_log_know_of_evaluations(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Hooks are told of each evaluation with its user, and at INFO the log has its steps."""
    told: list[EvaluationDetails] = []
    hooks = Hooks(on_flag_evaluated=told.append)
    client = refreshed(make, cdn, hooks=hooks)
    client_of(client.client)
    caplog.clear()
    caplog.set_level(logging.INFO, "configcat")
    details(client, "example", default=False, context=JANE)
    details(client, "nothing", default=True, context=JANE)
    assert [(one.key, one.value, one.is_default_value) for one in told] == [
        *[("example", True, False)] * 2,
        *[("nothing", True, True)] * 2,
    ]
    assert {str(one.user) for one in told} == {
        '{"Identifier":"1","Email":"jane@example.com","Country":"HU","plan":"pro"}'
    }
    logged = [one.event_id for one in caplog.records]  # type: ignore[attr-defined]
    assert logged == [5000, 5000, 1001, 1001]


# Freshness and events -------------------------------------------------------------------------


def test_lazy_loading_downloads_at_an_evaluation(
    cdn: ConfigCatEmulator, make: Make, clock: FakeClock
) -> None:
    """An evaluation that finds the config expired downloads as a read of the client does."""
    cdn.load({"flags": {"flag": "old"}})
    client = make(cdn, polling_mode=LAZY)
    client.call("wait_for_ready")
    client_of(client.client)
    assert details(client, "flag", "").value == "old"
    cdn.set("flag", "new")
    assert details(client, "flag", "").value == "old"
    clock.advance(61)
    assert details(client, "flag", "").value == "new"


def test_changed_settings_are_told_by_name(cdn: ConfigCatEmulator, make: Make) -> None:
    """A refresh that changed settings is told with their keys; another one is no event."""
    cdn.load({"flags": {"alpha": 1, "beta": True, "gamma": 1}})
    client = refreshed(make, cdn)
    heard = Heard(client.client)
    client.refresh()
    assert heard.told() == []
    cdn.load({"flags": {"beta": False, "gamma": 1, "delta": 1}})
    client.refresh()
    assert heard.told() == [("CONFIGURATION_CHANGED", ["alpha", "beta", "delta"])]
    assert heard.provider.resolve_boolean_details("beta", default_value=True).value is False


def test_a_changed_segment_changes_settings(cdn: ConfigCatEmulator, make: Make) -> None:
    """Where only a segment has changed, the settings of its file are told."""
    segment = {"n": "Beta", "r": [{"a": "Email", "c": 28, "s": "x"}]}
    flag = ruled({"c": [{"s": {"s": 0, "c": 0}}], "s": {"v": {"b": True}}})
    cdn.load({"s": [segment], "f": {"flag": flag}})
    client = refreshed(make, cdn)
    heard = Heard(client.client)
    segment["r"][0]["s"] = "jane@example.com"  # type: ignore[index]
    cdn.load({"s": [segment], "f": {"flag": flag}})
    client.refresh()
    assert heard.told() == [("CONFIGURATION_CHANGED", ["flag"])]
    found = heard.provider.resolve_boolean_details("flag", False, JANE)
    assert (found.value, found.reason) == (True, "TARGETING_MATCH")


def test_a_config_that_nobody_confirms_becomes_stale(
    cdn: ConfigCatEmulator, make: Make, clock: FakeClock
) -> None:
    """Past `stale_after` evaluations are STALE, and STALE and READY are told once."""
    cdn.set("beta", value=True)
    client = refreshed(make, cdn)
    heard = Heard(client.client, stale_after=60)
    clock.advance(61)
    assert [heard.reason(), heard.reason()] == ["STALE", "STALE"]
    assert heard.told() == [("STALE", None)]
    with cdn.fail(503):
        client.refresh()
    assert heard.told() == []
    client.refresh()
    assert (heard.reason(), heard.told()) == ("STATIC", [("READY", None)])


def test_without_a_config_a_provider_is_in_error_until_there_is_one(
    cdn: ConfigCatEmulator, make: Make
) -> None:
    """A start without a config is an ERROR, defaults are answered, and READY is told at last."""
    client = make(cdn, polling_mode=MANUAL)
    with pytest.raises(ProviderNotReadyError):
        client_of(client.client)
    asked = api.get_client()
    with cdn.fail(503):
        client.refresh()
    assert asked.get_provider_status() is ProviderStatus.ERROR
    found = details(client, "on", default=False)
    assert (found.value, found.error_code) == (False, "PROVIDER_NOT_READY")
    client.refresh()
    assert asked.get_provider_status() is ProviderStatus.READY
    assert details(client, "on", default=False).value is True


def test_a_late_config_is_told_as_ready_alone(cdn: ConfigCatEmulator, make: Make) -> None:
    """The first config is READY, not also a change; failures before it are neither STALE."""
    client = make(cdn, polling_mode=MANUAL)
    provider = AppConfigurationFeatureProvider(client.client, stale_after=60)
    events: list[str] = []
    provider.attach(lambda _, event, __: events.append(event.name))
    with pytest.raises(ProviderNotReadyError):
        provider.initialize(EvaluationContext())
    with cdn.fail(503):
        client.refresh()
    assert events == []
    client.refresh()
    assert events == ["PROVIDER_READY"]


def test_initialize_waits_as_reads_do(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """With auto polling a provider is ready when the first download is."""
    with (
        cdn.slow(0.2),
        configcat.create_client_with_auto_poll(KEY, base_url=cdn.base_url) as client,
    ):
        asked = client_of(client)
        assert asked.get_provider_status() is ProviderStatus.READY
        assert asked.get_string_value("text", "") == "text"


def test_local_settings_are_ready_and_never_stale(make: Make, clock: FakeClock) -> None:
    """Without a server there is nobody to confirm anything."""
    local = LocalDictionaryFlagOverrides({"beta": True}, OverrideBehaviour.LocalOnly)
    client = make(None, flag_overrides=local)
    client.call("wait_for_ready")
    heard = Heard(client.client, stale_after=1)
    clock.advance(1_000)
    assert (heard.reason(), heard.told()) == ("STATIC", [])


def test_nothing_is_told_after_shutdown(cdn: ConfigCatEmulator, make: Make) -> None:
    """A provider that was shut down listens to nothing, and leaves the client as it is."""
    client = refreshed(make, cdn)
    heard = Heard(client.client)
    heard.provider.shutdown()
    cdn.set("on", value=False)
    assert client.refresh().is_success
    assert heard.told() == []


# Clients that a function makes ----------------------------------------------------------------


def test_a_client_that_a_function_makes_is_closed(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """`initialize` calls the function, and `shutdown` closes its client."""
    made: list[configcat.ConfigCatClient] = []

    def load() -> configcat.ConfigCatClient:
        made.append(configcat.create_client_with_auto_poll(KEY, base_url=cdn.base_url))
        return made[-1]

    asked = client_of(load)
    assert asked.get_boolean_value("on", False) is True
    api.shutdown()
    assert made[0].is_offline()
    assert "closed" in str(made[0].force_refresh().error)


@pytest.mark.parametrize("loader", [lambda: configcat.get(""), lambda: aio.create_client(KEY)])
def test_a_function_that_cannot_work_is_fatal(loader: Any) -> None:
    """A missing SDK key, or a client that only asyncio can close, is never going to work."""
    with pytest.raises(ProviderFatalError):
        client_of(loader)
    assert api.get_client().get_provider_status() is ProviderStatus.FATAL
