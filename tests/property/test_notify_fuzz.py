"""Whatever is passed to `notify()`: a ValueError or nothing, and requests that still go out."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import appconfig_provider
from appconfig_provider import AzureAppConfigurationProvider
from appconfig_provider.testing import Emulator
from tests.property.strategies import JSON_VALUES

NASTY = st.text(st.characters() | st.sampled_from("\r\n\0\x85 ,;=\ud800ä\U0001f600"), max_size=12)
NUMBERS = st.integers(-5, 10**25).map(str) | st.sampled_from(["1" * 5000, "٣", "1e3", "-0", ""])
TOKENS = (
    NASTY
    | st.builds("{}={};sn={}".format, NASTY, NASTY, NUMBERS)
    | st.lists(st.builds("t{}={};sn={}".format, NUMBERS, st.just("x" * 200), NUMBERS)).map(",".join)
)
SUBJECTS = st.sampled_from(
    [
        "",
        "/kv/k",
        "https://[::1",
        "//",
        "https://h:99999/kv",
        "\0",
        "https://\ud800/",
        "a:b",
        "{own}",
    ]
)


@pytest.fixture(scope="module")
def config() -> Iterator[AzureAppConfigurationProvider]:
    """Give one provider that everything is pushed to."""
    with Emulator() as store:
        store.set("sentinel", "1")
        with appconfig_provider.load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            push_delay=0,
        ) as loaded:
            loaded_from[0] = store
            yield loaded


loaded_from: list[Any] = [None]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Give an event of ours in which some parts are something else."""
    event: dict[str, Any] = {
        draw(st.sampled_from(["eventType", "type"])): "Microsoft.AppConfiguration.KeyValueModified",
        "subject": "{own}/kv/k",
        "data": {"key": "k", "syncToken": draw(TOKENS)},
    }
    for name in draw(
        st.sets(st.sampled_from(["eventType", "type", "subject", "data"]), max_size=2)
    ):
        event[name] = draw(SUBJECTS | JSON_VALUES)
    return draw(st.sampled_from([event, [event], [event, event], {"data": event}]))


def pushed(config: AzureAppConfigurationProvider, event: Any) -> None:
    """Push something; the next refresh must get through, with headers that are clean."""
    with contextlib.suppress(ValueError):
        config.notify(event)
    store = loaded_from[0]
    store.clear_requests()
    config.refresh(force=True)
    assert config.status.last_error is None
    for request in store.requests:
        token = request.headers.get("sync-token", "")
        assert token.isascii()
        assert token.isprintable()
        assert len(token) < 8192


@given(mutated(), st.sampled_from(["as it is", "text", "bytes"]))
@settings(max_examples=60)
def test_events_that_went_wrong(
    config: AzureAppConfigurationProvider, event: Any, shape: str
) -> None:
    """Real events with hostile parts: only ValueError, and the token header stays clean."""
    own = loaded_from[0].endpoint
    text = json.dumps(event).replace("{own}", own)
    shapes = {"as it is": json.loads(text), "text": text, "bytes": text.encode()}
    pushed(config, shapes[shape])


@given(JSON_VALUES | st.text() | st.binary() | JSON_VALUES.map(json.dumps))
@settings(max_examples=60)
def test_what_is_no_event_at_all(config: AzureAppConfigurationProvider, event: Any) -> None:
    """Arbitrary values, text and bytes: only ValueError, and refreshing goes on."""
    pushed(config, event)


def test_many_tokens_do_not_outgrow_a_request(config: AzureAppConfigurationProvider) -> None:
    """However many tokens are pushed, the header stays short enough for a server to read."""
    store = loaded_from[0]
    event = store.event("sentinel")
    for number in range(60):
        event["data"]["syncToken"] = f"name{number}={'x' * 4000};sn={number}"
        config.notify(event)
    pushed(config, event)
    assert any("name59=" in one.headers.get("sync-token", "") for one in store.requests)
