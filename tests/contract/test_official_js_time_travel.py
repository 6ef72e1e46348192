"""Time travel with the official JavaScript client: ``acceptDateTime``, an ISO date on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from appconfig_provider.testing import Emulator, FakeClock
from tests.contract.node.process import Named, Refused, date, iso

pytest_plugins = ["tests.contract.node.fixtures"]
pytestmark = pytest.mark.heavy

STEP = 60  # seconds; signatures are good for fifteen minutes


@pytest.fixture
def clock() -> FakeClock:
    """Give the store's clock, for which JavaScript's requests are fresh."""
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Iterator[Emulator]:
    """Give a store with pages of three and a clock that a test moves."""
    with Emulator(page_size=3, clock=clock) as emulator:
        yield emulator


class Moment:
    """A moment in a store's life: what was written lies before it, what will be after it."""

    def __init__(self, clock: FakeClock) -> None:
        clock.advance(STEP)
        self.seconds = clock.time()
        clock.advance(STEP)

    @property
    def option(self) -> dict[str, Any]:
        """The option that asks for the state as of then."""
        return {"acceptDateTime": date(self.seconds)}


def values(settings: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Keys and values of settings."""
    return [(setting["key"], setting["value"]) for setting in settings]


def assert_asked_as_of(store: Emulator, moment: Moment) -> None:
    """Every request so far named the moment in its Accept-Datetime header."""
    sent = {record.headers.get("accept-datetime") for record in store.requests}
    assert sent == {iso(moment.seconds)}


def test_a_setting_as_it_was(store: Emulator, js: Named, clock: FakeClock) -> None:
    """A setting is read as of a moment: value, ETag and lock of then."""
    old = store.set("k", "old")
    then = Moment(clock)
    store.lock("k")
    store.set_many({"k": "new"})
    read = js.call("getConfigurationSetting", {"key": "k"}, then.option)
    assert_asked_as_of(store, then)
    assert (read["value"], read["etag"], read["isReadOnly"]) == ("old", old.etag, False)
    assert js.call("getConfigurationSetting", {"key": "k"})["value"] == "new"


def test_a_setting_before_it_was_written(store: Emulator, js: Named, clock: FakeClock) -> None:
    """A setting is not there as of a moment before its first write."""
    then = Moment(clock)
    store.set("k", "v")
    with pytest.raises(Refused) as caught:
        js.call("getConfigurationSetting", {"key": "k"}, then.option)
    assert_asked_as_of(store, then)
    assert caught.value.status == 404


def test_a_setting_that_is_gone(store: Emulator, js: Named, clock: FakeClock) -> None:
    """A deleted setting is still there as of a moment before, and not as of one after."""
    store.set("k", "v", "l")
    before = Moment(clock)
    store.delete("k", "l")
    after = Moment(clock)
    store.set("k", "again", "l")
    name = {"key": "k", "label": "l"}
    assert js.call("getConfigurationSetting", name, before.option)["value"] == "v"
    assert_asked_as_of(store, before)
    with pytest.raises(Refused) as caught:
        js.call("getConfigurationSetting", name, after.option)
    assert caught.value.status == 404


def test_a_condition_on_a_setting_as_it_was(store: Emulator, js: Named, clock: FakeClock) -> None:
    """A conditional read compares with the ETag of then."""
    old = store.set("k", "old")
    then = Moment(clock)
    new = store.set("k", "new")
    options = {**then.option, "onlyIfChanged": True}
    same = js.call("getConfigurationSetting", {"key": "k", "etag": old.etag}, options)
    assert_asked_as_of(store, then)
    assert same["statusCode"] == 304
    other = js.call("getConfigurationSetting", {"key": "k", "etag": new.etag}, options)
    assert (other["statusCode"], other["value"]) == (200, "old")


def test_a_listing_as_it_was(store: Emulator, js: Named, clock: FakeClock) -> None:
    """A listing shows the settings of then over all its pages, whatever came since."""
    store.set_many({f"k{number}": "old" for number in range(7)})
    then = Moment(clock)
    store.set_many({f"k{number}": "new" for number in range(0, 7, 2)})
    store.delete("k3")
    store.set("k33", "new")
    pages = js.call("listConfigurationSettings", {"keyFilter": "k*", **then.option})
    assert_asked_as_of(store, then)
    assert [len(page["items"]) for page in pages] == [3, 3, 1]
    found = [pair for page in pages for pair in values(page["items"])]
    assert found == [(f"k{number}", "old") for number in range(7)]


def test_filters_of_a_listing_as_it_was(store: Emulator, js: Named, clock: FakeClock) -> None:
    """Labels and tags are compared as they were then, and only the state of then is judged."""
    store.set("a", "1", tags={"t": "x"})
    store.set("b", "1", tags={"t": "x"})
    store.set("b", "2", tags={"t": "y"})
    store.set("c", "1", "l", tags={"t": "x"})
    then = Moment(clock)
    store.set("a", "2", tags={"t": "y"})
    store.set("b", "3", tags={"t": "x"})
    store.delete("c", "l")

    def found(**options: Any) -> list[tuple[str, str]]:
        return values(js.items("listConfigurationSettings", {**options, **then.option}))

    assert found(tagsFilter=["t=x"]) == [("a", "1"), ("c", "1")]
    assert_asked_as_of(store, then)
    assert found(tagsFilter=["t=y"]) == [("b", "2")]
    assert found(labelFilter="l") == [("c", "1")]
    assert found(labelFilter="\0", tagsFilter=["t=x"]) == [("a", "1")]


@pytest.mark.parametrize("method", ["listConfigurationSettings", "checkConfigurationSettings"])
def test_conditional_pages_as_they_were(
    store: Emulator, js: Named, clock: FakeClock, method: str
) -> None:
    """The pages of then have the ETags they had then, from GET as from HEAD."""
    store.set_many({f"k{number}": "old" for number in range(5)})
    etags = [page["etag"] for page in js.call(method)]
    then = Moment(clock)
    store.set("k4", "new")
    store.clear_requests()
    pages = js.call(method, {"pageEtags": etags, **then.option})
    assert_asked_as_of(store, then)
    assert [page["status"] for page in pages] == [304, 304]
    assert [page["status"] for page in js.call(method, {"pageEtags": etags})] == [304, 200]


def test_revisions_as_they_were(store: Emulator, js: Named, clock: FakeClock) -> None:
    """Revisions that came after a moment are not listed as of it."""
    for number in range(4):
        store.set("k", str(number))
    then = Moment(clock)
    store.set("k", "new")
    store.delete("k")
    store.set("later", "new")
    found = js.items("listRevisions", then.option)
    assert_asked_as_of(store, then)
    assert values(found) == [("k", str(number)) for number in (3, 2, 1, 0)]


def test_labels_as_they_were(store: Emulator, js: Named, clock: FakeClock) -> None:
    """Labels are those of the settings of then, over pages."""
    for label in ("a", "b", "c", "d"):
        store.set("k", "v", label)
    then = Moment(clock)
    store.delete("k", "b")
    store.set("k", "v", "e")
    found = [item["name"] for item in js.items("listLabels", then.option)]
    assert_asked_as_of(store, then)
    assert found == ["a", "b", "c", "d"]


def test_a_moment_to_come(store: Emulator, js: Named, clock: FakeClock) -> None:
    """As of a moment in the future everything is as it is now."""
    store.set("k", "old")
    clock.advance(STEP)
    store.set("k", "new")
    option = {"acceptDateTime": date(clock.time() + STEP)}
    assert js.call("getConfigurationSetting", {"key": "k"}, option)["value"] == "new"
    assert values(js.items("listConfigurationSettings", option)) == [("k", "new")]
