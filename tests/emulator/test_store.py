"""The store: what stays over a restart, who may open a file, reading beside writing."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from appconfig_provider.emulator import Draft, Store
from appconfig_provider.emulator.queries import Selection
from appconfig_provider.emulator.store import StoreError


def test_a_file_keeps_everything(tmp_path: Path) -> None:
    """Settings, their ETags and moments and the count of mutations survive a restart."""
    path = tmp_path / "store.db"
    with closing(Store(path)) as store:
        kept = store.put(Draft("k", "l", "v", "c", {"t": None}, "d"))
        store.put(Draft("gone"))
        store.delete("gone")
    with closing(Store(path)) as store:
        assert store.page(Selection(), None, 10) == [kept]
        assert store.mutations == 3
        assert store.put(Draft("k", "l", "v", "c", {"t": None}, "d")) == kept
        assert store.mutations == 3


def test_moments_only_grow(tmp_path: Path) -> None:
    """A later write has a later moment, even when the clock stands still or goes back."""
    path = tmp_path / "store.db"
    with closing(Store(path, now=lambda: 1000.5)) as store:
        moments = [store.put(Draft(key)).last_modified for key in "abc"]
    with closing(Store(path, now=lambda: 5.0)) as store:
        store.load(Draft(key) for key in "de")
        found = store.page(Selection(), None, 10)
        moments = [setting.last_modified for setting in found]
    assert [moment.isoformat() for moment in moments] == [
        f"1970-01-01T00:16:40.50000{number}+00:00" for number in range(5)
    ]


def test_what_was_the_present_does_not_change() -> None:
    """A write is later than the present that was told, also while the clock stands still."""
    now = [1000.0]
    with closing(Store(now=lambda: now[0])) as store:
        for value in "123":
            present = store.present
            before = store.page(Selection(), None, -1)
            store.put(Draft("k", value=value))
            assert store.at(present).page(Selection(), None, -1) == before
        now[0] = 5000.0
        assert store.present == 5_000_000_000
        now[0] = 2000.0  # a clock that was set back; what was told of its future does not count
        assert store.put(Draft("k", value="4")).last_modified.timestamp() == 2000.0


def test_every_change_has_its_own_etag() -> None:
    """No two mutations share an ETag, in one bulk or over time."""
    with closing(Store()) as store:
        store.load(Draft(f"k{number}") for number in range(500))
        first = {setting.etag for setting in store.page(Selection(), None, 500)}
        store.load(Draft(f"k{number}", value="v") for number in range(500))
        second = {setting.etag for setting in store.page(Selection(), None, 500)}
        assert len(first | second) == 1000


def test_loading_counts_changes() -> None:
    """A bulk leaves settings that are as drafted alone, and counts the others."""
    with closing(Store()) as store:
        assert store.load([Draft("a"), Draft("b")]) == 2
        assert store.load([Draft("a"), Draft("b", value="v"), Draft("c")]) == 2
        assert store.load([]) == 0
        assert (store.mutations, store.size) == (4, 3)


def test_one_process_per_file(tmp_path: Path) -> None:
    """A file that is open elsewhere cannot be opened; the error names it."""
    path = tmp_path / "store.db"
    with closing(Store(path)), pytest.raises(StoreError, match=r"store\.db.*locked"):
        Store(path)
    Store(path).close()


def test_foreign_files(tmp_path: Path) -> None:
    """A file that is no database, or another version's, is refused and left as it is."""
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match=r"notes\.txt"):
        Store(text)
    assert text.read_text().startswith("not a database")
    for name, statement, reason in (
        ("foreign.db", "CREATE TABLE theirs (name)", "not written by the emulator; name another"),
        ("another.db", "PRAGMA user_version = 1", "not written by the emulator; name another"),
    ):
        with closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.execute(statement)
        before = (tmp_path / name).read_bytes()
        with pytest.raises(StoreError, match=f"{name}: it was {reason}"):
            Store(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(StoreError, match="missing"):
        Store(tmp_path / "missing" / "store.db")


def test_files_of_another_schema(tmp_path: Path) -> None:
    """A file with another schema is left as it is; the error names it and what to do."""
    path = tmp_path / "store.db"
    with closing(Store(path)) as store:
        store.put(Draft("k"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"store\.db: it has the schema 99.* name a new file"):
        Store(path)
    assert path.read_bytes() == before


def test_exclusive_undoes() -> None:
    """An exclusive block that raises leaves the store as it was."""
    with closing(Store()) as store:
        before = store.put(Draft("k", value="1"))
        with pytest.raises(ZeroDivisionError), store.exclusive():
            store.put(Draft("k", value="2"))
            raise ZeroDivisionError
        assert store.get("k") == before
        assert store.mutations == 1


def test_threads_see_whole_writes() -> None:
    """A reader on another thread sees a bulk all or not at all."""
    with closing(Store()) as store:
        seen: list[set[str | None]] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                seen.append({setting.value for setting in store.page(Selection(), None, 50)})

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(30):
            store.load(Draft(f"k{key}", value=str(number)) for key in range(50))
        done.set()
        reader.join()
        assert all(len(values) <= 1 for values in seen)


def test_tags_are_read_only() -> None:
    """The tags of a stored setting cannot be written to."""
    with closing(Store()) as store:
        tags = store.put(Draft("k", tags={"a": "b"})).tags
        with pytest.raises(TypeError):
            tags["a"] = "c"  # type: ignore[index]
