"""Events that a program tracks through OpenFeature."""

from __future__ import annotations

from typing import Any

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.track import TrackingEventDetails

from appconfig_provider.integrations.openfeature import AppConfigurationFeatureProvider
from tests.openfeature.clients import ANNA, client_of


def test_a_tracked_event_has_user_and_properties() -> None:
    """`on_track` gets the event's name, the user, and attributes and value as texts."""
    told: list[Any] = []
    client = client_of({}, on_track=lambda *given: told.append(given))
    attributes: Any = {"item": "book", "count": 2, "gift": True, "tags": ["a", {"b": 1}]}
    client.track("bought", ANNA, TrackingEventDetails(9.5, attributes))
    client.track("seen")
    assert told == [
        (
            "bought",
            "Anna",
            {
                "item": "book",
                "count": "2",
                "gift": "True",
                "tags": '["a", {"b": 1}]',
                "value": "9.5",
            },
        ),
        ("seen", "", {}),
    ]


def test_the_user_of_an_event_is_that_of_evaluations() -> None:
    """With `user_id_attribute` a tracked event has the same user as evaluations have."""
    told: list[Any] = []
    client = client_of(
        {}, user_id_attribute="email", on_track=lambda name, user, _: told.append((name, user))
    )
    client.track("seen", EvaluationContext("7", {"email": "anna@example.com"}))
    assert told == [("seen", "anna@example.com")]


def test_who_tracks_nothing_is_not_disturbed() -> None:
    """Without `on_track` an event goes nowhere."""
    client_of({}).track("seen", ANNA)


def test_what_on_track_raises_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """An error is logged once for its type, without its text, and does not reach the caller."""

    def fail(name: str, _user: str, _properties: dict[str, str]) -> None:
        raise KeyError(name) if name == "key" else RuntimeError(name)

    client = client_of({}, on_track=fail)
    for name in ("confidential", "confidential", "key"):
        client.track(name, ANNA)
    assert len(caplog.records) == 2
    assert "confidential" not in caplog.text
    assert "RuntimeError" in caplog.text


def test_an_asynchronous_on_track_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """OpenFeature cannot await it: a coroutine function is refused, and what hides one is ended."""

    async def later(_name: str, _user: str, _properties: dict[str, str]) -> None:
        """Never run."""

    with pytest.raises(TypeError, match="later is asynchronous"):
        AppConfigurationFeatureProvider({}, on_track=later)

    def hidden(*given: Any) -> object:
        return later(*given)

    client = client_of({}, on_track=hidden)
    for _ in range(2):
        client.track("seen", ANNA)
    assert [one.getMessage() for one in caplog.records] == [
        "on_track failed: it has to be awaited, which nobody can do there"
    ]
