"""Time travel: the state of a store at the end of a second, and inside it at any moment."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from appconfig_provider.emulator import (
    DEFAULT_ACCESS_KEY,
    Access,
    Draft,
    Setting,
    Store,
    create_app,
)
from appconfig_provider.emulator.queries import Selection
from appconfig_provider.testing import Emulator, FakeClock
from appconfig_provider.testing.replicas import Backing, Replica

from .raw import Raw, Reply

MICROSECOND = timedelta(microseconds=1)


def now(clock: FakeClock) -> datetime:
    """The moment a clock shows."""
    return datetime.fromtimestamp(clock.time(), timezone.utc)


def get(raw: Raw, target: str, moment: datetime, **headers: str) -> Reply:
    """GET a target as of a moment."""
    return raw.get(target, accept_datetime=str(moment), **headers)


def pages(raw: Raw, target: str, moment: datetime) -> list[Reply]:
    """Every page of a listing as of a moment."""
    found = [get(raw, target, moment)]
    while "@nextLink" in found[-1].json:
        found.append(get(raw, found[-1].json["@nextLink"], moment))
    return found


def items(raw: Raw, target: str, moment: datetime, name: str = "value") -> list[str | None]:
    """One field of every item of a listing as of a moment."""
    return [item[name] for page in pages(raw, target, moment) for item in page.json["items"]]


def test_a_setting_as_it_was(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """Before the second of its first write a setting is not there, then it is what was written."""
    begin = now(clock)
    first = store.set("a/b", "1", "l", "c", {"t": "x"})
    clock.advance(10)
    store.set("a/b", "2", "l")
    clock.advance(10)

    def value(seconds: float, target: str = "/kv/a%2Fb?label=l") -> str | None:
        reply = get(raw, target, begin + timedelta(seconds=seconds))
        return reply.json["value"] if reply.status == 200 else None

    found = [value(seconds) for seconds in (-5, -0.000001, 0, 0.999999, 9.999999, 10, 20)]
    assert found == [None, None, "1", "1", "1", "2", "2"]
    assert value(15, "/kv/a%2Fb") is None
    reply = get(raw, "/kv/a%2Fb?label=l", begin + timedelta(seconds=5))
    assert reply.headers["etag"] == f'"{first.etag}"'
    assert reply.headers["last-modified"] == format_datetime(begin, usegmt=True)
    assert (reply.json["content_type"], reply.json["tags"]) == ("c", {"t": "x"})


def test_deletions(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """From the second it was deleted in a setting is absent, until it is written again."""
    begin = now(clock)
    store.set("k", "1")
    clock.advance(10)
    store.delete("k")
    clock.advance(10)
    store.set("k", "2")
    clock.advance(10)
    found = {
        seconds: items(raw, "/kv", begin + timedelta(seconds=seconds))
        for seconds in (5, 9.999999, 10, 15, 19.999999, 20, 21)
    }
    assert found == {5: ["1"], 9.999999: ["1"], 10: [], 15: [], 19.999999: [], 20: ["2"], 21: ["2"]}
    assert get(raw, "/kv/k", begin + timedelta(seconds=15)).status == 404


def test_a_deletion_takes_effect_at_once(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """A setting deleted in the second of its writing is not there in that second, nor later."""
    store.set("k", "1")
    store.delete("k")
    last = store.set("other", "1").last_modified
    for moment in (last, last - MICROSECOND, now(clock)):
        assert get(raw, "/kv", moment).keys == ["other"]


def dates(second: str) -> list[str]:
    """What clients may send of a `last_modified` that they were told."""
    moment = datetime.fromisoformat(second)
    east = moment.astimezone(timezone(timedelta(hours=2)))
    return [
        second,
        second.replace("+00:00", "Z"),
        second.replace("+00:00", ".000Z"),
        str(moment),
        str(moment.replace(tzinfo=None)),
        str(moment.replace(microsecond=654_321)),
        str(east),
        format_datetime(moment, usegmt=True),
    ]


def test_a_revision_is_shown_by_its_own_date(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """`Accept-Datetime` of a revision's own `last_modified` shows that very revision."""
    clock.advance(0.7)
    for value in ("1", "2", "3"):
        store.set("k", value)
        clock.advance(1.2)
    history = raw.get("/revisions?key=k").json["items"]
    assert [item["value"] for item in history] == ["3", "2", "1"]
    for place, revision in enumerate(history):
        for text in dates(revision["last_modified"]):
            one = raw.get("/kv/k", accept_datetime=text)
            assert (one.status, one.json) == (200, revision)
            head = raw.send("HEAD", "/kv/k", {"accept-datetime": text})
            assert (head.status, head.headers["etag"]) == (200, f'"{revision["etag"]}"')
            for target in ("/kv", "/kv?key=k&label=%00"):
                assert raw.get(target, accept_datetime=text).json["items"] == [revision]
            listed = raw.get("/revisions", accept_datetime=text).json["items"]
            assert listed == history[place:]
            for path in ("/keys", "/labels"):
                assert len(raw.get(path, accept_datetime=text).json["items"]) == 1


def test_the_wire_dates_by_whole_seconds(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """JSON, `Last-Modified` and `Memento-Datetime` tell the same second; the store knows more."""
    clock.advance(0.7)
    kept = store.set("k", "v").last_modified
    second = kept.replace(microsecond=0)
    assert kept != second
    store.create_snapshot("s", [("k", None)])
    store.archive_snapshot("s")
    replies = [raw.get("/kv/k", accept_datetime=str(kept)), raw.get("/kv/k")]
    for reply in replies:
        assert reply.json["last_modified"] == second.isoformat()
        assert reply.headers["last-modified"] == format_datetime(second, usegmt=True)
    assert replies[0].headers["memento-datetime"] == format_datetime(second, usegmt=True)
    for path in ("/kv", "/revisions", "/kv?snapshot=s"):
        (item,) = raw.get(path).json["items"]
        assert item["last_modified"] == second.isoformat()
    snapshot = raw.get("/snapshots/s").json
    assert snapshot["created"] == second.isoformat()
    assert datetime.fromisoformat(snapshot["expires"]).microsecond == 0


def test_locks(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """A setting was locked from its lock to its unlocking, with the ETags it had."""
    begin = now(clock)
    etags = [store.set("k", "v").etag]
    for locked in (True, False):
        clock.advance(10)
        setting = store.lock("k", locked=locked)
        assert setting is not None
        etags.append(setting.etag)
    clock.advance(10)
    replies = [get(raw, "/kv/k", begin + timedelta(seconds=s)).json for s in (5, 15, 25)]
    assert [reply["locked"] for reply in replies] == [False, True, False]
    assert [reply["etag"] for reply in replies] == etags


@contextmanager
def served(clock: FakeClock) -> Iterator[tuple[Store, Raw]]:
    """Serve a store with pages of two; give it, which shows every microsecond, and its service."""
    access = Access((DEFAULT_ACCESS_KEY,), set())

    def make_app(store: Store) -> Starlette:
        return create_app(store, access, page_size=2, now=clock.time)

    with (
        closing(Store(now=clock.time)) as store,
        Replica(Backing(store, make_app, access, clock.time, tls=False)) as endpoint,
        Raw(endpoint.endpoint) as raw,
    ):
        yield store, raw


def test_the_newest_of_a_second_is_shown(clock: FakeClock) -> None:
    """Of several writes in one second its traveller sees the newest; the others are history."""
    with served(clock) as (store, raw):
        moments = [store.put(Draft("k", value=f"{number}")).last_modified for number in range(3)]
        assert moments == sorted(set(moments))
        assert moments[-1] > now(clock)
        clock.advance(5)
        for moment in moments:
            assert items(raw, "/kv", moment) == ["2"]
            assert items(raw, "/revisions", moment) == ["2", "1", "0"]
        exact = [store.at(int(moment.timestamp() * 1_000_000)).get("k") for moment in moments]
        assert [setting.value for setting in exact if setting] == ["0", "1", "2"]


def test_a_second_that_is_not_over(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """Of the running second what is there so far is shown, and its pages stay at that."""
    for number in range(5):
        store.set(f"k{number}", "old", f"l{number}")
    moment = store.set("k0", "old", "l0").last_modified
    links = {
        path: get(raw, path, moment).json["@nextLink"]
        for path in ("/kv", "/keys", "/labels", "/revisions")
    }
    store.set("k3", "new", "l3")
    store.set("k6", "new", "l6")
    assert items(raw, "/kv", moment) == ["old"] * 3 + ["new", "old", "new"]
    for link in links.values():
        second = get(raw, link, moment)
        assert len(second.json["items"]) == 2
        assert "new" not in second.body.decode()
        assert raw.get(link).json == second.json


def test_pages_are_the_same_then_as_now(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """What has not changed has the same items and ETag in the past; conditions hold there."""
    store.set_many({f"k{number}": str(number) for number in range(7)})
    store.set("k0", "new")
    moment = now(clock)
    clock.advance(10)
    for path in ("/kv?key=k*", "/revisions"):
        present = [raw.get(path)]
        while "@nextLink" in present[-1].json:
            present.append(raw.get(present[-1].json["@nextLink"]))
        past = pages(raw, path, moment)
        assert [page.json["items"] for page in past] == [p.json["items"] for p in present]
        assert [page.json["etag"] for page in past] == [page.json["etag"] for page in present]
        assert [page.headers["etag"] for page in past] == [p.headers["etag"] for p in present]
        etag = past[0].headers["etag"]
        unchanged = get(raw, path, moment, if_none_match=etag)
        assert unchanged.status == 304
        assert unchanged.headers["link"] == f'<{past[0].json["@nextLink"]}>; rel="next"'
        store.set("k0", f"changed {path}")
        assert get(raw, path, moment, if_none_match=etag).status == 304
        assert raw.get(path, if_none_match=etag).status == 200
        assert get(raw, path, moment, if_match='"other"').status == 412
        moment = now(clock)
        clock.advance(10)


@pytest.mark.parametrize("path", ["/kv", "/keys", "/labels", "/revisions"])
def test_pages_stay_at_their_moment(clock: FakeClock, store: Emulator, raw: Raw, path: str) -> None:
    """The next link leads on in the past, for clients that tell the moment only once."""
    drafts = [Draft(f"k{number}", f"l{number}", "old") for number in range(5)]
    store.set_many(drafts)
    moment = now(clock)
    clock.advance(10)
    store.set_many(Draft(draft.key, draft.label, "new") for draft in drafts)
    store.set("k9", "new", "l9")
    link = get(raw, path, moment).json["@nextLink"]
    second = raw.get(link)
    assert second.json == get(raw, link, moment).json
    assert len(second.json["items"]) == 2
    assert "new" not in str(second.json)
    assert second.headers["memento-datetime"] == format_datetime(moment, usegmt=True)
    present = get(raw, link, now(clock) + timedelta(days=1))
    if path == "/revisions":  # they were what they are
        assert present.json["items"] == second.json["items"]
    else:
        assert present.json != second.json


def test_settings_are_judged_by_what_they_were(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """A filter on tags asks for the tags at the moment, not for any older ones."""
    begin = now(clock)
    store.set("k", "1", tags={"t": "old"})
    store.set("x", "1", tags={"t": "old"})
    clock.advance(10)
    store.set("k", "2", tags={"t": "new"})
    clock.advance(10)
    store.set("k", "3", tags={"t": "newest"})
    clock.advance(10)
    then, later = begin + timedelta(seconds=5), begin + timedelta(seconds=15)
    assert items(raw, "/kv?tags=t%3Dold", then, "key") == ["k", "x"]
    assert items(raw, "/kv?tags=t%3Dold", later, "key") == ["x"]
    assert items(raw, "/kv?tags=t%3Dnew", later) == ["2"]
    assert items(raw, "/kv?tags=t%3Dnewest", later) == []
    assert get(raw, "/kv/k?tags=t%3Dold", then).json["value"] == "1"
    assert get(raw, "/kv/k?tags=t%3Dold", later).status == 404


def test_filters_and_fields(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """Filters on keys and labels, ``$select`` and API versions are as for the present."""
    store.set_many(Draft(key, label, key) for key in ("a", "ab", "b") for label in (None, "l", "m"))
    moment = now(clock)
    clock.advance(10)
    store.set_many(Draft(key, "l", "new") for key in ("a", "ab", "b", "c"))
    found = {
        query: [*zip(items(raw, query, moment), items(raw, query, moment, "label"), strict=True)]
        for query in ("/kv?key=a*&label=%00", "/kv?key=a,c&label=l,%00", "/kv?label=m*&key=b")
    }
    assert list(found.values()) == [
        [("a", None), ("ab", None)],
        [("a", None), ("a", "l")],
        [("b", "m")],
    ]
    for target in ("/kv?label=l&api-version=1.0", "/kv?label=l"):
        reply = get(raw, f"{target}&$select=value", moment)
        assert reply.json["items"] == [{"value": value} for value in ("a", "ab", "b")]
        assert ("etag" in reply.headers) is ("1.0" not in target)
    assert get(raw, "/kv?label=l&key=a*b", moment).json["name"] == "key"


def test_names(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """Keys and labels are those of the settings that there were."""
    begin = now(clock)
    store.set("gone", "v", "gone")
    store.set("k", "v")
    clock.advance(10)
    store.delete("gone", "gone")
    store.set("k", "v2")
    store.set("new", "v", "new")
    clock.advance(10)
    then, later = begin + timedelta(seconds=5), now(clock)
    assert items(raw, "/keys", then, "name") == ["gone", "k"]
    assert items(raw, "/keys", later, "name") == ["k", "new"]
    assert items(raw, "/labels", then, "name") == [None, "gone"]
    assert items(raw, "/labels", later, "name") == [None, "new"]
    assert items(raw, "/labels?name=g*", then, "name") == ["gone"]
    assert items(raw, "/keys", begin - timedelta(seconds=1), "name") == []


def test_history_as_it_was(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """The revisions of a moment are those that were made until then, of deleted settings too."""
    begin = now(clock)
    store.set("k", "1")
    store.set("gone", "1")
    clock.advance(10)
    store.delete("gone")
    for value in ("2", "3"):
        store.set("k", value)
        clock.advance(10)
    found = {
        s: items(raw, "/revisions?key=k", begin + timedelta(seconds=s)) for s in (-1, 0, 15, 25)
    }
    assert found == {-1: [], 0: ["1"], 15: ["2", "1"], 25: ["3", "2", "1"]}
    assert items(raw, "/revisions", begin + timedelta(seconds=25), "key") == ["k", "k", "gone", "k"]


def test_snapshots_do_not_travel(clock: FakeClock, store: Emulator, raw: Raw) -> None:
    """A snapshot has one content, whatever moment is asked for."""
    store.set("k", "v")
    clock.advance(10)
    store.create_snapshot("s", [("*", None)])
    clock.advance(10)
    reply = get(raw, "/kv?snapshot=s", now(clock) - timedelta(days=1))
    assert reply.keys == ["k"]
    assert "memento-datetime" not in reply.headers


@dataclass
class Model:
    """What a store is to show at each moment, the slow way: every event, played again."""

    events: list[tuple[datetime, tuple[str, str], Setting | None]] = field(default_factory=list)

    def written(self, setting: Setting) -> None:
        """Remember a write or a lock, unless it changed nothing."""
        if not any(setting == known for _, _, known in self.events):
            name = (setting.key, setting.label or "")
            self.events.append((setting.last_modified, name, setting))

    def deleted(self, name: tuple[str, str], clock: datetime) -> None:
        """Remember a deletion, which takes the moment of the clock or the next free one."""
        last = max((moment for moment, _, _ in self.events), default=clock)
        self.events.append((max(clock, last + MICROSECOND), name, None))

    def settings(self, at: datetime) -> list[Setting]:
        """What was last written up to a moment, and not deleted."""
        state: dict[tuple[str, str], Setting] = {}
        for moment, name, setting in self.events:
            if setting is None and moment <= at:
                del state[name]
            if setting is not None and moment <= at:
                state[name] = setting
        return [state[name] for name in sorted(state)]

    def revisions(self, at: datetime) -> list[Setting]:
        """Everything that was written up to a moment, the newest first."""
        return [s for moment, _, s in reversed(self.events) if s and moment <= at]


NAMES = st.tuples(st.sampled_from("ab"), st.sampled_from([None, "l"]))
Action = tuple[str, tuple[str, str | None], str, int]
ACTIONS = st.tuples(
    st.sampled_from(["set", "set", "delete", "delete", "lock", "unlock"]),
    NAMES,
    st.sampled_from("12"),
    st.sampled_from([0, 0, 1]),
)


def play(store: Store, clock: FakeClock, history: list[Action]) -> Model:
    """Do what a history says, and write it down."""
    model = Model()
    for action, (key, label), value, seconds in history:
        clock.advance(seconds)
        present = store.get(key, label)
        free = present is not None and not present.locked
        if action == "set" and (free or present is None):
            model.written(store.put(Draft(key, label, value, tags={"t": value})))
        elif action == "delete" and free:
            store.delete(key, label)
            model.deleted((key, label or ""), now(clock))
        elif action in ("lock", "unlock") and present is not None:
            locked = store.lock(key, label, locked=action == "lock")
            assert locked is not None
            model.written(locked)
    return model


def etags(raw: Raw, target: str, moment: datetime) -> list[str | None]:
    """The ETags of a listing as of a moment."""
    return items(raw, target, moment, "etag")


def microseconds(moment: datetime) -> int:
    """A moment as the store counts it."""
    return (moment - datetime.fromtimestamp(0, timezone.utc)) // MICROSECOND


def assert_shown(raw: Raw, moment: datetime, model: Model) -> None:
    """The second of a point in time is shown as it was at its end."""
    end = moment.replace(microsecond=999_999)
    expected = model.settings(end)
    assert etags(raw, "/kv", moment) == [setting.etag for setting in expected]
    assert etags(raw, "/kv?tags=t%3D1", moment) == [
        setting.etag for setting in expected if setting.tags == {"t": "1"}
    ]
    assert items(raw, "/labels", moment, "name") == sorted(
        {setting.label for setting in expected}, key=lambda label: label or ""
    )
    assert items(raw, "/keys", moment, "name") == sorted({s.key for s in expected})
    assert etags(raw, "/revisions", moment) == [s.etag for s in model.revisions(end)]


@settings(max_examples=30, deadline=None)
@given(st.lists(ACTIONS, min_size=3, max_size=14))
def test_any_history(history: list[Action]) -> None:
    """After any writes, deletions and locks every second shows what its end left.

    Inside, the store shows every microsecond as it was.
    """
    clock = FakeClock(float(int(time.time())))
    begin = now(clock)
    with served(clock) as (store, raw):
        model = play(store, clock, history)
        clock.advance(1)
        marks = {begin - MICROSECOND, begin, *(moment for moment, _, _ in model.events)}
        for moment in sorted({mark.replace(microsecond=0) for mark in marks} | {now(clock)}):
            assert_shown(raw, moment, model)
        for moment in sorted(marks | {mark + MICROSECOND for mark in marks}):
            readings = store.at(microseconds(moment))
            expected = model.settings(moment)
            assert readings.page(Selection(), None, -1) == expected
            for key, label in {name for _, name, _ in model.events}:
                wanted = [s for s in expected if (s.key, s.label or "") == (key, label)]
                assert readings.get(key, label or None) == (wanted[0] if wanted else None)
