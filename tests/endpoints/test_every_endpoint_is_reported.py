"""Where no endpoint gave a usable answer, the log and the error tell of each of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from appconfig_provider.errors import ClientAuthenticationError, HttpResponseError
from appconfig_provider.testing import Emulator, FakeClock, Scripted
from tests.support.adapter import Loader


@pytest.fixture
def stores(clock: FakeClock) -> Iterator[list[Emulator]]:
    """Give five stores that hold the same."""
    stores = [Emulator(clock=clock) for _ in range(5)]
    for store in stores:
        store.__enter__()
        store.set("sentinel", "1")
    yield stores
    for store in stores:
        store.__exit__(None, None, None)


def keywords(stores: list[Emulator]) -> dict[str, object]:
    """Return how some of the stores are loaded, as one with replicas."""
    return {
        "connection_string": stores[0].connection_string,
        "replicas": [store.connection_string for store in stores[1:]],
        "refresh_on": ["sentinel"],
        "retry_total": 0,
    }


def refuse(store: Emulator, status: int) -> None:
    """Have a store answer everything with a status from now on."""
    store.respond(lambda _: Scripted(status)).__enter__()


@pytest.mark.parametrize("number", [2, 3, 5])
def test_a_failed_check_tells_what_happened_at_each_endpoint(
    load: Loader,
    stores: list[Emulator],
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    """The first three by their addresses and answers, the others by their number."""
    used = stores[:number]
    with load(**keywords(used)) as config:
        for status, store in enumerate(used, 503):
            refuse(store, status)
        clock.advance(31)
        caplog.clear()
        assert not config.refresh()
        error = config.status.last_error
    (line,) = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    for reported in (line, str(error)):
        for status, store in enumerate(used[:3], 503):
            assert f"{store.endpoint}: answered {status} to " in reported
        assert reported.count("; and http") == min(number, 3) - 1
        assert ("(and 2 more endpoints)" in reported) == (number == 5)
    assert type(error) is HttpResponseError
    assert error.status_code == 503


def test_a_first_load_that_every_endpoint_refuses_tells_of_each(
    load: Loader, stores: list[Emulator]
) -> None:
    """Its error has the class of the first answer."""
    used = stores[:2]
    for status, store in zip((401, 403), used, strict=True):
        refuse(store, status)
    with pytest.raises(ClientAuthenticationError) as caught, load(**keywords(used)):
        pass
    for status, store in zip((401, 403), used, strict=True):
        assert f"{store.endpoint}: answered {status} to " in str(caught.value)
    assert caught.value.status_code == 401
