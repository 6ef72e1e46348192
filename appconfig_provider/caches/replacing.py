"""Replacing a file as a whole: a reader sees the old one or the new one, also after a crash."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress

OLD = 3600.0
"""Seconds after which a temporary file is one that a process left when it ended during a write."""

_FLAGS = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)


def replace_file(path: str, content: bytes) -> tuple[int, int]:
    """Write a file and put it in the place of another; return its device and inode.

    Only its owner can read it. A write that fails leaves the other file, and nothing else.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f"{name}.{os.urandom(8).hex()}.tmp")  # noqa: PTH118 - pathlib is slow to import
    descriptor = os.open(temporary, _FLAGS, 0o600)
    try:
        try:
            _write_all(descriptor, content)
            os.fsync(descriptor)
            status = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)  # noqa: PTH105 - the same
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - the same
        raise
    return status.st_dev, status.st_ino


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def remove_left_over(path: str) -> None:
    """Remove this user's temporary files of `replace_file` that are older than an hour."""
    for temporary in temporary_files(path):
        with suppress(OSError):
            status = os.lstat(temporary)
            own = os.name == "nt" or status.st_uid == os.geteuid()
            if own and time.time() - status.st_mtime > OLD:
                os.unlink(temporary)  # noqa: PTH108 - pathlib is slow to import


def temporary_files(path: str) -> list[str]:
    """Return the temporary files beside a file; none when its folder cannot be read."""
    folder, name = os.path.split(path)
    ours = re.compile(re.escape(name) + r"\.[0-9a-f]{16}\.tmp")
    try:
        names = os.listdir(folder)  # noqa: PTH208 - the same
    except OSError:
        return []
    return [os.path.join(folder, one) for one in names if ours.fullmatch(one)]  # noqa: PTH118 - the same
