"""Values, reasons, errors, contexts and metadata of flags that OpenFeature asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext

from appconfig_provider.flags import (
    EvaluationEvent,
    FeatureFilter,
    FeatureFlag,
    FeatureManager,
    aio,
    opentelemetry_attributes,
)
from appconfig_provider.integrations.openfeature import AppConfigurationFeatureProvider
from appconfig_provider.testing import Emulator
from tests.openfeature.clients import ANNA, client_of, details, reason
from tests.support.adapter import Loader
from tests.support.content import set_flag
from tests.support.managers import flag, holding, targeting

HUGE = 10**400
SHARES = [{"variant": "v", "from": 0, "to": 50}, {"variant": "w", "from": 50, "to": 100}]


def assigning(name: str, value: Any, **more: Any) -> dict[str, Any]:
    """Return a flag that assigns one variant to everybody."""
    variants = [{"name": "v", "configuration_value": value}]
    return flag(name, variants=variants, allocation={"default_when_enabled": "v"}, **more)


@pytest.fixture(params=[FeatureManager, aio.FeatureManager], ids=["sync", "aio"])
def manage(request: pytest.FixtureRequest) -> Any:
    """Give the class of managers for threads, then that for asyncio."""
    return request.param


@pytest.mark.parametrize(
    ("value", "default"),
    [(True, False), ("text", ""), (7, 0), (0.5, 1.0), ({"a": [1]}, {}), ([1, 2], [])],
)
def test_each_type_has_the_value_and_the_name_of_the_variant(
    manage: Any, value: Any, default: Any
) -> None:
    """A variant's value is answered in each of the five types, with the variant's name."""
    found = details(client_of(manage(holding(assigning("f", value)))), "f", default)
    assert (found.value, type(found.value), found.variant) == (value, type(value), "v")
    assert (found.reason, found.error_code) == ("STATIC", None)


@pytest.mark.parametrize(
    ("value", "default"),
    [
        ("text", 1),
        (True, 1),
        (True, 1.0),
        (1.0, 1),
        (HUGE, 1.0),
        (1, "x"),
        ("text", {}),
        (None, "x"),
        ("true", False),
        (1, True),
    ],
)
def test_a_value_of_another_type_is_a_mismatch(manage: Any, value: Any, default: Any) -> None:
    """Who asks for another type gets the default and TYPE_MISMATCH, and True is no number."""
    found = details(client_of(manage(holding(assigning("f", value)))), "f", default)
    assert (found.value, found.reason, found.error_code) == (default, "ERROR", "TYPE_MISMATCH")


def test_a_whole_number_is_a_float_too(manage: Any) -> None:
    """JSON has one kind of numbers: 7 is 7.0 for who asks for a float."""
    found = details(client_of(manage(holding(assigning("f", 7)))), "f", 1.0)
    assert (found.value, type(found.value)) == (7.0, float)


def test_a_flag_without_variants_is_a_boolean(manage: Any) -> None:
    """Such a flag is on or off, and has no value of another type."""
    client = client_of(manage(holding(flag("on"), {"id": "off", "enabled": False})))
    assert details(client, "on", default=False).value is True
    off = details(client, "off", default=True)
    assert (off.value, off.reason) == (False, "DISABLED")
    assert details(client, "on", "x").error_code == "TYPE_MISMATCH"


def test_a_variant_without_a_value_is_on_or_off(manage: Any) -> None:
    """A boolean flag whose variant has the value null answers whether it is enabled."""
    variants = [
        {"name": "v", "configuration_value": None, "status_override": "Disabled"},
        {"name": "w"},
    ]
    overridden = flag("off", variants=variants, allocation={"default_when_enabled": "v"})
    enabled = flag("on", variants=variants, allocation={"default_when_enabled": "w"})
    client = client_of(manage(holding(overridden, enabled)))
    assert details(client, "off", default=True).value is False
    on = details(client, "on", default=False)
    assert (on.value, on.variant) == (True, "w")


def test_without_a_variant_the_default_counts(manage: Any) -> None:
    """A flag that assigns no variant answers the caller's default: DEFAULT, or DISABLED."""
    variants = [{"name": "v", "configuration_value": "text"}]
    disabled = {"id": "disabled", "enabled": False, "variants": variants}
    client = client_of(manage(holding(flag("f", variants=variants), disabled)))
    found = details(client, "f", "mine")
    assert (found.value, found.variant, found.reason) == ("mine", None, "DEFAULT")
    found = details(client, "disabled", "mine")
    assert (found.value, found.variant, found.reason) == ("mine", None, "DISABLED")


@pytest.mark.parametrize(
    ("audience", "expected"),
    [
        ({"Users": ["Anna"]}, "TARGETING_MATCH"),
        ({"Users": ["Bert"]}, "DEFAULT"),
        ({"DefaultRolloutPercentage": 1}, "SPLIT"),
        ({"DefaultRolloutPercentage": 99}, "SPLIT"),
        ({"DefaultRolloutPercentage": 100}, "TARGETING_MATCH"),
        ({"Users": ["Bert"], "DefaultRolloutPercentage": 0}, "DEFAULT"),
    ],
)
def test_filters_have_a_reason(manage: Any, audience: Any, expected: str) -> None:
    """A filter that passed is TARGETING_MATCH; SPLIT is what lies strictly between 0 and 100."""
    client = client_of(manage(holding(flag("f", targeting(**audience)))))
    assert reason(client, "f", ANNA) == expected


@pytest.mark.parametrize(
    ("allocation", "expected"),
    [
        ({"user": [{"variant": "v", "users": ["Anna"]}]}, "TARGETING_MATCH"),
        ({"group": [{"variant": "v", "groups": ["ring0"]}]}, "TARGETING_MATCH"),
        ({"percentile": SHARES}, "SPLIT"),
        ({"percentile": [{"variant": "v", "from": 0, "to": 100}]}, "STATIC"),
        (
            {"user": [{"variant": "w", "users": ["Bert"]}], "default_when_enabled": "v"},
            "DEFAULT",
        ),
        ({"default_when_enabled": "v"}, "STATIC"),
    ],
)
def test_allocations_have_a_reason(manage: Any, allocation: Any, expected: str) -> None:
    """Users and groups are TARGETING_MATCH, shares SPLIT, what is the same for all is STATIC."""
    variants = [{"name": name, "configuration_value": True} for name in "vw"]
    client = client_of(manage(holding(flag("f", variants=variants, allocation=allocation))))
    context = EvaluationContext("Anna", {"groups": ["ring0"]})
    assert reason(client, "f", context) == expected


def test_an_unknown_flag_is_not_found(manage: Any) -> None:
    """A flag that is not loaded answers the default and FLAG_NOT_FOUND."""
    found = details(client_of(manage(holding())), "f", "mine")
    assert (found.value, found.error_code) == ("mine", "FLAG_NOT_FOUND")


def test_a_flag_that_cannot_be_read_is_a_parse_error(
    manage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It answers the default; neither the message nor the log repeats a value of the flag."""
    client = client_of(manage(holding({"id": "f", "enabled": "confidential"})))
    found = details(client, "f", default=True)
    assert (found.value, found.error_code) == (True, "PARSE_ERROR")
    assert "'f'" in str(found.error_message)
    assert "confidential" not in str(found.error_message) + caplog.text
    assert len(caplog.records) == 1


def test_what_a_strict_manager_raises_is_told_without_its_text(
    manage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """OpenFeature never raises and never logs what a function of the program has said."""

    class Failing(FeatureFilter):
        name = "Failing"

        def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
            raise RuntimeError("confidential")

    failing = flag("f", {"name": "Failing"})
    client = client_of(manage(holding(failing), feature_filters=[Failing()], strict=True))
    found = details(client, "f", default=True)
    assert (found.value, found.error_code) == (True, "GENERAL")
    assert "RuntimeError" in str(found.error_message)
    assert "confidential" not in str(found.error_message) + caplog.text


@pytest.mark.parametrize(
    "context",
    [
        EvaluationContext("Anna", {"groups": 7}),
        EvaluationContext("Anna", {"groups": ["ring0", 7]}),
        EvaluationContext("Anna", {"groups": {"ring0": True}}),
        EvaluationContext(True),  # type: ignore[arg-type]  # the mistake  # noqa: FBT003
    ],
)
def test_a_wrong_context_is_told_where_a_flag_needs_it(
    manage: Any, context: EvaluationContext
) -> None:
    """User and groups that are no texts are INVALID_CONTEXT, but not for flags without rules."""
    client = client_of(manage(holding(flag("f", targeting(Users=["Anna"])), flag("g"))))
    found = details(client, "f", default=True, context=context)
    assert (found.value, found.error_code) == (True, "INVALID_CONTEXT")
    assert details(client, "g", default=False, context=context).value is True


def test_the_targeting_key_is_the_user(manage: Any) -> None:
    """The targeting key and the attribute `groups` are what targeting looks at."""
    rules = targeting(Users=["Anna", "7"], Groups=[{"Name": "ring0", "RolloutPercentage": 100}])
    client = client_of(manage(holding(flag("f", rules))))
    seven: Any = 7
    contexts = {
        "Anna": ANNA,
        "number": EvaluationContext(seven),
        "Bert": EvaluationContext("Bert"),
        "group": EvaluationContext("Bert", {"groups": ["ring0"]}),
        "one group": EvaluationContext(attributes={"groups": "ring0"}),
        "no groups": EvaluationContext("Bert", {"groups": None}),  # type: ignore[dict-item]
        "nobody": None,
    }
    found = {
        name: details(client, "f", default=False, context=one) for name, one in contexts.items()
    }
    on = {name for name, one in found.items() if one.value}
    assert on == {"Anna", "number", "group", "one group"}
    assert {one.error_code for one in found.values()} == {None}


def test_an_attribute_may_be_the_user(manage: Any) -> None:
    """With `user_id_attribute` the targeting key does not count, also where it is all there is."""
    manager = manage(holding(flag("f", targeting(Users=["anna@example.com"]))))
    client = client_of(manager, user_id_attribute="email")
    by_attribute = EvaluationContext("7", {"email": "anna@example.com"})
    assert details(client, "f", default=False, context=by_attribute).value is True
    by_key = EvaluationContext("anna@example.com")
    assert details(client, "f", default=False, context=by_key).value is False


def test_filters_of_the_program_get_the_attributes(manage: Any) -> None:
    """A filter gets each attribute as a keyword; user and groups are always the context's."""
    seen = []

    class Noting(FeatureFilter):
        name = "Noting"

        def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
            seen.append((context["name"], kwargs))
            return True

    client = client_of(manage(holding(flag("f", {"name": "Noting"})), feature_filters=[Noting()]))
    attributes = {"plan": "pro", "user": "x", "groups": ["a"], "context": "x", "self": "x"}
    assert reason(client, "f", EvaluationContext("Anna", attributes)) == "TARGETING_MATCH"
    assert seen == [("Noting", {"plan": "pro", "user": "Anna", "groups": ["a"]})] * 2


def test_an_accessor_is_asked_where_a_context_has_nobody(manage: Any) -> None:
    """The manager's accessor gives the user where a context has neither user nor groups."""
    manager = manage(
        holding(flag("f", targeting(Users=["Anna"]))), targeting_context_accessor=lambda: "Anna"
    )
    client = client_of(manager)
    assert details(client, "f", default=False).value is True
    assert details(client, "f", default=False, context=EvaluationContext("Bert")).value is False


def test_evaluations_are_told_to_the_callback(manage: Any) -> None:
    """A flag with telemetry is told once for each evaluation, with the user."""
    told = []

    def evaluated(event: Any) -> None:
        told.append((event.feature.name, event.user, event.enabled))

    manager = manage(
        holding(flag("f", telemetry={"enabled": True}), flag("g")), on_feature_evaluated=evaluated
    )
    client = client_of(manager)
    for name in "fg":
        details(client, name, default=False, context=ANNA)
    assert told == [("f", "Anna", True)] * 2  # at once, and awaited


def test_asynchronous_filters_are_awaited() -> None:
    """The methods with _async await a filter; the others answer the default and say why."""

    class Slow(aio.FeatureFilter):
        name = "Slow"

        async def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
            await asyncio.sleep(0)
            return True

    manager = aio.FeatureManager(holding(flag("f", {"name": "Slow"})), feature_filters=[Slow()])
    client = client_of(manager)
    found = asyncio.run(client.get_boolean_details_async("f", default_value=False))
    assert (found.value, found.reason) == (True, "TARGETING_MATCH")
    found = client.get_boolean_details("f", default_value=False)
    assert (found.value, found.error_code) == (False, "GENERAL")
    assert "_async" in str(found.error_message)


def test_overridden_flags_are_overridden_here_too(load: Loader, store: Emulator) -> None:
    """The `overriding()` of a configuration's flags counts for OpenFeature, too."""
    set_flag(store, "beta", enabled=False)
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        provider: Any = config.provider
        client = client_of(provider)
        with provider.feature_flags.overriding({"beta": True, "theme": "dark"}):
            assert client.get_boolean_value("beta", default_value=False)
            found = client.get_string_details("theme", "light")
            assert (found.value, found.reason, found.variant) == ("dark", "STATIC", "overridden")
        assert details(client, "beta", default=True).value is False


def test_the_loaders_metadata_comes_with_telemetry(load: Loader, store: Emulator) -> None:
    """What the loader adds is told with telemetry only, what the flag's author wrote always."""
    metadata = {"team": "payments", "parts": ["a"], "none": None}
    for name, enabled in (("silent", False), ("told", True)):
        set_flag(store, name, telemetry={"enabled": enabled, "metadata": metadata})
    set_flag(store, "plain")
    with load(connection_string=store.connection_string, feature_flag_enabled=True) as config:
        client = client_of(config.provider)
        shown = {
            name: details(client, name, default=False).flag_metadata
            for name in ("plain", "silent", "told")
        }
    assert (shown["plain"], shown["silent"]) == ({}, {"team": "payments"})
    assert set(shown["told"]) == {"team", "ETag", "FeatureFlagReference", "version"}
    assert shown["told"]["version"] == shown["told"]["ETag"]
    written: Any = shown["told"]
    with pytest.raises(TypeError):
        written["team"] = "x"


def test_metadata_follow_a_refresh(load: Loader, store: Emulator) -> None:
    """Metadata that changed are told after the refresh, though the decision is the same."""
    keywords: Any = {"feature_flag_enabled": True, "feature_flag_refresh_enabled": True}
    set_flag(store, "beta", telemetry={"metadata": {"team": "payments"}})
    with load(connection_string=store.connection_string, **keywords) as config:
        client = client_of(config.provider)
        assert details(client, "beta", default=False).flag_metadata == {"team": "payments"}
        set_flag(store, "beta", telemetry={"metadata": {"team": "orders"}})
        assert config.refresh(force=True)
        assert details(client, "beta", default=False).flag_metadata == {"team": "orders"}


def test_the_provider_has_the_name_that_telemetry_has() -> None:
    """Its name is the one that OpenTelemetry's attributes of an evaluation have."""
    provider = AppConfigurationFeatureProvider({})
    attributes = opentelemetry_attributes(EvaluationEvent(FeatureFlag.convert_from_json({})))
    assert provider.get_metadata().name == attributes["feature_flag.provider.name"]


@pytest.mark.parametrize(
    ("given", "keywords", "error"),
    [
        (None, {}, TypeError),
        ("text", {}, TypeError),
        ({}, {"stale_after": "x"}, TypeError),
        ({}, {"stale_after": -1}, ValueError),
        ({}, {"user_id_attribute": 7}, TypeError),
        ({}, {"on_track": 7}, TypeError),
    ],
)
def test_wrong_arguments_are_refused(given: Any, keywords: Any, error: type[Exception]) -> None:
    """A wrong argument is told where the provider is made."""
    with pytest.raises(error):
        AppConfigurationFeatureProvider(given, **keywords)


def test_details_cannot_be_written_to(manage: Any) -> None:
    """Many evaluations return one object, so nobody can change what others get."""
    manager = manage(holding(assigning("f", value=True), flag("t", targeting(Users=["Anna"]))))
    provider = AppConfigurationFeatureProvider(manager)
    provider.initialize(EvaluationContext())
    for name in ("f", "t"):
        found = provider.resolve_boolean_details(name, False, ANNA)  # noqa: FBT003 - as given
        with pytest.raises(AttributeError):
            found.value = False
        assert provider.resolve_boolean_details(name, False, ANNA).value is True  # noqa: FBT003


def test_users_by_turns_get_their_own_details(manage: Any) -> None:
    """What one decision comes to is never told for another one of the same flag."""
    shares = {"percentile": [{"variant": name, "from": at, "to": at + 50} for name, at in AT]}
    variants = [{"name": name, "configuration_value": name} for name, _ in AT]
    client = client_of(manage(holding(flag("f", variants=variants, allocation=shares))))
    users = [EvaluationContext(f"user{number}") for number in range(20)]
    first = [details(client, "f", "", one) for one in users]
    assert {one.value for one in first} == {"low", "high"}
    assert all(one.value == one.variant for one in first)
    assert [details(client, "f", "", one) for one in users] == first


AT = (("low", 0), ("high", 50))
