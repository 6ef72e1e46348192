"""Which files are opened at all: somebody else may have put them there."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from appconfig_provider.caches import trust
from appconfig_provider.caches.envelope import CopyRefused
from appconfig_provider.caches.file import FileCache

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="there the access list of the folder decides"
)

NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a good copy."""
    FileCache(tmp_path / "copy").write(lambda: b"text", NOW, NOW)
    return tmp_path / "copy"


def a_link(path: Path) -> None:
    """Put a link in the place of the file."""
    path.rename(path.with_name("real"))
    path.symlink_to(path.with_name("real"))


def a_fifo(path: Path) -> None:
    """Put a FIFO there, which nobody writes to."""
    path.unlink()
    os.mkfifo(path, 0o600)


def a_socket(path: Path) -> None:
    """Put a socket there."""
    path.unlink()
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(path.name)
    finally:
        os.chdir(here)


def a_folder(path: Path) -> None:
    """Put a folder there."""
    path.unlink()
    path.mkdir()


def a_hard_link(path: Path) -> None:
    """Give the file a second name."""
    os.link(path, path.with_name("second"))


def a_broken_link(path: Path) -> None:
    """Put a link to nothing there."""
    path.unlink()
    path.symlink_to("nowhere")


HOSTILE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link": (a_link, "it is a link"),
    "a broken link": (a_broken_link, "it is a link"),
    "a FIFO": (a_fifo, "no regular file"),
    "a socket": (a_socket, "No such device"),
    "a folder": (a_folder, "no regular file"),
    "a hard link": (a_hard_link, "another name"),
    "world-writable": (lambda path: path.chmod(0o602), "every user may write it"),
    "group-writable": (lambda path: path.chmod(0o660), "pass trust_group=True"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_is_not_read(path: Path, what: str) -> None:
    """What others may have written, or no file at all, is refused; nothing waits for a writer."""
    change, why = HOSTILE[what]
    change(path)
    with pytest.raises((CopyRefused, OSError), match=why):
        FileCache(path).read(NOW)


def test_the_file_of_another_user_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who the owner is decides, not who may read."""
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(CopyRefused, match="another user"):
        FileCache(path).read(NOW)


def test_a_group_can_be_trusted(path: Path) -> None:
    """`trust_group=True` accepts a file that its group may write, and never one that all may."""
    path.chmod(0o660)
    assert FileCache(path, trust_group=True).read(NOW) is not None
    path.chmod(0o662)
    with pytest.raises(CopyRefused, match="every user"):
        FileCache(path, trust_group=True).read(NOW)


def test_folders_may_be_links(path: Path) -> None:
    """A link above the file is the business of whoever set up the machine."""
    (path.parent / "releases").mkdir()
    (path.parent / "current").symlink_to(path.parent / "releases")
    cache = FileCache(path.parent / "current" / "copy")
    cache.write(lambda: b"text", NOW, NOW)
    assert cache.read(NOW) is not None


def test_a_huge_file_is_not_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is refused by its size, and so is one that grows beyond it."""
    monkeypatch.setattr(trust, "MAX_FILE", path.stat().st_size - 1)
    with pytest.raises(CopyRefused, match="it has more than"):
        FileCache(path).read(NOW)
    real = os.fstat

    def before_it_grew(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[6] = 1
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", before_it_grew)
    with pytest.raises(CopyRefused, match="it has more than"):
        FileCache(path).read(NOW)


def test_a_file_that_is_being_replaced_is_opened_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file without a name has just been replaced: the new one is read."""
    real, gone = os.fstat, [True]

    def replaced(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[3] = 0 if gone and gone.pop() else fields[3]
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", replaced)
    assert FileCache(path).read(NOW) is not None
    gone.extend([True] * 3)
    with pytest.raises(CopyRefused, match="replaced all the time"):
        FileCache(path).read(NOW)


def test_no_descriptor_is_left_open(path: Path) -> None:
    """However the file is refused, its descriptor is closed."""
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("this system does not show descriptors")
    before = len(list(descriptors.iterdir()))
    for mode in (0o600, 0o602, 0o660):
        path.chmod(mode)
        with contextlib.suppress(CopyRefused):
            FileCache(path).read(NOW)
    assert len(list(descriptors.iterdir())) == before
