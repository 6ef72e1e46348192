"""A write that ends at any step, and a file that is damaged at any place: last good, or nothing."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider.caches.envelope import HEADER, CopyRefused, digest_of, opened, sealed
from appconfig_provider.caches.file import FileCache

NOW = 1_800_000_000.0
OLD, NEW = b"the last good text", b"the text that replaces it" * 1000
STEPS = ("open", "write", "fsync", "fstat", "close", "replace")
"""The calls to the system of which a write consists."""
ROOT = Path(__file__).parents[2]

KILLED = """
import os, signal, sys
from appconfig_provider.caches import replacing
from appconfig_provider.caches.file import FileCache

path, step, before = sys.argv[1], sys.argv[2], sys.argv[3] == "before"
class Calls:
    def __getattr__(self, name):
        real = getattr(os, name)
        if name != step:
            return real
        def call(*arguments):
            if before:
                os.kill(os.getpid(), signal.SIGKILL)
            if step == "write":
                arguments = (arguments[0], arguments[1][: len(arguments[1]) // 2])
            real(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return call
cache = FileCache(path)
cache.read(1.8e9)
replacing.os = Calls()
cache.write(lambda: b"the text that replaces it" * 1000, 1.8e9, 1.8e9)
"""


def read(path: Path) -> bytes | None:
    """Return the text of a file; None when there is none."""
    stored = FileCache(path).read(NOW)
    return None if stored is None else stored.text


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 on this system")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path, step: str, when: str) -> None:
    """After kill -9 at any step of a write the file holds the old text or the new one."""
    path = tmp_path / "copy"
    FileCache(path).write(lambda: OLD, NOW, NOW)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), step, when], cwd=ROOT, check=False
    )
    assert done.returncode == -signal.SIGKILL
    replaced = (step, when) == ("replace", "after")
    assert read(path) == (NEW if replaced else OLD)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("step", [one for one in STEPS if one != "close"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, code: int
) -> None:
    """A step that fails leaves the old text, no temporary file and no open descriptor."""
    path = tmp_path / "copy"
    cache = FileCache(path)
    cache.write(lambda: OLD, NOW, NOW)

    def fails(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(f"appconfig_provider.caches.replacing.os.{step}", fails)
        with pytest.raises(OSError, match=os.strerror(code)):
            cache.write(lambda: NEW, NOW, NOW)
    assert [one.name for one in tmp_path.iterdir()] == ["copy"]
    assert read(path) == OLD
    cache.write(lambda: NEW, NOW, NOW)
    assert read(path) == NEW


def test_a_disk_that_takes_little_at_once_gets_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that takes a part of the bytes is gone on with."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, content: real(file, content[:1000]))
    FileCache(tmp_path / "copy").write(lambda: NEW, NOW, NOW)
    assert read(tmp_path / "copy") == NEW


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """The folder is not made: who may write to it is for the operator to say."""
    with pytest.raises(FileNotFoundError):
        FileCache(tmp_path / "none" / "copy").write(lambda: OLD, NOW, NOW)


FILE = sealed(OLD, digest_of(OLD), NOW, NOW)


def outcome(content: bytes) -> bytes | None:
    """Return the text of a file's content; None when it is refused."""
    try:
        return opened(content, NOW).text
    except CopyRefused:
        return None


@given(place=st.integers(0, len(FILE) - 1), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(place: int, bit: int) -> None:
    """With any bit flipped the file is refused; in the line of the confirmation, only the time."""
    content = bytearray(FILE)
    content[place] ^= 1 << bit
    confirmation = HEADER - 35 <= place < HEADER
    assert outcome(bytes(content)) == (OLD if confirmation else None)
    if confirmation:
        assert opened(bytes(content), NOW).confirmed is None


@given(length=st.integers(0, len(FILE) - 1))
def test_a_truncated_file_is_refused(length: int) -> None:
    """A file that ends too early is not used, wherever it ends."""
    assert outcome(FILE[:length]) is None


@given(more=st.binary(min_size=1))
def test_a_file_with_more_is_refused(more: bytes) -> None:
    """A file that goes on behind its text is not used."""
    assert outcome(FILE + more) is None


@given(content=st.binary() | st.binary().map(lambda more: FILE[:27] + more))
def test_any_bytes_are_refused(content: bytes) -> None:
    """Whatever is in a file, reading it gives a text of ours or a refusal."""
    assert outcome(content) is None
