"""Errors survive copy and pickle, as they must to leave a worker of a process pool."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider._azure.settings.records import Setting
from appconfig_provider._azure.settings.references import UnresolvedReference
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider.errors import (
    AzureError,
    KeyVaultReferenceError,
    SnapshotNotFoundError,
    StartupTimeout,
)
from appconfig_provider.testing import Emulator, FakeClock, Scripted
from tests.support.adapter import Loader
from tests.support.content import VAULT_TYPE, secret_id

T = TypeVar("T")


def pickled(protocol: int) -> Callable[[Any], Any]:
    """Return what sends a value through one protocol of pickle."""
    return lambda value: pickle.loads(pickle.dumps(value, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {protocol}": pickled(protocol) for protocol in range(6)},
}


def there(error: T, travel: Callable[[T], T]) -> T:
    """Send an error on its way; check that all that can be read of it arrives."""
    arrived = travel(error)
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)
    for name in ("key", "label", "secret_id", "name", "status_code", "message"):
        assert getattr(arrived, name, None) == getattr(error, name, None)
    return arrived


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with a sentinel."""
    with Emulator(clock=clock) as emulator:
        emulator.set("sentinel", "1")
        yield emulator


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize(
    "made",
    [
        KeyVaultReferenceError("no", key="k", label=None, secret_id="https://v/s"),
        SnapshotNotFoundError("no", name="release"),
        StartupTimeout("no", [AzureError("one"), SnapshotNotFoundError("two", name="release")]),
    ],
    ids=lambda made: type(made).__name__ if isinstance(made, Exception) else None,
)
def test_an_error_of_the_package_arrives_as_it_was(made: Exception, way: str) -> None:
    """Each public error arrives with its text and its attributes."""
    arrived = there(made, WAYS[way])
    if isinstance(made, StartupTimeout):
        assert isinstance(arrived, StartupTimeout)
        for cause, before in zip(arrived.causes, made.causes, strict=True):
            assert there(before, WAYS[way]).args == cause.args


def test_an_error_of_a_subclass_arrives_as_it_was() -> None:
    """What a program adds to one of our errors arrives, too."""

    class Reported(SnapshotNotFoundError):
        pass

    error = Reported("no", name="release")
    error.ticket = 7  # type: ignore[attr-defined]  # what a program may do
    arrived = copy.copy(error)
    assert (type(arrived), arrived.name, vars(arrived)["ticket"]) == (Reported, "release", 7)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 503])
def test_what_load_raises_can_be_pickled(load: Loader, store: Emulator, status: int) -> None:
    """An error of the store that ends `load()` travels, with its traceback still on it."""
    with (
        store.respond(lambda _: Scripted(status)),
        pytest.raises(AzureError) as caught,
        load(connection_string=store.connection_string, startup_timeout=0, retry_total=0),
    ):
        pass
    for travel in WAYS.values():
        there(caught.value, travel)


def test_a_missing_snapshot_can_be_pickled(load: Loader, store: Emulator) -> None:
    """The error of a snapshot that is not there travels out of `load()`."""
    with (
        pytest.raises(SnapshotNotFoundError) as caught,
        load(
            connection_string=store.connection_string,
            selects=[SettingSelector(snapshot_name="release")],
        ),
    ):
        pass
    for travel in WAYS.values():
        assert there(caught.value, travel).name == "release"


def test_a_reference_that_fails_can_be_pickled(load: Loader, store: Emulator) -> None:
    """The error of a Key Vault reference travels out of `load()`."""
    store.set_secret("pw", secret_id("pw"))
    with (
        pytest.raises(KeyVaultReferenceError) as caught,
        load(connection_string=store.connection_string),
    ):
        pass
    for travel in WAYS.values():
        assert there(caught.value, travel).key == "pw"


SAID = {"500": Scripted(500), "403": Scripted(403), "malformed": Scripted(200, body="<html>")}


@pytest.mark.parametrize("kind", [*SAID, "network", "snapshot", "reference"])
def test_what_the_status_holds_can_be_pickled(
    load: Loader, store: Emulator, clock: FakeClock, kind: str
) -> None:
    """`status.last_error`, the status itself and what a callback gets travel, whatever failed."""
    errors: list[bytes] = []
    failing = False
    with (
        store.respond(lambda _: SAID.get(kind) if failing else None),
        load(
            connection_string=store.connection_string,
            refresh_on=["sentinel"],
            retry_total=0,
            on_refresh_error=lambda error: errors.append(pickle.dumps(error)),
        ) as config,
    ):
        failing = True
        if kind == "network":
            store.down()
        elif kind in REFERENCES:
            text, content_type = REFERENCES[kind]
            store.set("reference", text, content_type=content_type)
            store.set("sentinel", "2")
        clock.advance(61)
        assert not config.refresh()
        error, status = config.status.last_error, config.status
    assert error is not None
    for travel in WAYS.values():
        there(error, travel)
        assert str(travel(status).last_error) == str(error)
    assert [str(pickle.loads(one)) for one in errors] == [str(error)]


REFERENCES = {
    "snapshot": (
        '{"snapshot_name": "release"}',
        'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref"; charset=utf-8',
    ),
    "reference": (
        '{"uri": "https://v.vault.azure.net/secrets/pw"}',
        VAULT_TYPE,
    ),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_an_error_of_the_engine_arrives_as_it_was(way: str) -> None:
    """Where no public error could be made, the engine's own one travels as well."""
    failed = RequestFailed(Kind.REFUSED, "https://a", "answered 503", status=503, hint="wait")
    arrived = there(failed, WAYS[way])
    assert (arrived.kind, arrived.origin, arrived.status) == (failed.kind, "https://a", 503)
    setting = Setting("k", None, "{}", None)
    unresolved = there(UnresolvedReference(setting, "no", "https://v/secrets/x"), WAYS[way])
    assert (unresolved.setting, unresolved.secret_id) == (setting, "https://v/secrets/x")
