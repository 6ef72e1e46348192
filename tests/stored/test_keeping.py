"""What is written for the next run, when, and what a cache that cannot be written does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider import FileCache
from appconfig_provider._azure.stored.document import from_text
from appconfig_provider._io import storage
from appconfig_provider.protocols import Stored
from appconfig_provider.testing import Emulator, FakeClock
from tests.stored.conftest import Start, once, outage
from tests.support.content import VAULT_TYPE, Resolver, publish, secret_id

Lines = Callable[..., list[str]]


def stored(path: Path) -> Stored:
    """Return what the file holds."""
    found = FileCache(path).read(4e9)
    assert found is not None
    return found


def test_each_load_is_kept(start: Start, store: Emulator, path: Path, clock: FakeClock) -> None:
    """After a reload the file holds the new settings, and the next start has them."""
    with start() as config:
        publish(store, "new")
        clock.advance(31)
        assert config.refresh()
        content = from_text(stored(path).text).content
        keys = {key for page in content.settings[0] for key in page.columns.keys}
        assert "k" in keys
        assert stored(path).confirmed == pytest.approx(clock.time(), abs=0.01)
    with outage(store):
        assert once(start)["k"] == "new"


def test_a_confirmation_is_kept(
    start: Start, store: Emulator, path: Path, clock: FakeClock
) -> None:
    """A check that finds nothing writes only the time into the file."""
    with start() as config:
        before = stored(path)
        clock.advance(31)
        assert not config.refresh()
        after = stored(path)
        assert (after.digest, after.loaded) == (before.digest, before.loaded)
        assert (after.confirmed or 0) - (before.confirmed or 0) == pytest.approx(31, abs=0.01)
        assert not config.refresh()
        clock.advance(1000)
        with outage(store):
            config.refresh()
        assert stored(path).confirmed == after.confirmed


def test_callbacks_come_before_the_write(
    start: Start, store: Emulator, path: Path, clock: FakeClock
) -> None:
    """While callbacks run, the file still holds the last generation."""
    seen: list[bool] = []

    def changed() -> None:
        seen.append(b'"new"' in path.read_bytes())

    with start(on_refresh_success=changed) as config:
        publish(store, "new")
        clock.advance(31)
        config.refresh()
        assert seen == [False]
        assert b'"new"' in path.read_bytes()


def test_no_secret_is_kept(
    start: Start, store: Emulator, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolved secret, an access key and a header are in no file, also not for a moment."""
    written: list[bytes] = []
    real = os.write

    def spy(file: int, content: Any) -> int:
        written.append(bytes(content))
        return real(file, content)

    monkeypatch.setattr(os, "write", spy)
    store.set("pw", f'{{"uri": "{secret_id("pw")}"}}', content_type=VAULT_TYPE)
    keywords = {
        "secret_resolver": Resolver(pw="planted-secret"),
        "headers": {"x": "planted-header"},
    }
    assert once(start, **keywords)["pw"] == "planted-secret"
    with outage(store):
        assert once(start, **keywords)["pw"] == "planted-secret"
    everything = b"".join([*written, *(one.read_bytes() for one in path.parent.iterdir())])
    assert secret_id("pw").encode() in everything
    assert b"planted" not in everything
    key = dict(part.split("=", 1) for part in store.connection_string.split(";"))["Secret"]
    assert key.encode() not in everything


def test_refused_content_is_not_kept(
    start: Start, store: Emulator, path: Path, clock: FakeClock
) -> None:
    """What `validate` refuses is not what the next run starts with."""

    def refuse(snapshot: Any) -> None:
        if snapshot.get("k") == "bad":
            raise ValueError

    with start(validate=refuse) as config:
        before = path.read_bytes()
        publish(store, "bad")
        clock.advance(31)
        assert not config.refresh()
        assert path.read_bytes() == before


def test_a_cache_that_cannot_be_written_is_told_once(
    start: Start, store: Emulator, path: Path, clock: FakeClock, told: Lines
) -> None:
    """One warning, `status` shows it, refreshing goes on; when it works again that is told, too."""
    folder = path.parent / "later"
    cache = FileCache(folder / "copy")
    with start(cache=cache) as config:
        assert isinstance(config.status.cache_error, FileNotFoundError)
        for number in range(3):
            publish(store, str(number))
            clock.advance(31)
            assert config.refresh()
            assert config.snapshot["k"] == str(number)
            assert config.status.last_error is None
        (line,) = told()
        assert line == (
            f"the cache {cache.path} cannot be written: FileNotFoundError "
            "(No such file or directory)"
        )
        assert "cache_error=<FileNotFoundError>" in repr(config.status)
        assert config.status.cache_error.__traceback__ is None
        folder.mkdir()
        clock.advance(31)
        config.refresh()
        assert config.status.cache_error is None
        assert any("can be written again" in one for one in told("INFO"))
    assert stored(folder / "copy").text


def test_a_full_disk_leaves_the_last_copy(
    start: Start, store: Emulator, path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full the file holds the last good copy; afterwards the newest one."""
    with start() as config:
        before = path.read_bytes()

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        publish(store, "new")
        clock.advance(31)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            assert config.refresh()
        assert path.read_bytes() == before
        assert [one.name for one in path.parent.iterdir()] == ["copy"]
        clock.advance(31)
        assert not config.refresh()
        assert b'"new"' in path.read_bytes()


def test_two_programs_end_with_the_newer_copy(
    start: Start, store: Emulator, clock: FakeClock, path: Path
) -> None:
    """One writes an older copy late; the other's next confirmation puts the newer one back."""
    with start() as late, start() as ahead:
        publish(store, "N")
        clock.advance(31)
        assert late.refresh()
        older = path.read_bytes()
        publish(store, "N+1")
        clock.advance(31)
        assert ahead.refresh()
        path.unlink()
        path.write_bytes(older)
        path.chmod(0o600)
        clock.advance(31)
        assert not ahead.refresh()
    with outage(store):
        assert once(start)["k"] == "N+1"


def test_a_closed_provider_writes_nothing(
    start: Start, store: Emulator, path: Path, clock: FakeClock
) -> None:
    """After `close()` the file stays as it is."""
    with start() as config:
        before = path.read_bytes()
        config.close()
        clock.advance(100)
        assert not config.refresh()
        assert path.read_bytes() == before


def test_a_callback_that_closes_ends_the_writing(
    start: Start, store: Emulator, path: Path, clock: FakeClock
) -> None:
    """A provider that is closed by its own callback writes nothing after it."""
    opened: list[Any] = []

    def changed() -> Any:
        return opened[0].provider.close()  # in aio a coroutine, which is awaited

    with start(on_refresh_success=changed) as config:
        opened.append(config)
        before = path.read_bytes()
        publish(store, "new")
        clock.advance(31)
        config.refresh()
        assert config.snapshot["k"] == "new"
        assert path.read_bytes() == before


def test_an_interrupted_write_is_made_up_for(
    start: Start, store: Emulator, path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal during the write leaves the refresh whole; the next one writes."""

    class Signal(BaseException):
        pass

    def interrupted(*_: object) -> None:
        raise Signal

    with start() as config:
        publish(store, "new")
        clock.advance(31)
        with monkeypatch.context() as patched:
            patched.setattr(storage.Storage, "begin", interrupted)
            with pytest.raises(Signal):
                config.refresh()
        assert config.snapshot["k"] == "new"
        clock.advance(31)
        config.refresh()
        assert b'"new"' in path.read_bytes()
