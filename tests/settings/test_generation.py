"""What becomes of what was loaded: mapper, values, flags and `validate`, without a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest

from appconfig_provider import DROP, SettingSelector
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.refresh import refresh
from appconfig_provider._azure.startup import start
from appconfig_provider._azure.state import State
from appconfig_provider._plan import Request, Response
from appconfig_provider.models import ConfigurationSetting, Explanation
from appconfig_provider.testing import FakeClock
from appconfig_provider.trouble import EngineError, public
from tests.support.content import FLAG_TYPE
from tests.support.scripted import CONNECTION, ScriptedDriver, context_for, page, setting

ALL = SettingSelector(key_filter="*")
HOST = setting(
    "app/host",
    "north",
    "e7",
    label="prod",
    content_type="text/plain",
    tags={"team": "blue"},
    last_modified="2026-11-20T12:00:00+00:00",
    locked=True,
)
BARE: dict[str, object] = {"key": "bare", "value": None}
JSON = setting("json", '{"a": [1]}', "e8", content_type="application/json")


class Store:
    """Settings and flags on one page each."""

    def __init__(self, *items: dict[str, object], **keywords: Any) -> None:
        self.items = list(items)
        self.flags: list[dict[str, object]] = []
        self.driver = ScriptedDriver(self.answer, FakeClock())
        given: dict[str, Any] = {
            "connection_string": CONNECTION,
            "selects": [ALL],
            "trim_prefixes": ["app/"],
            "refresh_enabled": True,
            "replica_discovery_enabled": False,
            **keywords,
        }
        self.context = context_for(self.driver.clock, Keywords(**given).checked())

    def answer(self, request: Request) -> Response:
        """Answer with all there is."""
        items = self.flags if "featureflag" in request.target else self.items
        return page(items, f"{hash(json.dumps(items))}")

    def load(self) -> State:
        """Load."""
        return self.driver.run(start(self.context))


def loaded(*items: dict[str, object], **keywords: Any) -> State:
    """Load a store of some settings."""
    return Store(*items, **keywords).load()


def test_a_mapper_sees_all_that_the_store_tells_of_a_setting() -> None:
    """The key is not trimmed yet; what the store leaves out is None, or empty."""
    seen: list[ConfigurationSetting] = []
    loaded(HOST, BARE, configuration_mapper=seen.append)
    assert seen == [
        ConfigurationSetting(
            key="app/host",
            label="prod",
            value="north",
            content_type="text/plain",
            tags={"team": "blue"},
            etag="e7",
            last_modified=datetime(2026, 11, 20, 12, tzinfo=timezone.utc),
            locked=True,
        ),
        ConfigurationSetting(key="bare"),
    ]


def to(key: str, value: Any) -> Callable[[ConfigurationSetting], None]:
    """Return a mapper that changes key and value in place."""

    def mapper(shown: ConfigurationSetting) -> None:
        shown.key, shown.value = key, value

    return mapper


@pytest.mark.parametrize(
    ("mapper", "values"),
    [
        (lambda _: None, {"host": "north"}),
        (lambda _: DROP, {}),
        (to("app/other", "south"), {"other": "south"}),
        (to("host", None), {"host": None}),
        (lambda _: ConfigurationSetting("x", value='{"a": 1}', content_type="application/json"),
         {"x": {"a": 1}}),
        (lambda _: ConfigurationSetting("x", value="{}"), {"x": "{}"}),
    ],
)  # fmt: skip
def test_what_a_mapper_leaves_or_returns_counts(
    mapper: Callable[[ConfigurationSetting], object], values: dict[str, object]
) -> None:
    """Its key is trimmed, and its content type says what the text means."""
    assert dict(loaded(HOST, configuration_mapper=mapper).snapshot) == values


@pytest.mark.parametrize(
    ("mapper", "words"),
    [
        (lambda _: 7, "configuration_mapper returned int for 'app/host'"),
        (to("x", 7), "made the value of 'app/host' a int"),
        (to("x", {}), "made the value of 'app/host' a dict"),
        (lambda _: ConfigurationSetting(None), "made the key of 'app/host' a NoneType"),  # type: ignore[arg-type]  # the mistake
    ],
)
def test_a_mapper_that_makes_what_no_setting_can_be_is_reported(
    mapper: Callable[[ConfigurationSetting], object], words: str
) -> None:
    """The error names the setting and the type, not the value."""
    with pytest.raises(EngineError, match=words) as caught:
        loaded(HOST, configuration_mapper=mapper)
    assert type(public(caught.value)) is TypeError


def test_a_renamed_setting_is_explained_by_what_it_was_made_from() -> None:
    """Key, label and tags are those of the store."""

    def mapper(shown: ConfigurationSetting) -> None:
        shown.key, shown.label, shown.tags = "new", "other", {}

    state = loaded(HOST, configuration_mapper=mapper)
    assert state.snapshot.explain("new") == Explanation(
        "app/host", "prod", "text/plain", {"team": "blue"}, origin="store", selector=ALL
    )


def test_tags_that_a_mapper_changes_are_its_own() -> None:
    """What it writes to is a copy; the next load shows it the tags of the store again."""
    seen: list[dict[str, str | None]] = []

    def mapper(shown: ConfigurationSetting) -> None:
        seen.append(dict(shown.tags))
        shown.tags["team"] = "red"

    store = Store(HOST, configuration_mapper=mapper)
    state = store.load()
    store.items.append(BARE)
    store.driver.run(refresh(store.context, state, force=True))
    assert seen == [{"team": "blue"}, {"team": "blue"}, {}]


def test_flags_that_are_loaded_stand_below_their_own_key() -> None:
    """Also when there is none; without the switch there is no such key."""
    flag = setting(".appconfig.featureflag/b", '{"enabled": true}', "f", content_type=FLAG_TYPE)
    store = Store(HOST, feature_flag_enabled=True)
    assert store.load().snapshot["feature_management"] == {"feature_flags": []}
    store.flags.append(flag)
    served: Any = store.load().snapshot["feature_management"]
    assert [(one["id"], one["enabled"]) for one in served["feature_flags"]] == [("b", True)]
    assert "feature_management" not in loaded(HOST, flag).snapshot


def test_the_key_of_flags_is_explained_by_no_setting() -> None:
    """A setting of that key stands in its shadow; without flags it is the one that counts."""
    own = setting("feature_management", "{}")
    reported = loaded(own, feature_flag_enabled=True).snapshot.explain("feature_management")
    assert (reported.origin, reported.selector, reported.tags) == ("store", None, {})
    assert [one.key for one in reported.shadows] == ["feature_management"]
    plain = loaded(own).snapshot.explain("feature_management")
    assert (plain.selector, plain.shadows) == (ALL, ())


def test_a_generation_tells_its_version_and_its_time() -> None:
    """The first one has the version 1; validate sees it as it will be published."""
    seen: list[Any] = []
    store = Store(HOST, JSON, validate=seen.append)
    state = store.load()
    assert seen == [state.snapshot]
    assert seen[0] is state.snapshot
    assert state.snapshot.version == 1
    assert state.snapshot.loaded_at.timestamp() == pytest.approx(store.driver.clock.time())
    assert state.snapshot.consistent
    assert state.values == dict(state.snapshot) == {"host": "north", "json": {"a": [1]}}
    store.items[0] = {**HOST, "value": "south"}
    store.driver.clock.advance(60)
    outcome = store.driver.run(refresh(store.context, state, force=False))
    assert seen[1] is outcome.state.snapshot
    assert outcome.state.snapshot.version == 2
    assert outcome.state.snapshot.loaded_at > state.snapshot.loaded_at
    assert outcome.state.snapshot["json"] is state.snapshot["json"]


def test_a_setting_that_is_no_json_is_reported_and_served_as_text() -> None:
    """The problem names key and label, and never repeats the text."""
    state = loaded({**JSON, "value": "{hunter2"}, HOST)
    assert state.snapshot["json"] == "{hunter2"
    (problem,) = state.generation.problems
    assert (problem.key, problem.label) == ("json", None)
    assert "is no JSON" in problem.message
    assert "hunter2" not in problem.message


def test_json_that_did_not_change_is_the_same_object_in_every_generation() -> None:
    """Also what came with a later one: each generation hands what it decoded to the next."""
    store = Store(HOST, JSON)
    states = [store.load()]
    store.items.append({**JSON, "key": "late", "value": '{"b": [2]}'})
    for value in ("south", "east"):
        store.items[0] = {**HOST, "value": value}
        store.driver.clock.advance(60)
        states.append(store.driver.run(refresh(store.context, states[-1], force=False)).state)
    first, second, third = (state.snapshot for state in states)
    assert first["json"] is second["json"] is third["json"]
    assert second["late"] is third["late"]


def test_others_may_run_between_the_calls_of_a_mapper() -> None:
    """After every five milliseconds of calls, since all together would stop an event loop."""
    items = [setting(f"k{number}", "v") for number in range(10)]
    store = Store(*items)

    def mapper(_shown: ConfigurationSetting) -> None:
        store.driver.clock.advance(0.002)

    slow = Store(*items, configuration_mapper=mapper)
    slow.driver.clock = store.driver.clock
    slow.context = context_for(store.driver.clock, slow.context.options)
    assert len(slow.load().snapshot) == 10
    assert slow.driver.slept == [0.0] * 3


def test_problems_are_those_of_the_generation_that_is_served() -> None:
    """They come with a setting that is broken, and go with it."""
    store = Store(HOST, JSON)
    state = store.load()
    assert not state.generation.problems
    for text, problems in (("{", 1), ("{}", 0)):
        store.items[1] = {**JSON, "value": text}
        store.driver.clock.advance(60)
        state = store.driver.run(refresh(store.context, state, force=False)).state
        assert len(state.generation.problems) == problems
