"""How deep JSON may be is a number: the same for every text, and on every stack."""

from __future__ import annotations

import contextlib
import gc
import inspect
import json
import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

import appconfig_provider
from appconfig_provider import KeyVaultReferenceError, load
from appconfig_provider._azure.settings.content import parse_json
from appconfig_provider.decoding import Undecodable, decode
from appconfig_provider.emulator.wire import Refusal, parse_object
from appconfig_provider.testing import Emulator, RequestRecord, Scripted
from tests.support.adapter import Loader
from tests.support.content import FLAG_TYPE, VAULT_TYPE
from tests.support.finalizers import finalizers_short_of_stack

T = TypeVar("T")

JSON = "application/json"
DEEPEST = 100
"""Objects and arrays inside each other that are still read."""


def nested(depth: int) -> str:
    """Return JSON of objects and arrays in turn."""
    opened = ('{"a":', "[")
    begun = "".join(opened[level % 2] for level in range(depth))
    return begun + "1" + "".join("}]"[level % 2] for level in reversed(range(depth)))


def deep_in_the_stack(call: Callable[[], T], frames: int) -> T:
    """Call when so many frames are left below the limit.

    Nothing is collected meanwhile: finalizers of other tests' objects would lack stack.
    """
    here = len(inspect.stack(0))

    def descend(more: int) -> T:
        return call() if more <= 0 else descend(more - 1)

    gc.collect()
    gc.disable()
    try:
        return descend(sys.getrecursionlimit() - here - frames)
    finally:
        gc.enable()


DEEP = {
    "brackets": "[" * 100_000,
    "objects": '{"a":' * 100_000,
    "JSON that ends": "[" * 100_000 + "]" * 100_000,
    "JSON of a few levels too many": nested(DEEPEST + 1),
    "a page with something deep in it": f'{{"key": "k", "items": [], "x": {nested(DEEPEST)}}}',
}


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_a_replica_answers_beside_an_error_that_is_too_deep(load: Loader, status: int) -> None:
    """Over real connections, too: load() and refresh() get what the healthy replica has."""

    def deep(_: RequestRecord) -> Scripted:
        return Scripted(status, {"retry-after-ms": "1"}, DEEP["brackets"])

    with Emulator(replicas=1) as store:
        store.set("k", "v")
        with (
            store.respond(deep),
            load(
                connection_string=store.connection_string,
                replicas=[store.replicas[0].connection_string],
                refresh_enabled=True,
                retry_total=0,
            ) as config,
        ):
            assert config.snapshot["k"] == "v"
            store.set("k", "new")
            assert config.refresh(force=True)
            assert config.snapshot["k"] == "new"


@pytest.mark.parametrize("deep", DEEP)
def test_deep_json_is_refused_with_stack_to_spare(deep: str) -> None:
    """Lists made on the way can start the garbage collector; finalizers then have their stack."""

    def refuse() -> None:
        with pytest.raises(Undecodable):
            decode(DEEP[deep])

    assert finalizers_short_of_stack(refuse) == 0


@pytest.mark.parametrize("deep", DEEP)
def test_the_emulator_refuses_deep_json_with_stack_to_spare(deep: str) -> None:
    """In the body of a request, too."""

    def refuse() -> None:
        with contextlib.suppress(Refusal):
            parse_object({"content-type": JSON}, DEEP[deep].encode())

    assert finalizers_short_of_stack(refuse) == 0


@pytest.mark.parametrize("text", [nested(DEEPEST), f'// a comment\n{nested(DEEPEST)} // "'])
def test_json_as_deep_as_it_may_be_is_read_on_any_stack(text: str) -> None:
    """A caller that has used up most of the stack gets the same value as any other."""
    value = deep_in_the_stack(lambda: parse_json(text), 40)
    shallow = parse_json(text)
    assert value == shallow
    assert type(value) is type(shallow) is not str


def test_json_too_deep_is_refused_on_any_stack() -> None:
    """One level more than the bound is an error that names it, however much room is left."""
    for frames in (40, 200, 700):
        with pytest.raises(ValueError, match="deeper than 100 levels"):
            deep_in_the_stack(lambda: parse_json(nested(DEEPEST + 1)), frames)


def test_a_refresh_deep_in_a_program_changes_nothing_but_what_changed(
    load: Loader, store: Emulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Deep JSON, flags and pages are read by a refresh() that has little stack left, and agree."""
    flag = {"id": "f", "enabled": True, "conditions": {}, "x": json.loads(nested(DEEPEST - 1))}
    store.set("deep", nested(DEEPEST), content_type=JSON)
    store.set(".appconfig.featureflag/f", json.dumps(flag), content_type=FLAG_TYPE)
    store.set("s", "1")
    with load(
        connection_string=store.connection_string, refresh_on=["s"], feature_flag_enabled=True
    ) as config:
        assert not isinstance(config.snapshot["deep"], str)
        before = config.snapshot
        store.set("deep", nested(DEEPEST) + " ", content_type=JSON)
        store.set("s", "2")
        config.refresh(force=True)
        store.set("deep", nested(DEEPEST) + "  ", content_type=JSON)
        store.set("s", "3")
        assert deep_in_the_stack(lambda: config.refresh(force=True), 150)
        assert config.status.last_error is None
        assert config.snapshot is not before
        assert config.snapshot == {**before, "s": "3"}
        assert not isinstance(config.snapshot["deep"], str)
    problems = [one for one in caplog.records if one.name == "appconfig_provider"]
    assert [one.getMessage() for one in problems if one.levelno >= logging.WARNING] == []


def test_what_is_equal_has_not_changed_however_deep_it_is(load: Loader, store: Emulator) -> None:
    """A value that reads the same is in no change set, at any depth and on any stack."""
    reported: list[appconfig_provider.ChangeSet] = []

    def changed(changes: appconfig_provider.ChangeSet) -> None:
        reported.append(changes)

    store.set("deep", nested(DEEPEST), content_type=JSON)
    store.set("s", "1")
    with load(
        connection_string=store.connection_string, refresh_on=["s"], on_refresh_success=changed
    ) as config:
        for number in (2, 3):
            store.set("deep", nested(DEEPEST) + " " * number, content_type=JSON)
            store.set("s", str(number))
            assert deep_in_the_stack(lambda: config.refresh(force=True), 150)
    assert [one.changed for one in reported] == [("s",), ("s",)]


@pytest.mark.parametrize("deep", ["brackets", "JSON that ends", "JSON of a few levels too many"])
def test_a_flag_too_deep_is_left_out_by_name(
    store: Emulator, deep: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A feature flag nested too deeply is malformed like any other, and keeps no other one out."""
    good = json.dumps({"id": "good", "enabled": True, "conditions": {}})
    items = [
        {"key": f".appconfig.featureflag/{name}", "value": value, "content_type": FLAG_TYPE}
        for name, value in (("bad", DEEP[deep]), ("good", good))
    ]
    body = json.dumps({"items": items})

    def answer(record: RequestRecord) -> Scripted | None:
        return Scripted(200, {}, body) if "featureflag" in record.target else None

    with (
        store.respond(answer),
        appconfig_provider.load(
            connection_string=store.connection_string, feature_flag_enabled=True
        ) as config,
    ):
        listed: Any = config["feature_management"]
        assert [flag["id"] for flag in listed["feature_flags"]] == ["good"]
    assert ".appconfig.featureflag/bad" in caplog.text


@pytest.mark.parametrize("deep", DEEP)
def test_a_reference_too_deep_is_an_error_by_name(load: Loader, deep: str) -> None:
    """A Key Vault reference that cannot be read names its key."""
    item = {"key": "secret", "value": DEEP[deep], "content_type": VAULT_TYPE}
    body = json.dumps({"items": [item]})
    with (
        Emulator() as store,
        store.respond(lambda _: Scripted(200, {}, body)),
        pytest.raises(KeyVaultReferenceError, match="'secret'"),
        load(
            connection_string=store.connection_string,
            secret_resolver=lambda _: "never",
            startup_timeout=0,
        ),
    ):
        pass


@pytest.mark.parametrize("deep", DEEP)
def test_an_event_too_deep_is_no_event(store: Emulator, deep: str) -> None:
    """`notify()` says ValueError, as for everything that is no event."""
    with appconfig_provider.load(connection_string=store.connection_string) as config:
        for text in (DEEP[deep], DEEP[deep].encode()):
            with pytest.raises(ValueError, match="no Event Grid event"):
                config.notify(text)


def test_deep_json_that_loads_does_not_stop_every_later_refresh() -> None:
    """Values that are as deep as they may be, or deeper, do not stop a refresh."""
    with Emulator() as store:
        for depth in (100, 380):
            value = '{"a":' * depth + "1" + "}" * depth
            store.set(f"deep{depth}", value, content_type="application/json")
        store.set("s", "1")
        with load(connection_string=store.connection_string, refresh_on=["s"]) as config:
            assert isinstance(config["deep100"], dict)
            assert isinstance(config["deep380"], str)
            store.set("k", "new")
            store.set("s", "2")
            assert config.refresh(force=True)
