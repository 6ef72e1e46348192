"""`FileCache` as a file: what it keeps, when it writes, and whose file it confirms."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from appconfig_provider.caches import replacing
from appconfig_provider.caches.envelope import CONFIRMED_AT, HEADER, CopyRefused
from appconfig_provider.caches.file import FileCache

NOW = 1_800_000_000.0
TEXT = b'{"a": "1"}'


def never() -> bytes:
    """Be the text of a write that must not need it."""
    raise AssertionError("the text is the same, and is not asked for")


def written(path: Path, text: bytes = TEXT, at: float = NOW) -> tuple[FileCache, str]:
    """Return a cache that has written its file, and the digest."""
    cache = FileCache(path)
    return cache, cache.write(lambda: text, at, at)


def names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return sorted(one.name for one in folder.iterdir())


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """A file gives back the text, its digest and both times; no file gives None."""
    path = tmp_path / "copy"
    assert FileCache(path).read(NOW) is None
    _, digest = written(path)
    stored = FileCache(path).read(NOW + 9)
    assert stored is not None
    assert stored == (TEXT, digest, NOW, NOW)
    assert repr(stored) == f"<Stored of 10 bytes, digest {digest}>"


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    """The file has the mode 0600 whatever the umask is, and nothing is left beside it."""
    before = os.umask(0)
    try:
        written(tmp_path / "copy")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert names(tmp_path) == ["copy"]


def test_a_confirmation_is_written_in_place(tmp_path: Path) -> None:
    """The same text is not written again: of the file only the time of its confirmation changes."""
    cache, digest = written(tmp_path / "copy")
    before, inode = (tmp_path / "copy").read_bytes(), (tmp_path / "copy").stat().st_ino
    assert cache.write(never, NOW, NOW + 60, digest) == digest
    after = (tmp_path / "copy").read_bytes()
    assert (tmp_path / "copy").stat().st_ino == inode
    assert before[:CONFIRMED_AT] == after[:CONFIRMED_AT]
    assert before[HEADER:] == after[HEADER:]
    stored = FileCache(tmp_path / "copy").read(NOW + 60)
    assert stored is not None
    assert (stored.loaded, stored.confirmed) == (NOW, NOW + 60)


def test_the_same_text_is_not_written_again(tmp_path: Path) -> None:
    """A text that is found to be the same only after it was made is not written again either."""
    cache, digest = written(tmp_path / "copy")
    inode = (tmp_path / "copy").stat().st_ino
    assert cache.write(lambda: TEXT, NOW + 5, NOW + 5) == digest
    assert (tmp_path / "copy").stat().st_ino == inode


def test_a_file_that_was_read_is_confirmed_in_place(tmp_path: Path) -> None:
    """A process that read the file and found it whole need not write it anew."""
    written(tmp_path / "copy")
    cache = FileCache(tmp_path / "copy")
    stored = cache.read(NOW)
    assert stored is not None
    cache.write(never, NOW, NOW + 1, stored.digest)


def test_a_file_of_somebody_else_is_written_anew(tmp_path: Path) -> None:
    """A process that never read or wrote the file does not confirm what is in it."""
    _, digest = written(tmp_path / "copy")
    inode = (tmp_path / "copy").stat().st_ino
    assert FileCache(tmp_path / "copy").write(lambda: TEXT, NOW, NOW, digest) == digest
    assert (tmp_path / "copy").stat().st_ino != inode


def test_the_same_text_of_another_process_is_written_anew(tmp_path: Path) -> None:
    """A file that somebody else has put there is replaced, though it holds the same text."""
    cache, digest = written(tmp_path / "copy")
    (tmp_path / "copy").rename(tmp_path / "kept")  # so that its inode is not used again
    written(tmp_path / "copy")
    inode = (tmp_path / "copy").stat().st_ino
    cache.write(lambda: TEXT, NOW, NOW, digest)
    assert (tmp_path / "copy").stat().st_ino != inode


def test_a_late_writer_does_not_win(tmp_path: Path) -> None:
    """A writes N after B wrote N+1; B confirms N+1, and that is what a restart reads."""
    path = tmp_path / "copy"
    late, winner = FileCache(path), FileCache(path)
    digest = winner.write(lambda: b"N+1", NOW, NOW)
    late.write(lambda: b"N", NOW - 5, NOW - 5)
    winner.write(lambda: b"N+1", NOW, NOW + 30, digest)
    stored = FileCache(path).read(NOW + 31)
    assert stored is not None
    assert stored[0::3] == (b"N+1", NOW + 30)


def test_an_inode_that_is_used_again_is_no_file_of_ours(tmp_path: Path) -> None:
    """Another text in the place of ours is not confirmed, though device and inode are the same."""
    path = tmp_path / "copy"
    cache, digest = written(path)
    other, _ = written(tmp_path / "other", b"another text")
    assert other is not cache
    path.write_bytes((tmp_path / "other").read_bytes())
    cache.write(lambda: TEXT, NOW, NOW + 30, digest)
    stored = FileCache(path).read(NOW + 31)
    assert stored is not None
    assert stored.text == TEXT


@pytest.mark.parametrize("spoil", ["deleted", "truncated", "linked", "shared"])
def test_a_confirmation_mends_the_file(tmp_path: Path, spoil: str) -> None:
    """A file that is gone, cut, a link or open to others is written anew at the next time."""
    path = tmp_path / "copy"
    cache, digest = written(path)
    if spoil == "truncated":
        os.truncate(path, HEADER + 3)
    elif spoil == "shared":
        path.chmod(0o666)
    else:
        path.unlink()
    if spoil == "linked":
        (tmp_path / "elsewhere").write_text("precious")
        path.symlink_to(tmp_path / "elsewhere")
    cache.write(lambda: TEXT, NOW, NOW + 30, digest)
    stored = FileCache(path).read(NOW)
    assert stored is not None
    assert stored.text == TEXT
    if spoil == "linked":
        assert (tmp_path / "elsewhere").read_text() == "precious"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_writes_a_file_of_its_own(tmp_path: Path) -> None:
    """After a fork the child does not confirm the file that its parent wrote."""
    path = tmp_path / "copy"
    cache, digest = written(path)
    inode = path.stat().st_ino
    child = os.fork()
    if not child:
        code = 1
        try:
            cache.write(lambda: TEXT, NOW, NOW + 5, digest)
            code = 0 if path.stat().st_ino != inode else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    cache.write(lambda: TEXT, NOW, NOW + 9, digest)
    stored = FileCache(path).read(NOW)
    assert stored is not None
    assert stored.confirmed == NOW + 9


def test_what_crashed_writers_left_is_removed(tmp_path: Path) -> None:
    """Our own temporary files go once they are an hour old; younger ones and others' files stay."""
    path = tmp_path / "copy"
    old, young = tmp_path / f"copy.{'a' * 16}.tmp", tmp_path / f"copy.{'b' * 16}.tmp"
    foreign = tmp_path / "copy.notes.tmp"
    for one in (old, young, foreign):
        one.write_text("half")
    for one in (old, foreign):
        os.utime(one, (1, 1))
    written(path)
    assert names(tmp_path) == ["copy", young.name, foreign.name]
    assert replacing.temporary_files(str(path)) == [str(young)]


@pytest.mark.parametrize(("ahead", "confirmed"), [(299.0, NOW + 299), (301.0, None), (3e8, None)])
def test_a_confirmation_of_the_future_is_unknown(
    tmp_path: Path, ahead: float, confirmed: float | None
) -> None:
    """A time that is more than five minutes ahead of the clock is no time."""
    written(tmp_path / "copy", at=NOW + ahead)
    stored = FileCache(tmp_path / "copy").read(NOW)
    assert stored is not None
    assert stored.confirmed == confirmed


def test_half_a_confirmation_is_unknown(tmp_path: Path) -> None:
    """A line that was being overwritten costs the time, and not the text."""
    path = tmp_path / "copy"
    written(path)
    with path.open("r+b") as file:
        file.seek(CONFIRMED_AT)
        file.write(b"0001800000")
        file.write(b"777.000")
    stored = FileCache(path).read(NOW)
    assert stored is not None
    assert (stored.text, stored.confirmed) == (TEXT, None)


@pytest.mark.parametrize("clock", [float("nan"), float("inf"), -1e300, 1e300])
def test_any_clock_can_be_written(tmp_path: Path, clock: float) -> None:
    """A clock that is out of its mind makes no file that cannot be read."""
    written(tmp_path / "copy", at=clock)
    assert FileCache(tmp_path / "copy").read(NOW) is not None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "not written by this package"),
        (b"{}", "not written by this package"),
        (b"appconfig_provider cache 2\nwhatever", "newer version"),
        (b"appconfig_provider cache 1\n", "header is damaged"),
        (b"appconfig_provider cache 1\n" + b"0" * 200, "header is damaged"),
    ],
)
def test_what_is_no_copy_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    """A file of others, of a newer version or with half a header is not used."""
    (tmp_path / "copy").write_bytes(content)
    (tmp_path / "copy").chmod(0o600)
    with pytest.raises(CopyRefused, match=why):
        FileCache(tmp_path / "copy").read(NOW)


def test_the_path_does_not_follow_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is meant as of when the cache was made."""
    monkeypatch.chdir(tmp_path)
    cache = FileCache("copy")
    monkeypatch.chdir("/")
    cache.write(lambda: TEXT, NOW, NOW)
    assert names(tmp_path) == ["copy"]
    assert cache.name == str(tmp_path / "copy")


@pytest.mark.parametrize(
    ("error", "arguments"),
    [
        (TypeError, {"path": None}),
        (TypeError, {"path": b"copy"}),
        (TypeError, {"path": 3}),
        (ValueError, {"path": ""}),
        (ValueError, {"path": "a\0b"}),
        (ValueError, {"path": "Endpoint=https://a;Id=b;Secret=c2VjcmV0"}),
        (ValueError, {"wait": 0}),
        (TypeError, {"wait": "5"}),
        (ValueError, {"max_age": -1}),
        (TypeError, {"max_age": True}),
        (TypeError, {"first": 1}),
        (ValueError, {"verify": "nothing"}),
        (TypeError, {"trust_group": "yes"}),
    ],
)
def test_wrong_arguments_are_refused(error: type[Exception], arguments: dict[str, object]) -> None:
    """A wrong type is a TypeError and a wrong value a ValueError; neither quotes a secret."""
    with pytest.raises(error) as caught:
        FileCache(**{"path": "copy", **arguments})  # type: ignore[arg-type]  # they are wrong
    assert "c2Vj" not in str(caught.value)


def test_none_means_the_default() -> None:
    """Every argument but the path may be None."""
    cache = FileCache("copy", wait=None, first=None, verify=None, trust_group=None)
    shown = (cache.wait, cache.first, cache.verify, cache.trust_group, cache.max_age)
    assert shown == (5.0, False, "pages", False, None)
