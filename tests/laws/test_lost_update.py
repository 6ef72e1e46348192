"""Law 1: whatever a deployment does between two requests, no update is lost.

The store holds one setting a page, so that `host` and `port` are read by different requests. A
deployment writes both and then the sentinel, at every cut point of a load and of a reload: before
or after any answer, all at once or with requests in between.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from appconfig_provider.testing import Emulator, RequestRecord
from tests.support.adapter import Loader, Provider

LOAD = 6
"""Requests of a load: the sentinel, pages `host`, `port`, `sentinel` and an empty one, it again."""

CUTS = [*itertools.product(range(LOAD), ("before", "after"))]


def publish_data(store: Emulator, version: str) -> None:
    """Write the two settings that belong together."""
    store.set("host", version)
    store.set("port", version)


def publish_sentinel(store: Emulator, version: str) -> None:
    """Say that the settings are written."""
    store.set("sentinel", version)


@contextmanager
def at(
    store: Emulator, cut: tuple[int, str], action: Callable[[], None], first: int = 0
) -> Iterator[None]:
    """Do something once, before or after the answer to the request of a given number."""

    def when_it_comes(record: RequestRecord) -> None:
        if record.index == first + cut[0]:
            action()

    register = store.before_answer if cut[1] == "before" else store.after_answer
    with register(when_it_comes):
        yield


@pytest.fixture
def paged() -> Iterator[Emulator]:
    """Give a store with one setting a page, at version `old`."""
    with Emulator(page_size=1) as store:
        publish_data(store, "old")
        publish_sentinel(store, "1")
        yield store


def keywords(store: Emulator) -> dict[str, object]:
    """Return how the store is loaded."""
    return {"connection_string": store.connection_string, "refresh_on": ["sentinel"]}


def assert_healed(config: Provider, version: str) -> None:
    """After the next refresh the newest version is there, whole."""
    config.refresh(force=True)
    snapshot = config.snapshot
    assert (snapshot["host"], snapshot["port"]) == (version, version)


def test_a_load_makes_the_requests_that_the_cuts_are_made_for(
    load: Loader, paged: Emulator
) -> None:
    """The cut points below cover every request of a load."""
    with load(**keywords(paged)):
        assert len(paged.requests) == LOAD


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_deployment_during_load_is_never_lost(
    load: Loader, paged: Emulator, cut: tuple[int, str]
) -> None:
    """Data and sentinel written at one cut point of a load are there after the next refresh."""

    def deploy() -> None:
        publish_data(paged, "new")
        publish_sentinel(paged, "2")

    with ExitStack() as stack:
        stack.enter_context(at(paged, cut, deploy))
        config = stack.enter_context(load(**keywords(paged)))
        snapshot = config.snapshot
        assert snapshot["host"] == snapshot["port"], "a consistent load is never mixed"
        assert_healed(config, "new")


PAIRS = [(one, two) for one, two in itertools.combinations(CUTS, 2)]


@pytest.mark.parametrize(("data", "sentinel"), PAIRS, ids=str)
def test_a_slow_deployment_during_load_is_never_lost(
    paged: Emulator, data: tuple[int, str], sentinel: tuple[int, str]
) -> None:
    """Data written at one cut point and the sentinel at a later one are not lost either."""
    from tests.support.adapter import load_sync

    with ExitStack() as stack:
        stack.enter_context(at(paged, data, lambda: publish_data(paged, "new")))
        stack.enter_context(at(paged, sentinel, lambda: publish_sentinel(paged, "2")))
        assert_healed(stack.enter_context(load_sync(**keywords(paged))), "new")


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_deployment_during_a_reload_is_never_lost(
    load: Loader, paged: Emulator, cut: tuple[int, str]
) -> None:
    """A second deployment at any cut point of the reload that the first one caused is not lost."""

    def deploy() -> None:
        publish_data(paged, "newer")
        publish_sentinel(paged, "3")

    with ExitStack() as stack:
        config = stack.enter_context(load(**keywords(paged)))
        publish_data(paged, "new")
        publish_sentinel(paged, "2")
        stack.enter_context(at(paged, cut, deploy, first=LOAD))
        config.refresh(force=True)
        snapshot = config.snapshot
        assert snapshot["host"] == snapshot["port"], "a consistent reload is never mixed"
        assert_healed(config, "newer")


def test_a_store_that_never_rests_is_published_as_inconsistent_and_repaired(
    load: Loader, paged: Emulator
) -> None:
    """A sentinel that moves during every load costs three loads, not an endless loop."""
    versions = itertools.count(2)

    def deploy(record: RequestRecord) -> None:
        if record.target.startswith("/kv?"):
            publish_sentinel(paged, str(next(versions)))

    hook = paged.before_answer(deploy)
    with load(**keywords(paged)) as config:
        assert not config.snapshot.consistent
        hook.remove()
        publish_data(paged, "new")
        assert_healed(config, "new")
        assert config.snapshot.consistent
