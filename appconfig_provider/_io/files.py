"""Reads a file, if it has changed since it was read last."""

from __future__ import annotations

import errno
import os
import stat
import time

from appconfig_provider._plan import FileContent, FileIdentity, ReadFile

SETTLED = 2.0
"""Seconds. A file that was written less than that before it was read may be written once more
without another time of change: FAT counts by two seconds, Linux by the ticks of its clock."""

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO that takes the file's place must not block
)


def read_file(effect: ReadFile) -> FileContent | None:
    """Perform the effect.

    Raises:
        OSError: the file is missing, is no regular file, or is too large.
    """
    # Asked before it is opened: this is all that a file costs that has not changed, and opening a
    # FIFO would wake its writer.
    if _identity(os.stat(effect.path)) == effect.known:  # noqa: PTH116 - pathlib is slow to import
        return None
    descriptor = os.open(effect.path, _FLAGS)
    try:
        about = os.fstat(descriptor)
        identity = _identity(about)
        data = read_whole(descriptor, effect.limit)
        unchanged = _identity(os.fstat(descriptor)) == identity
    finally:
        os.close(descriptor)
    settled = time.time() - about.st_mtime >= SETTLED
    return FileContent(data, identity if settled and unchanged else None)


def _identity(about: os.stat_result) -> FileIdentity:
    if not stat.S_ISREG(about.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    return (about.st_mtime_ns, about.st_ctime_ns, about.st_size, about.st_ino, about.st_dev)


def read_whole(descriptor: int, limit: int) -> bytes:
    parts = []
    left = limit + 1
    while left and (part := os.read(descriptor, min(left, 2**20))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise OSError(errno.EFBIG, f"it has more than {limit} bytes")
    return b"".join(parts)
