"""Listings that are read in steps: what they find, and that others may write in between."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appconfig_provider.emulator import Draft, Setting, Store
from appconfig_provider.emulator import walks as walks_module
from appconfig_provider.emulator.filters import (
    Anything,
    NameFilter,
    OneOf,
    StartsWith,
    TagFilter,
)
from appconfig_provider.emulator.queries import (
    Place,
    Position,
    Selection,
    Walk,
    as_json,
    past_walk,
    selected,
    settings_walk,
)
from appconfig_provider.emulator.snapshot_model import SnapshotDraft, SnapshotFilter
from appconfig_provider.emulator.steps import Steps, at_once

T = TypeVar("T")

KEYS = ("a", "ab", "b", "ü")
LABELS = (None, "l", "m")
TAGS: list[dict[str, str | None]] = [
    {},
    {"t": "1"},
    {"t": None, "u": "1"},
    {'a", "t': '1", "u": "1'},
    {"t": 'x\\"', "\\": ""},
]

DRAFTS = st.builds(
    lambda key, label, value, tags: Draft(key, label, value, None, tags),
    st.sampled_from(KEYS),
    st.sampled_from(LABELS),
    st.sampled_from("12"),
    st.sampled_from(TAGS),
)
Write: TypeAlias = Draft | tuple[str, str | None]
WRITES: st.SearchStrategy[list[Write]] = st.lists(
    st.one_of(DRAFTS, st.tuples(st.sampled_from(KEYS), st.sampled_from(LABELS)))
)
MANY = st.lists(DRAFTS, min_size=6, max_size=12)
KEY_FILTERS: st.SearchStrategy[NameFilter] = st.sampled_from(
    [
        Anything(),
        StartsWith("a"),
        StartsWith("b"),
        OneOf(("ab",)),
        OneOf(("ü", "a")),
        OneOf(("none",)),
    ]
)
LABEL_FILTERS: st.SearchStrategy[NameFilter] = st.sampled_from(
    [Anything(), StartsWith("m"), OneOf((None,)), OneOf(("m",)), OneOf((None, "l"))]
)
MEMBERS = [TagFilter(name, value) for tags in TAGS for name, value in tags.items()]
TAG_FILTERS = st.sampled_from([(), *((member,) for member in MEMBERS), tuple(MEMBERS[1:3])])
SELECTIONS = st.builds(Selection, KEY_FILTERS, LABEL_FILTERS, TAG_FILTERS)


def write(store: Store, writes: Sequence[Write]) -> None:
    """Do what is asked: put a draft, delete a name."""
    for one in writes:
        if isinstance(one, Draft):
            store.put(one)
        else:
            store.delete(*one)


def passes(wanted: NameFilter, name: str | None) -> bool:
    """Whether a filter lets a name pass, the slow way."""
    match wanted:
        case Anything():
            return True
        case StartsWith(prefix):
            return name is not None and name.startswith(prefix)
        case OneOf(names):
            return name in names


def taken(selection: Selection, found: list[Setting]) -> list[Setting]:
    """The settings of a selection, the slow way."""
    return [
        each
        for each in found
        if passes(selection.key, each.key)
        and passes(selection.label, each.label)
        and all(
            tag.name in each.tags and each.tags[tag.name] == tag.value for tag in selection.tags
        )
    ]


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at two rows in a step, so that few settings take many."""
    monkeypatch.setattr(walks_module, "WINDOW", 2)


REPEATABLE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Busy:
    """A store that somebody writes to after every step of a job, and what it held before."""

    store: Store
    later: list[Write]

    def __post_init__(self) -> None:
        self.everything = self.store.page(Selection(), None, -1)
        self.history = [each.setting for each in self.store.revisions(Selection(), None, -1)]

    def read(self, steps: Steps[T]) -> T:
        """Do a job with a write after each of its steps."""
        while True:
            try:
                next(steps)
            except StopIteration as done:
                result: T = done.value
                return result
            write(self.store, [self.later.pop()] if self.later else [])


@contextmanager
def busy(before: Sequence[Write], later: Sequence[Write]) -> Iterator[Busy]:
    """A store with some writes behind it and others to come."""
    with closing(Store()) as store:
        write(store, before)
        yield Busy(store, list(later))


@REPEATABLE
@given(WRITES, WRITES, SELECTIONS, st.integers(1, 4), st.booleans())
def test_settings_are_of_one_moment(
    before: list[Write],
    later: list[Write],
    selection: Selection,
    size: int,
    past: bool,
) -> None:
    """Whatever is written between its steps, a page shows what there was when it was asked for."""
    with busy(before, later) as shown:
        walks = shown.store.at(shown.store.present if past else None).walks
        expected = taken(selection, shown.everything)
        page = shown.read(walks.page(selection, None, size))
        assert page == expected[:size]
        if page:
            last = Position(page[-1].key, page[-1].label or "")
            assert shown.read(walks.page(selection, last, -1)) == expected[len(page) :]
        keys = sorted({each.key for each in taken(Selection(selection.key), shown.everything)})
        assert shown.read(walks.keys(selection.key, None, size)) == keys[:size]
        assert shown.read(walks.keys(selection.key, keys[0] if keys else "", 9)) == keys[1:]
        labelled = taken(Selection(label=selection.label), shown.everything)
        labels = sorted({each.label or "" for each in labelled})
        assert shown.read(walks.labels(selection.label, None, size)) == labels[:size]
        rest = shown.read(walks.labels(selection.label, labels[0] if labels else "", 9))
        assert rest == labels[1:]


@REPEATABLE
@given(MANY, SELECTIONS, st.sampled_from(["", *KEYS, "z"]), st.sampled_from(["", "l", "z"]))
def test_any_place_is_a_place(
    before: list[Draft], selection: Selection, key: str, label: str
) -> None:
    """A listing goes on after any place, also one that its filter would not let pass."""
    with busy(before, []) as shown:
        for readings in (shown.store, shown.store.at(shown.store.present)):
            shown.store.put(Draft("later", value=str(readings.instant)))
            walks = readings.walks
            everything = readings.page(Selection(), None, -1)
            expected = taken(selection, everything)
            found = shown.read(walks.page(selection, Position(key, label), -1))
            assert found == [s for s in expected if (s.key, s.label or "") > (key, label)]
            keys = sorted({s.key for s in taken(Selection(selection.key), everything)})
            assert shown.read(walks.keys(selection.key, key, 9)) == [k for k in keys if k > key]
            labelled = taken(Selection(label=selection.label), everything)
            labels = sorted({s.label or "" for s in labelled})
            rest = shown.read(walks.labels(selection.label, label, 9))
            assert rest == [each for each in labels if each > label]


@pytest.mark.parametrize("past", [False, True])
def test_a_place_before_a_prefix(past: bool) -> None:
    """What lies between a place and the prefix of a filter is not listed."""
    with closing(Store()) as store:
        store.load((Draft("ab", "l"), Draft("b", "m")))
        walks = store.walks
        if past:
            store.put(Draft("b", "m", "new"))
        at_b = Selection(StartsWith("b"))
        assert [each.key for each in at_once(walks.page(at_b, Position("a", "z"), -1))] == ["b"]
        assert at_once(walks.keys(at_b.key, "a", 9)) == ["b"]
        assert at_once(walks.labels(StartsWith("m"), "", 9)) == ["m"]


@REPEATABLE
@given(WRITES, WRITES, SELECTIONS, st.integers(1, 4), st.booleans())
def test_revisions_are_of_one_moment(
    before: list[Write],
    later: list[Write],
    selection: Selection,
    size: int,
    past: bool,
) -> None:
    """Whatever is written between its steps, a part of the history has what was written before."""
    with busy(before, later) as shown:
        walks = shown.store.at(shown.store.present if past else None).walks
        numbers = shown.read(walks.revisions(selection, None, -1))
        found = [revision.setting.etag for revision in shown.store.revisions_of(numbers)]
        assert found == [each.etag for each in taken(selection, shown.history)]
        assert shown.read(walks.revisions(selection, None, size)) == numbers[:size]
        if numbers:
            rest = shown.read(walks.revisions(selection, numbers[0], size))
            assert rest == numbers[1:][:size]


@REPEATABLE
@given(st.lists(DRAFTS, min_size=1), WRITES)
def test_a_snapshot_is_of_one_moment(before: list[Draft], later: list[Write]) -> None:
    """A snapshot holds what there was when it was asked for, whatever is written meanwhile."""
    filters = (SnapshotFilter("*", "*"), SnapshotFilter("a*", "l"))
    with busy(before, later) as shown:
        snapshots = shown.store.snapshots
        snapshot = shown.read(snapshots.creation(SnapshotDraft("s", filters, "key_label")))
        assert snapshots.settings("s", None, -1) == shown.everything
        assert (snapshot.status, snapshot.items_count) == ("ready", len(shown.everything))


TEXTS = st.text(st.sampled_from("ab\"\\{},: 'nul"), max_size=6)


@REPEATABLE
@given(st.dictionaries(TEXTS, st.none() | TEXTS, max_size=3), TEXTS, st.none() | TEXTS)
def test_tags_are_found_in_their_text(
    tags: dict[str, str | None], name: str, value: str | None
) -> None:
    """SQL finds a tag in a text exactly when reading the text finds it, quotes and all."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE settings (tags, label)")
        connection.execute("INSERT INTO settings VALUES (?, '')", (as_json(tags),))
        for tag in (TagFilter(name, value), *(TagFilter(*item) for item in tags.items())):
            where, values = selected(Selection(tags=(tag,)))
            sql = f"SELECT count(*) FROM settings WHERE {where}"
            ((found,),) = connection.execute(sql, values).fetchall()
            assert bool(found) is (tag.name in tags and tags[tag.name] == tag.value)


def test_steps_are_small() -> None:
    """No step of a job looks at more rows than a window has, however few of them are wanted."""
    with closing(Store()) as store:
        store.load(Draft(f"k{number}", tags={"t": "no"}) for number in range(40))
        nothing = Selection(tags=(TagFilter("t", "yes"),))
        for steps in (
            store.walks.page(nothing, None, 100),
            store.walks.revisions(nothing, None, 100),
            store.at(0).walks.page(Selection(), None, 100),
            store.at(0).walks.keys(Anything(), None, 100),
            store.at(0).walks.labels(Anything(), None, 100),
        ):
            assert sum(1 for _ in steps) >= 20
        assert at_once(store.walks.page(nothing, None, 100)) == []


EXACT = Selection(OneOf(("k",)))


@pytest.mark.parametrize(
    ("walk", "place", "bound"),
    [
        (settings_walk(EXACT), ("l", 9), "key=? AND label>?"),
        (past_walk(EXACT), ("l", 9, 9), "key=? AND (label,instant)>(?,?)"),
        (past_walk(Selection()), ("k", "l", 9, 9), "((key,label,instant)>(?,?,?)"),
    ],
)
def test_a_step_finds_where_the_last_one_ended(
    walk: Walk, place: Place, bound: str, tmp_path: Path
) -> None:
    """However much one key, or one setting, has: the index leads to the place that was reached."""
    path = tmp_path / "store.db"
    Store(path).close()
    where, values = walk.between(place, place)
    sql = f"EXPLAIN QUERY PLAN SELECT * FROM {walk.table} WHERE {where} ORDER BY {walk.ordering}"
    with closing(sqlite3.connect(path)) as connection:
        ((*_, plan),) = connection.execute(sql, values).fetchall()
    assert plan.startswith("SEARCH")
    assert bound in plan


def test_a_place_in_a_list_of_keys() -> None:
    """A listing of some keys goes on in the middle of one, and then with the next."""
    keys = OneOf(("c", "a", None, "b", "a"))
    with closing(Store()) as store:
        store.load(Draft(key, label) for key in "abcd" for label in "xyz")
        for after, left in (("", 9), ("a", 9), ("b", 6), ("bb", 3), ("c", 3), ("d", 0)):
            found = store.page(Selection(keys), Position(after, "\0"), -1)
            assert len(found) == left
        assert len(store.page(Selection(keys), Position("b", "y"), -1)) == 4
