"""Caches that ConfigCat clients share: what is read, what is written, and when."""

from __future__ import annotations

import json
from typing import Any

import pytest

from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
from appconfig_provider.configcat.connecting import Surroundings, source_of
from appconfig_provider.configcat.fetching.entries import Entry, from_payload, to_payload
from appconfig_provider.configcat.fetching.keys import cache_key_of
from appconfig_provider.configcat.interfaces import ConfigCache
from appconfig_provider.configcat.pollingmode import PollingMode
from appconfig_provider.testing import FakeClock
from tests.configcat.test_governance import SHARED
from tests.support.configcat_source import GLOBAL, KEY, OLD_KEY, V5, V6, Cdn, Played, Shared, v5, v6

AUTO = PollingMode.auto_poll(poll_interval_seconds=60)
LAZY = PollingMode.lazy_load(cache_refresh_interval_seconds=60)
MANUAL = PollingMode.manual_poll()
PLACE = cache_key_of(KEY, V6)
BEGAN = 1_700_000_000.0


def stored(config: dict[str, Any], ago: float, etag: str = '"c"') -> str:
    """Return what another process has stored some seconds before the tests begin."""
    return to_payload(Entry(json.dumps(config), etag, BEGAN - ago, V6))


@pytest.fixture
def cdn() -> Cdn:
    """Return a CDN with one config of version 6."""
    cdn = Cdn()
    cdn.serve(v6(color="red"))
    return cdn


@pytest.fixture
def cache() -> Shared:
    """Return a cache that holds nothing."""
    return Shared()


def test_published_format() -> None:
    """Key and text are those of ConfigCat's other SDKs, and bad texts are refused."""
    path = SHARED / "inline" / "cache_format.json"
    if not path.exists():
        pytest.skip(f"the vectors are not here: {path}")
    format_ = json.loads(path.read_text(encoding="utf-8"))
    for sdk_key, place in format_["cache_key"]:
        assert cache_key_of(sdk_key, V6) == place
    payload = format_["payload"]
    entry = Entry(payload["config_json"], payload["etag"], payload["fetch_time_seconds"], V6)
    assert to_payload(entry) == payload["serialized_prefix"] + payload["config_json"]
    for bad, _ in format_["bad_payloads"][:3]:
        with pytest.raises(ValueError) as caught:
            from_payload(bad, V6)
        assert bad not in str(caught.value)


def test_what_came_is_stored(cdn: Cdn, cache: Shared) -> None:
    """After a download the cache has time, ETag and JSON, and after a 304 the newer time."""
    client = Played(cdn, LAZY, config_cache=cache)
    client.refresh()
    assert cache[PLACE] == f'1700000000000\nW/"1"\n{json.dumps(v6(color="red"))}'
    client.refresh_when_due()
    assert cache[PLACE].startswith('1700000060000\nW/"1"\n')


def test_a_class_is_called() -> None:
    """A cache may be given as a class, as ConfigCat's page has it."""
    made: list[ConfigCache] = []

    class InMemory(ConfigCache):
        def __init__(self) -> None:
            self.held: dict[str, Any] = {}
            made.append(self)

        def get(self, key: str) -> Any:
            return self.held.get(key)

        def set(self, key: str, value: str) -> None:
            self.held[key] = value

    cdn = Cdn()
    cdn.serve(v6(color="red"))
    Played(cdn, config_cache=InMemory).refresh()
    (cache,) = made
    assert cache.get(PLACE).endswith(json.dumps(v6(color="red")))


@pytest.mark.parametrize("wrong", [7, object(), "cache"])
def test_what_is_no_cache_is_refused(wrong: object) -> None:
    """A cache without `get` and `set` is a mistake that is told when the client is made."""
    with pytest.raises(TypeError, match="get and set"):
        source_of(
            KEY, ConfigCatOptions(config_cache=wrong), Surroundings(clock=FakeClock()), newest=True
        )


@pytest.mark.parametrize("mode", [AUTO, LAZY])
def test_a_fresh_entry_at_start_needs_no_request(
    cdn: Cdn, cache: Shared, mode: PollingMode
) -> None:
    """What another process stored a moment ago is used until it expires, without a request."""
    cache[PLACE] = stored(v6(color="blue"), 20)
    client = Played(cdn, mode, config_cache=cache)
    outcome = client.refresh()
    assert outcome.changes is not None
    assert outcome.changes.reason == "cache"
    assert client.texts == {"color": "blue"}
    assert client.due == 40
    assert cdn.asked == []
    client.refresh_when_due()
    assert cdn.conditions == ['"c"']
    assert client.texts == {"color": "red"}


def test_an_old_entry_is_confirmed(cdn: Cdn, cache: Shared) -> None:
    """An expired entry is used at once, and its ETag asks whether it still holds."""
    cdn.serve(v6(color="blue"), '"c"')
    cache[PLACE] = stored(v6(color="blue"), 1000)
    client = Played(cdn, config_cache=cache)
    client.refresh()
    assert cdn.conditions == ['"c"']
    assert client.texts == {"color": "blue"}
    assert cache[PLACE].startswith("1700000000000\n")


def test_an_old_entry_serves_where_no_server_answers(cdn: Cdn, cache: Shared) -> None:
    """Where the server is down at start, the settings are those of the cache."""
    cdn.break_down()
    cache[PLACE] = stored(v6(color="blue"), 1_000_000)
    client = Played(cdn, config_cache=cache)
    outcome = client.refresh()
    assert outcome.error is not None
    assert client.texts == {"color": "blue"}
    assert client.ids == [1103]


def test_manual_reads_the_cache_at_start(cdn: Cdn, cache: Shared) -> None:
    """A manual client uses what the cache holds, and sends nothing until it is forced."""
    cache[PLACE] = stored(v6(color="blue"), 1000)
    client = Played(cdn, MANUAL, config_cache=cache)
    client.refresh()
    assert client.texts == {"color": "blue"}
    assert cdn.asked == []
    client.refresh(force=True)
    assert client.texts == {"color": "red"}


def test_what_another_process_fetched_saves_a_request(cdn: Cdn, cache: Shared) -> None:
    """At the time of a refresh a newer entry of the cache takes the place of a request."""
    client = Played(cdn, config_cache=cache)
    client.refresh()
    cache[PLACE] = stored(v6(color="blue"), -50)
    outcome = client.refresh_when_due()
    assert outcome.changes is not None
    assert outcome.changes.changed == ("color",)
    assert len(cdn.asked) == 1
    assert client.due == 50


def test_an_older_entry_does_not_replace_a_newer_one(cdn: Cdn, cache: Shared) -> None:
    """A process that stores late does not take others back."""
    client = Played(cdn, config_cache=cache)
    client.refresh()
    cdn.break_down()
    cache[PLACE] = stored(v6(color="old"), 5)
    client.refresh_when_due()
    assert client.texts == {"color": "red"}


def test_it_is_asked_at_refresh_times_only(cdn: Cdn, cache: Shared) -> None:
    """Nothing that is not due reads the cache."""
    client = Played(cdn, config_cache=cache)
    client.refresh()
    asked = len(cache.gets)
    client.clock.advance(59)
    for _ in range(100):
        client.refresh()
    assert len(cache.gets) == asked


@pytest.mark.parametrize("mode", [AUTO, LAZY])
def test_offline_reads_the_cache_at_each_interval(
    cdn: Cdn, cache: Shared, mode: PollingMode
) -> None:
    """An offline client follows the cache: at each interval, and when it is forced."""
    client = Played(cdn, mode, config_cache=cache, offline=True)
    client.refresh()
    assert not client.state.loaded
    cache[PLACE] = stored(v6(color="blue"), 1000)
    client.refresh_when_due()
    assert client.texts == {"color": "blue"}
    assert client.due == 60
    cache[PLACE] = stored(v6(color="old"), 2000, '"d"')
    client.refresh(force=True)
    assert client.texts == {"color": "old"}
    assert cdn.asked == []


BAD = {
    "one line": "1700000000000",
    "two lines": '1700000000000\n"e"',
    "no time": 'soon\n"e"\n' + json.dumps(v6(color="blue")),
    "no ETag": "1700000000000\n\n" + json.dumps(v6(color="blue")),
    "an ETag of two lines": '1700000000000\n"a\r"\n' + json.dumps(v6(color="blue")),
    "no JSON": '1700000000000\n"e"\nwrong',
    "no settings": '1700000000000\n"e"\n{}',
    "deep": '1700000000000\n"e"\n' + '{"f":' * 100_000,
    "a number": 7,
    "bytes that are no text": b"\xff\xfe",
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
def test_an_unreadable_entry_is_told_once(cdn: Cdn, cache: Shared, value: object) -> None:
    """What cannot be read is 2200, once; memory is kept, and the server is asked as ever."""
    cdn.serve(v6(color="red"), "")  # without an ETag the entry stays as it is
    cache[PLACE] = value
    client = Played(cdn, config_cache=cache)
    client.refresh()
    client.refresh_when_due()
    assert client.ids == [2200]
    assert "blue" not in client.told[0].text
    assert client.texts == {"color": "red"}
    assert len(cdn.asked) == 2
    cache[PLACE] = stored(v6(color="green"), -61)
    client.refresh_when_due()
    assert client.texts == {"color": "green"}
    cache[PLACE] = value
    client.refresh_when_due()
    assert client.ids == [2200, 2200]


def test_a_cache_that_raises_hurts_nobody(cdn: Cdn, cache: Shared) -> None:
    """Errors of a cache are 2200 and 2201, once each, without their text, which may quote."""
    cache.error = RuntimeError("redis://:hunter2@cache")
    client = Played(cdn, config_cache=cache)
    client.refresh()
    client.refresh_when_due()
    assert client.ids == [2200, 2201]
    assert "hunter2" not in "".join(one.text for one in client.told)
    assert client.texts == {"color": "red"}
    cache.error = None
    client.refresh_when_due()
    assert cache[PLACE].startswith("1700000120000")
    assert client.state.copies.unwritable is None


def test_a_cache_that_cannot_be_written_is_not_pressed(cdn: Cdn, cache: Shared) -> None:
    """It is tried again with the next confirmation, and not between."""
    client = Played(cdn, config_cache=cache)
    cache.error = RuntimeError()
    client.refresh()
    cache.error = None
    client.refresh()
    assert PLACE not in cache
    client.refresh_when_due()
    assert PLACE in cache


def test_without_an_etag_nothing_is_stored(cdn: Cdn, cache: Shared) -> None:
    """A config without an ETag would be unreadable for ConfigCat's SDKs."""
    cdn.serve(v6(color="red"), "")
    Played(cdn, config_cache=cache).refresh()
    assert dict(cache) == {}


def test_each_file_has_a_key_of_its_own(cache: Shared) -> None:
    """What came from config_v5.json is stored under its own key, never under that of version 6."""
    cdn = Cdn(key=OLD_KEY)
    cdn.serve(v5(color="red"), file=V5)
    Played(cdn, key=OLD_KEY, newest=False, config_cache=cache).refresh()
    assert list(cache) == [cache_key_of(OLD_KEY, V5)]
    reader = Played(cdn, key=OLD_KEY, newest=True, config_cache=cache)
    reader.refresh()
    assert reader.texts == {"color": "red"}
    assert len(cdn.asked) == 1


def test_a_config_of_another_format_is_not_stored(cdn: Cdn, cache: Shared) -> None:
    """A server that gives version 5 under the name of version 6 does not spoil the cache."""
    cdn.serve(v5(color="red"))
    client = Played(cdn, config_cache=cache)
    client.refresh()
    assert client.texts == {"color": "red"}
    assert dict(cache) == {}


def test_an_etag_is_sent_for_its_own_file() -> None:
    """The ETag of one file is no condition for the other."""
    cdn = Cdn()
    cdn.serve(v6(color="blue"), '"c"')
    cache = Shared()
    cache[cache_key_of(KEY, V5)] = to_payload(Entry(json.dumps(v5(color="old")), '"c"', 0.0, V5))
    client = Played(cdn, config_cache=cache)
    client.refresh()
    assert cdn.named == [V5, V6]
    assert cdn.conditions == ['"c"', None]
    assert client.texts == {"color": "blue"}


def test_a_cache_of_dicts(cdn: Cdn) -> None:
    """A cache that returned a dict, as those for version 6 of the SDK do, is given dicts back."""
    cache = Shared()
    cache[PLACE] = v6(color="blue")
    client = Played(cdn, config_cache=cache)
    cdn.break_down()
    client.refresh()
    assert client.texts == {"color": "blue"}
    cdn.faults.clear()
    client.refresh_when_due()
    assert cache[PLACE] == v6(color="red")
    assert cdn.conditions == [None, None]


def test_bytes_are_read_as_text(cdn: Cdn, cache: Shared) -> None:
    """A client of Redis returns bytes."""
    cache[PLACE] = stored(v6(color="blue"), 1).encode()
    client = Played(cdn, config_cache=cache)
    client.refresh()
    assert client.texts == {"color": "blue"}


def test_a_time_to_come_is_not_believed(cdn: Cdn, cache: Shared) -> None:
    """An entry that seems to come from the future expires like one of now."""
    cache[PLACE] = stored(v6(color="blue"), -1e9)
    client = Played(cdn, config_cache=cache)
    client.refresh()
    assert client.due == 60
    assert client.state.fetched_at.timestamp() == BEGAN
    client.refresh_when_due()
    assert cdn.hosts == [GLOBAL]
    assert client.texts == {"color": "red"}


def test_a_poller_serves_an_expired_entry_before_it_asks(cdn: Cdn, cache: Shared) -> None:
    """A server that hangs does not keep a start from what the cache holds."""
    cache[PLACE] = stored(v6(color="blue"), 1000)
    client = Played(cdn, config_cache=cache)
    client.refresh(in_background=True)
    assert client.texts == {"color": "blue"}
    assert cdn.asked == []
    assert client.due == 0
    assert client.state.attempt.last is None
    client.refresh(in_background=True)
    assert cdn.conditions == ['"c"']
    assert client.texts == {"color": "red"}
    assert client.state.attempt.last is not None
    client.refresh_when_due()
    assert len(cdn.asked) == 2


def test_a_poller_asks_at_once_where_the_cache_has_nothing(cdn: Cdn, cache: Shared) -> None:
    """Without an entry, or with a fresh one, one refresh is all of the start."""
    empty = Played(cdn, config_cache=cache)
    empty.refresh(in_background=True)
    assert len(cdn.asked) == 1
    fresh = Played(cdn, config_cache=cache)
    fresh.refresh(in_background=True)
    assert fresh.state.attempt.last is not None
    assert len(cdn.asked) == 1


def test_an_error_is_over_when_another_client_was_answered(cdn: Cdn, cache: Shared) -> None:
    """A fresh config in the cache ends the error of this client's own attempt; an old one not."""
    client = Played(cdn, AUTO, config_cache=cache)
    client.refresh()
    cdn.break_down(500)
    client.clock.advance(60)
    client.refresh()
    failed = client.state.attempt.error
    assert isinstance(failed, ConnectionError)
    cache[PLACE] = stored(v6(color="green"), ago=-20, etag='"d"')
    client.clock.advance(90)
    client.refresh(force=True)
    assert client.texts == {"color": "green"}
    assert client.state.attempt.error is not None
    cache[PLACE] = stored(v6(color="blue"), ago=-200, etag='"e"')
    client.refresh_when_due()
    assert client.texts == {"color": "blue"}
    assert client.state.attempt.error is None
    assert len(cdn.asked) == 3
