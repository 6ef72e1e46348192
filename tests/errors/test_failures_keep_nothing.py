"""What a failed refresh leaves behind: one error without frames, however many have failed."""

from __future__ import annotations

import builtins
import gc
import logging
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ServiceRequestError

from appconfig_provider.testing import Emulator, FakeClock, Scripted, StaticCredential, Vault
from tests.support.adapter import Loader, Provider
from tests.support.content import secret_id

pytestmark = [pytest.mark.heavy, pytest.mark.unmeasured]

FAILURES = 400
WARM_UP = 40
SLACK = FAILURES
"""Objects that caches and pools of the process may add meanwhile: less than one for each failure.
A kept refresh has thousands."""


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with some settings, a secret among them."""
    with Emulator(clock=clock) as emulator:
        emulator.set_many({f"key{number:03}": "value" for number in range(5)})
        emulator.set("sentinel", "0")
        emulator.set_secret("pw", secret_id("pw"))
        yield emulator


@pytest.fixture
def vault(clock: FakeClock) -> Iterator[Vault]:
    """Give a vault with a secret."""
    with Vault(clock=clock) as emulated:
        emulated.set("pw", "secret")
        yield emulated


@pytest.fixture
def unlogged() -> Iterator[None]:
    """Have no log records, of which pytest keeps every one."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


class Switch:
    """Functions of a user that work until `failing`."""

    def __init__(self) -> None:
        self.failing = False

    def check(self, _: object) -> None:
        """Refuse, in the way of code that turns one error into another."""
        if self.failing:
            try:
                raise AzureError("first")
            except AzureError as error:
                raise ValueError("refused") from error

    def resolve(self, _: str) -> str:
        """Answer with a secret."""
        if self.failing:
            raise ServiceRequestError("the vault is not there")
        return "secret"


def keywords_for(kind: str, switch: Switch, vault: Vault) -> dict[str, Any]:
    """Return what a kind of failure needs."""
    vaults = {vault.url: {"credential": StaticCredential()}}
    usual: dict[str, Any] = {"secret_resolver": switch.resolve, "refresh_on": ["sentinel"]}
    return {
        "validate": {**usual, "validate": switch.check},
        "mapper": {**usual, "configuration_mapper": switch.check},
        "vault": {**usual, "secret_policy": "raise", "keyvault_client_configs": vaults},
        "resolver": {**usual, "secret_policy": "raise", "secret_refresh_interval": 60},
    }.get(kind, usual)


SAID: dict[str, Scripted] = {
    "500": Scripted(500, body='{"title": "out of order"}'),
    "403": Scripted(403),
    "malformed": Scripted(200, headers={"etag": '"x"'}, body="<html>"),
}


def fail(config: Provider, clock: FakeClock) -> None:
    """Let one refresh fail, whatever still rests or backs off."""
    clock.advance(61)
    assert not config.refresh(force=True)
    assert config.status.last_error is not None


def objects() -> int:
    """Count what the collector knows, cycles gone."""
    gc.collect()
    return len(gc.get_objects())


SHOWN = ("validate", "mapper", "network", *SAID)


@pytest.mark.parametrize("kind", [*SHOWN, "resolver", "vault"])
def test_hundreds_of_failures_keep_one(
    load: Loader, store: Emulator, vault: Vault, clock: FakeClock, unlogged: None, kind: str
) -> None:
    """However a refresh fails, four hundred failures leave no more objects than forty did.

    Where a secret is wanted, too, its resolver fails beside the store.
    """
    switch = Switch()

    def respond(_: object) -> Scripted | None:
        return SAID.get(kind) if switch.failing else None

    with (
        store.respond(respond),
        vault.respond(lambda _: Scripted(500) if switch.failing else None),
        load(
            connection_string=store.connection_string,
            retry_total=0,
            on_refresh_error=lambda _: None,
            verify=vault.ca_file,
            **keywords_for(kind, switch, vault),
        ) as config,
    ):
        switch.failing = True
        if kind == "network":
            store.down()
        elif kind == "vault":
            store.set_secret("pw", vault.id("pw"))
            store.set("sentinel", "1")
        elif kind in {"validate", "mapper"}:
            store.set("sentinel", "1")
        for _ in range(WARM_UP):
            fail(config, clock)
        store.clear_requests()
        vault.clear_requests()
        before = objects()
        for number in range(FAILURES):
            fail(config, clock)
            if number % 50 == 0:
                store.clear_requests()
        store.clear_requests()
        vault.clear_requests()
        assert objects() - before < SLACK


def frames_of(error: BaseException) -> list[types.TracebackType]:
    """Return every traceback that can be reached from an error."""
    found: list[types.TracebackType] = []
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, types.TracebackType):
            found.append(one)
        elif isinstance(one, BaseException | list | tuple | dict):
            left += gc.get_referents(one)
    return found


class Awkward(ValueError):
    """Refuses to be written to, and has attributes that raise."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)

    @property
    def inner_exception(self) -> None:
        """Raise what nobody expects of an attribute."""
        raise RuntimeError("no")


def chained() -> Exception:
    """Make an error of everything that may hold another one."""
    try:
        try:
            raise KeyError("the cause")
        except KeyError as error:
            inner = AzureError("keeps the error of the moment", error=error)
            raise inner from error
    except AzureError as error:
        final = Awkward("the last")
        final.__cause__ = error
        return final


def circular() -> Exception:
    """Make two errors that are each other's cause."""
    try:
        raise ValueError("one")
    except ValueError as one:
        try:
            raise KeyError("other")
        except KeyError as other:
            one.__cause__ = other
            other.__context__ = one
            return one


def grouped() -> Exception:
    """Make a group, where Python has them."""
    try:
        raise ValueError("inside")
    except ValueError as error:
        return ExceptionGroup("several", [error, chained()])  # noqa: F821 - Python 3.11


MAKERS: list[Callable[[], Exception]] = [chained, circular, grouped]


@pytest.mark.parametrize("make", MAKERS)
def test_an_error_keeps_no_frames_once_the_callbacks_have_returned(
    load: Loader, store: Emulator, clock: FakeClock, make: Callable[[], Exception]
) -> None:
    """Callbacks see the traceback; afterwards nothing that the error is chained to has one."""
    if make is grouped and not hasattr(builtins, "ExceptionGroup"):
        pytest.skip("Python 3.10 has no groups")
    seen: list[bool] = []

    def refuse(_: object) -> None:
        if store_moved:
            raise make()

    store_moved = False
    with load(
        connection_string=store.connection_string,
        refresh_on=["sentinel"],
        secret_resolver=lambda _: "secret",
        validate=refuse,
        on_refresh_error=lambda error: seen.append(error.__traceback__ is not None),
    ) as config:
        store_moved = True
        store.set("sentinel", "1")
        clock.advance(61)
        assert not config.refresh()
        error = config.status.last_error
    assert error is not None
    assert seen == [True]
    assert frames_of(error) == []
