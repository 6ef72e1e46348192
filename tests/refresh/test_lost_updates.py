"""An update that falls into a load or a reload arrives all the same, and whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider.testing import Emulator, FakeClock, Hook, RequestRecord
from tests.support.adapter import Opener, Provider

CUTS = {"after the sentinel": 0, "after db/host": 1, "after db/port": 2}
"""The first requests of a load; every other cut point is in tests/laws."""
DB = [SettingSelector(key_filter="db/*")]


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """A store with one setting on a page."""
    with Emulator(page_size=1, clock=clock) as emulator:
        yield emulator


def deploy(store: Emulator, version: str) -> None:
    """Write the data first and the sentinel last, as a deployment does."""
    store.set("db/host", f"host-{version}")
    store.set("db/port", f"port-{version}")
    store.set("sentinel", version)


def at_request(
    register: Callable[[Callable[[RequestRecord], object]], Hook[object]],
    number: int,
    act: Callable[[], object],
) -> Hook[object]:
    """Do something around the request with this number, counted from 0 and from now."""
    seen: list[RequestRecord] = []

    def count(record: RequestRecord) -> None:
        seen.append(record)
        if len(seen) == number + 1:
            act()

    return register(count)


def load_db(opened: Opener, store: Emulator) -> Provider:
    return opened(connection_string=store.connection_string, selects=DB, refresh_on=["sentinel"])


def assert_whole(config: Provider, version: str) -> None:
    assert dict(config.snapshot) == {"db/host": f"host-{version}", "db/port": f"port-{version}"}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_deployment_during_the_load_is_seen_by_the_next_refresh(
    opened: Opener, store: Emulator, clock: FakeClock, cut: int
) -> None:
    """Data and sentinel written while a load reads: the next refresh has the new data, whole."""
    deploy(store, "old")
    with at_request(store.after_answer, cut, lambda: deploy(store, "new")):
        config = load_db(opened, store)
    clock.advance(30)
    config.refresh()
    assert_whole(config, "new")


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_a_deployment_during_a_reload_is_seen_by_the_next_refresh(
    opened: Opener, store: Emulator, clock: FakeClock, cut: int
) -> None:
    """A second deployment that falls into the reload of the first is not lost either."""
    deploy(store, "0")
    config = load_db(opened, store)
    deploy(store, "1")
    clock.advance(30)
    with at_request(store.after_answer, cut, lambda: deploy(store, "2")):
        config.refresh()
    clock.advance(30)
    config.refresh()
    assert_whole(config, "2")


@pytest.mark.parametrize("written", [1, 2])
def test_a_deployment_that_stretches_over_the_load_arrives_with_its_sentinel(
    opened: Opener, store: Emulator, clock: FakeClock, written: int
) -> None:
    """Data written during the load and a sentinel written after it are one update, not lost."""
    deploy(store, "old")

    def begin() -> None:
        for name in ["host", "port"][:written]:
            store.set(f"db/{name}", f"{name}-new")

    with at_request(store.after_answer, 1, begin):
        config = load_db(opened, store)
    deploy(store, "new")
    clock.advance(30)
    config.refresh()
    assert_whole(config, "new")


@pytest.mark.parametrize("page_size", [1, 2, 100])
def test_pages_of_two_deployments_are_not_kept_together(
    opened: Opener, clock: FakeClock, page_size: int
) -> None:
    """A load that a deployment cut in two is done again before anybody sees its halves."""
    with Emulator(page_size=page_size, clock=clock) as store:
        deploy(store, "old")
        with at_request(store.after_answer, 1, lambda: deploy(store, "new")):
            config = load_db(opened, store)
        assert_whole(config, "new")
        assert config.snapshot.consistent


def test_the_sentinel_is_read_before_the_data_even_when_it_is_selected(
    opened: Opener, store: Emulator
) -> None:
    """A watched key that the selectors contain is asked on its own, before and after the data."""
    deploy(store, "1")
    opened(connection_string=store.connection_string, refresh_on=["sentinel"])
    paths = [record.target.partition("?")[0] for record in store.requests]
    assert paths[0] == paths[-1] == "/kv/sentinel"
    assert paths[1:-1] == ["/kv"] * (len(paths) - 2)
    assert len(paths) > 2


def test_a_load_asks_nothing_more_of_the_store_than_it_needs(
    opened: Opener, store: Emulator
) -> None:
    """A load that met no deployment asks each sentinel twice and each page once."""
    deploy(store, "1")
    load_db(opened, store)
    targets = [record.target for record in store.requests]
    assert len([target for target in targets if target.startswith("/kv/sentinel")]) == 2
    listed = [target for target in targets if target.startswith("/kv?")]
    assert len(listed) == len(set(listed)) == 3  # a full page always names a next one
