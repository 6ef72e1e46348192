"""Time travel with the official ``azure-appconfiguration`` client, sync and async."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import ResourceNotFoundError

from appconfig_provider.testing import Emulator, FakeClock

from .peers import Peer, Play


@pytest.fixture
def clock() -> FakeClock:
    """Give the store's clock, which a script moves; the client's requests stay fresh."""
    return FakeClock()


def test_moments(play: Play, clock: FakeClock) -> None:
    """A setting is read as it was in the second that a datetime or a text stands for."""

    async def script(store: Emulator, peer: Peer) -> None:
        begin = datetime.fromtimestamp(clock.time(), timezone.utc)
        clock.advance(5)
        first = store.set("k", "1", "l")
        clock.advance(5)
        store.set("k", "2", "l")
        clock.advance(5)
        store.delete("k", "l")
        clock.advance(5)
        last = store.set("other", "v").last_modified

        async def value(moment: datetime | str | None) -> str | None:
            setting = await peer.call("get_configuration_setting", "k", "l", accept_datetime=moment)
            return None if setting is None else setting.value

        then = first.last_modified
        here = then.astimezone(timezone(timedelta(hours=2)))
        texts = (str(then.replace(tzinfo=None)), then.isoformat().replace("+00:00", "Z"))
        for moment in (then, here, then.replace(tzinfo=None), *texts):
            assert await value(moment) == "1"
        read = await peer.call("get_configuration_setting", "k", "l", accept_datetime=then)
        assert await value(read.last_modified) == "1"
        for absent in (begin, last, None, last + timedelta(days=1), "nonsense"):
            with pytest.raises(ResourceNotFoundError):
                await value(absent)
        conditional = {"accept_datetime": then, "match_condition": MatchConditions.IfModified}
        unchanged = await peer.call(
            "get_configuration_setting", "k", "l", etag=first.etag, **conditional
        )
        assert unchanged is None

    play(script)


def test_listings_of_the_past(play: Play, clock: FakeClock) -> None:
    """Settings, labels and revisions are listed as they were, over pages, with their filters."""

    async def script(store: Emulator, peer: Peer) -> None:
        for number in range(7):
            store.set(f"k{number}", "old", f"l{number}", tags={"t": "old"})
        then = {"accept_datetime": datetime.fromtimestamp(clock.time(), timezone.utc)}
        clock.advance(5)
        store.set("k1", "new", "l1")
        for number in range(2, 7):
            store.delete(f"k{number}", f"l{number}")

        async def keys(method: str, **options: Any) -> list[str]:
            return [setting.key for setting in await peer.every(method, **options, **then)]

        everything = [f"k{number}" for number in range(7)]
        for method in ("list_configuration_settings", "list_revisions"):
            assert sorted(await keys(method)) == everything
            assert await keys(method, tags_filter=["t=old"], key_filter="k1") == ["k1"]
            some = await keys(method, label_filter="l2,l5", fields=["key"])
            assert sorted(some) == ["k2", "k5"]
        past = await peer.every("list_configuration_settings", **then)
        assert {setting.value for setting in past} == {"old"}
        assert len(await peer.every("list_configuration_settings")) == 2
        assert len(await peer.every("list_revisions")) == 8
        labels = await peer.every("list_labels", **then)
        assert [label.name for label in labels] == [f"l{number}" for number in range(7)]
        assert [label.name for label in await peer.every("list_labels")] == ["l0", "l1"]

    play(script)


@pytest.mark.parametrize("method", ["list_configuration_settings", "check_configuration_settings"])
def test_conditional_pages_of_the_past(play: Play, clock: FakeClock, method: str) -> None:
    """The past never changes, and no request goes after a page that does not follow."""

    async def script(store: Emulator, peer: Peer) -> None:
        store.set_many({f"k{number}": "v" for number in range(7)})
        then: dict[str, Any] = {
            "accept_datetime": datetime.fromtimestamp(clock.time(), timezone.utc)
        }
        clock.advance(5)
        store.set("k8", "v")
        etags = [etag for etag, _ in await peer.pages(method, **then)]
        assert len(set(etags)) == 3
        store.set("k4", "new")
        assert await peer.pages(method, etags, **then) == []
        assert len(await peer.pages(method, etags)) == 2
        expected = [200] * 3 + [304] * 3 + [304, 200, 200]
        assert [record.status for record in store.requests] == expected

    play(script)
