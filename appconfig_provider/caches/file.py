"""`FileCache`: the last good configuration in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from typing import NamedTuple

from appconfig_provider import checks
from appconfig_provider.caches.envelope import (
    CONFIRMED_AT,
    HEADER,
    CopyRefused,
    confirmation,
    digest_of,
    is_foreign,
    opened,
    read_header,
    sealed,
)
from appconfig_provider.caches.replacing import remove_left_over, replace_file
from appconfig_provider.caches.trust import open_trusted, read_whole, start_of
from appconfig_provider.protocols import Stored
from appconfig_provider.texts import argument, holds_secret, printable

DEFAULT_WAIT = 5.0
MIN_WAIT = 0.1
VERIFICATIONS = ("pages", "sentinels")


class _Own(NamedTuple):
    """The file that this process wrote, or has read and checked."""

    pid: int
    place: tuple[int, int]
    """Device and inode."""
    digest: str


class FileCache:
    """A file with the last good configuration, so that `load()` works while the store is down.

    `path` is the file; its folder must be there, and no other user may write to it. `load()` reads
    the file first and then has `wait` seconds (never more than `startup_timeout`) to hear from the
    store; after that it returns what the file holds, with `snapshot.stale` True until the store has
    confirmed it. A copy that the store has not confirmed for `max_age` seconds is refused; None
    accepts any.

    `first=True` returns what the file holds at once and leaves it to the first refresh to ask the
    store. `verify="sentinels"` asks only for the watched keys at start, and for pages only when one
    of them moved; feature flags, and settings that were written without moving a sentinel, are then
    as the file has them. `trust_group=True` accepts a file that its group may write.

    Feature flags and settings stand in the file as plain text, secrets of Key Vault never.

    Raises:
        TypeError, ValueError: an argument is wrong.
    """

    __slots__ = ("_own", "first", "max_age", "path", "trust_group", "verify", "wait")

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_age: float | None = None,
        wait: float | None = DEFAULT_WAIT,
        first: bool | None = False,
        verify: str | None = "pages",
        trust_group: bool | None = False,
    ) -> None:
        self.path = _checked_path(path)
        self.max_age = None if max_age is None else checks.seconds("max_age", max_age, 0.0, 0.0)
        self.wait = checks.seconds("wait", wait, DEFAULT_WAIT, MIN_WAIT)
        self.first = checks.flag("first", first, default=False)
        self.verify = checks.choice("verify", verify, VERIFICATIONS) or "pages"
        self.trust_group = checks.flag("trust_group", trust_group, default=False)
        self._own: _Own | None = None

    def __repr__(self) -> str:
        return f"FileCache({self.path!r})"

    @property
    def name(self) -> str:
        """The path, for log lines."""
        return printable(self.path)

    def read(self, now: float) -> Stored | None:
        """Return what the file holds; None when there is none. `now` is seconds since 1970.

        Raises:
            EngineError: the file is damaged, or others may have written it.
            OSError: it cannot be read.
        """
        try:
            descriptor = open_trusted(self.path, trust_group=self.trust_group)
        except FileNotFoundError:
            return None
        place = _place(descriptor)
        stored = opened(read_whole(descriptor), now)
        self._own = _Own(os.getpid(), place, stored.digest)
        return stored

    def write(
        self, text: Callable[[], bytes], loaded: float, confirmed: float, digest: str = ""
    ) -> str:
        """Write the file, or only the time of the confirmation into it; return the text's digest.

        `digest` is what was returned for the same text before. Only the time is written when the
        file is the one that this process has written or read, and still holds that text.

        Raises:
            EngineError: there is a file that was not written by this package; it stays.
            OSError: it cannot be written; the old file stays.
        """
        if digest and self._confirm(digest, confirmed):
            return digest
        content = text()
        new = digest_of(content)
        if new != digest and self._confirm(new, confirmed):
            return new
        if is_foreign(start_of(self.path, HEADER)):
            raise CopyRefused(
                "it was not written by this package, so it stays as it is: remove it, or name "
                "another path"
            )
        remove_left_over(self.path)
        place = replace_file(self.path, sealed(content, new, loaded, confirmed))
        self._own = _Own(os.getpid(), place, new)
        return new

    def _confirm(self, digest: str, confirmed: float) -> bool:
        """Write the time of a confirmation; False when the file is not ours or has another text."""
        own = self._own
        if own is None or (own.pid, own.digest) != (os.getpid(), digest):
            return False
        with suppress(OSError, CopyRefused):
            descriptor = open_trusted(self.path, os.O_RDWR, trust_group=self.trust_group)
            with FileIO(descriptor, "r+b") as file:
                if _place(descriptor) == own.place and _holds(file, digest):
                    file.seek(CONFIRMED_AT)
                    file.write(confirmation(digest, confirmed))
                    return True
        return False


def _place(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _holds(file: FileIO, digest: str) -> bool:
    """Tell whether an open file says that it holds a text, and is as long as it should be."""
    header = read_header(file.read(HEADER))
    return header.digest == digest and os.fstat(file.fileno()).st_size == HEADER + header.size


def _checked_path(given: object) -> str:
    """Return an absolute path: the program may change its folder later."""
    if not isinstance(given, str | os.PathLike):
        raise TypeError(f"FileCache takes the path of a file, not {argument(given)}")
    path = os.fspath(given)
    if not isinstance(path, str):
        raise TypeError("FileCache takes a path that is a str, not bytes")
    if not path or "\0" in path:
        raise ValueError("FileCache takes the path of a file; this one is empty or has a NUL")
    if holds_secret(path):
        raise ValueError("FileCache takes the path of a file, not a connection string")
    return os.path.abspath(path)  # noqa: PTH100 - pathlib is slow to import
