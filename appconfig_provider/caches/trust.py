"""Opening a file that somebody else may have put there.

Whoever can replace the file decides what the program reads from it. So it is opened without
following a link and without waiting for a writer (a FIFO), and only then checked: what was opened
cannot be exchanged any more. Folders above it may be links. On Windows a file has no mode, and the
access list of its folder decides who may write.
"""

from __future__ import annotations

import os
import stat

from appconfig_provider.caches.envelope import CopyRefused

MAX_FILE = 256 * 1024 * 1024
"""Bytes; a file that is larger is not read."""

_ATTEMPTS = 3
"""How often a file is opened that is replaced at that very moment."""

_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = (
    _NO_FOLLOW
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def open_trusted(path: str, mode: int = os.O_RDONLY, *, trust_group: bool) -> int:
    """Return the descriptor of a file that only this user can have written.

    `trust_group` also accepts a file that its group may write.

    Raises:
        CopyRefused: it may have been written by others, or is no file at all.
        OSError: it cannot be opened; `FileNotFoundError` when there is none.
    """
    for _ in range(_ATTEMPTS):
        descriptor = _open(path, mode)
        try:
            status = os.fstat(descriptor)
            if status.st_nlink:
                _check(status, trust_group=trust_group)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # it was replaced after it had been opened
    raise CopyRefused("it is replaced all the time")


def _open(path: str, mode: int) -> int:
    if not _NO_FOLLOW and os.path.islink(path):  # noqa: PTH114 - pathlib is slow to import
        raise CopyRefused("it is a link")
    try:
        return os.open(path, mode | _FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        # Opening a link fails with ELOOP (FreeBSD has EMLINK), a socket with ENXIO.
        if os.path.islink(path):  # noqa: PTH114 - the same
            raise CopyRefused("it is a link") from error
        raise


def _check(status: os.stat_result, *, trust_group: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise CopyRefused("it is no regular file")
    if status.st_size > MAX_FILE:
        raise CopyRefused(f"it has more than {MAX_FILE // 1024**2} MiB")
    if os.name == "nt":
        return
    if status.st_nlink > 1:
        raise CopyRefused("it has another name as well (a hard link)")
    if status.st_uid != os.geteuid():
        raise CopyRefused("it belongs to another user")
    if status.st_mode & stat.S_IWOTH:
        raise CopyRefused("every user may write it")
    if status.st_mode & stat.S_IWGRP and not trust_group:
        raise CopyRefused(
            "its group may write it; pass trust_group=True if that is as it should be"
        )


def start_of(path: str, size: int) -> bytes:
    """Return the first bytes of a file, whoever wrote it; none when there is no regular file."""
    try:
        descriptor = _open(path, os.O_RDONLY)
    except (OSError, CopyRefused):
        return b""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(size) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def read_whole(descriptor: int) -> bytes:
    """Return what is in an open file, and close it.

    Raises:
        CopyRefused: it is larger than when it was opened, and too large.
        OSError: it cannot be read.
    """
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(MAX_FILE + 1)
    if len(content) > MAX_FILE:
        raise CopyRefused(f"it has more than {MAX_FILE // 1024**2} MiB")
    return content
