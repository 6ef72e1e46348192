"""What hooks of either client are called with, and who is told of those that fail."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from appconfig_provider import configcat
from appconfig_provider.configcat import (
    Hooks,
    LocalDictionaryFlagOverrides,
    LocalFileFlagOverrides,
    OverrideBehaviour,
    PollingMode,
)
from appconfig_provider.testing import ConfigCatEmulator, FakeClock
from tests.support.configcat_clients import Make, awaited, threaded

MANUAL = PollingMode.manual_poll()


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Yield the time of all clients."""
    with FakeClock() as clock:
        yield clock


@pytest.fixture
def cdn() -> Iterator[ConfigCatEmulator]:
    """Yield a server with one setting."""
    with ConfigCatEmulator() as cdn:
        cdn.set("flag", value=True)
        yield cdn


@pytest.fixture(params=[threaded, awaited], ids=["sync", "aio"])
def make(request: pytest.FixtureRequest, clock: FakeClock) -> Iterator[Make]:
    """Yield what makes clients, for threads and for asyncio."""
    del clock
    with request.param() as make:
        yield make


def decorated(function: Callable[..., object]) -> Callable[..., object]:
    """Return a function as ordinary decorators do."""

    def call(*arguments: Any, **keywords: Any) -> object:
        return function(*arguments, **keywords)

    return call


def optional(seen: list[object]) -> Callable[..., None]:
    """Return a function with an argument that has a default."""

    def changed(settings: object = None) -> None:
        seen.append(settings)

    return changed


@pytest.mark.parametrize(
    "function",
    [
        lambda seen: lambda *rest: seen.extend(rest),
        lambda seen: decorated(seen.append),
        lambda seen: functools.partial(decorated(seen.append)),
        lambda seen: MagicMock(side_effect=seen.append),
        optional,
    ],
    ids=["rest", "decorator", "partial", "mock", "default"],
)
def test_a_function_for_changes_gets_the_settings_if_it_can(
    cdn: ConfigCatEmulator, make: Make, function: Callable[[list[object]], Callable[..., object]]
) -> None:
    """Also one that does not require an argument; only one that can take none gets none."""
    seen: list[Any] = []
    make(cdn, polling_mode=MANUAL, hooks=Hooks(on_config_changed=function(seen))).refresh()
    assert [list(settings) for settings in seen] == [["flag"]]


def test_the_callback_of_sdk_6_gets_the_settings_if_it_can(cdn: ConfigCatEmulator) -> None:
    """The functions of SDK 6 call theirs with nothing; here it gets what it can take."""
    seen: list[Any] = []
    for callback in (lambda *rest: seen.append(len(rest)), lambda: seen.append("none")):
        with configcat.ConfigCatClient(
            "#YOUR-SDK-KEY#", 0, 5, callback, 0, base_url=cdn.base_url
        ) as client:
            client.force_refresh()
    assert seen == [1, "none"]


@pytest.mark.parametrize("hook", ["on_client_ready", "on_config_changed", "on_flag_evaluated"])
def test_on_error_hears_of_a_hook_that_fails(
    cdn: ConfigCatEmulator, make: Make, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, by the name of the function, without the text of its exception."""
    told: list[str] = []

    def broken(*_: object) -> None:
        raise ValueError("hunter2")

    hooks = Hooks(on_error=told.append, **{hook: broken})
    client = make(cdn, polling_mode=MANUAL, hooks=hooks)
    client.refresh()
    client.value("flag", default=False)
    assert [text.startswith("the hook ") and "broken" in text for text in told] == [True]
    assert "ValueError" in told[0]
    assert "hunter2" not in told[0] + caplog.text


def test_on_error_is_not_told_of_itself(
    cdn: ConfigCatEmulator, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """A function for errors that fails is logged; to tell it would never end."""
    told: list[str] = []

    def broken(text: str) -> None:
        told.append(text)
        raise ValueError

    client = make(cdn, polling_mode=MANUAL, hooks=Hooks(on_error=broken))
    client.refresh()
    with caplog.at_level(logging.ERROR):
        client.value("unknown", "x")
    assert len(told) == 1
    assert [r.getMessage()[:12] for r in caplog.records if "hook" in r.getMessage()] == [
        "[0] the hook"
    ]


def test_local_settings_are_no_change_when_they_are_read_first(
    make: Make, clock: FakeClock, tmp_path: Path
) -> None:
    """With local settings only a function for changes hears of a file that has changed."""
    seen: list[object] = []
    hooks = Hooks(on_config_changed=seen.append)
    only = OverrideBehaviour.LocalOnly
    client = make(None, flag_overrides=LocalDictionaryFlagOverrides({"a": 1}, only), hooks=hooks)
    assert client.value("a") == 1
    file = tmp_path / "local.json"
    file.write_text('{"flags": {"a": 1}}')
    client = make(
        None,
        flag_overrides=LocalFileFlagOverrides(bytes(file), only),
        hooks=hooks,
        polling_mode=MANUAL,
    )
    assert client.value("a") == 1
    assert seen == []
    file.write_text('{"flags": {"a": 1, "b": 2}}')
    clock.advance(2)
    assert client.value("b") == 2
    assert [list(settings) for settings in seen] == [["a", "b"]]  # type: ignore[call-overload]
