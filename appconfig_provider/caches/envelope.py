"""The envelope of a stored text: what the file holds before it, and how both are checked.

Theory. A file is a header of three lines and the text. The header has a fixed width:

    appconfig_provider cache 1
    <digest of the text> <its bytes> <when it was loaded> <checksum of this line>
    <when it was confirmed> <checksum of this line and the digest>

Line two never changes while the file exists. Line three is overwritten in place at each
confirmation: it has a checksum of its own, so that half a line is noticed, and that checksum covers
the digest, so that the line of another file does not fit. The checksums find accidents, not
attackers: whoever can write the file can also compute them.
"""

from __future__ import annotations

import math
import re
from hashlib import blake2b
from typing import NamedTuple

from appconfig_provider.protocols import Stored
from appconfig_provider.trouble import EngineError

MAX_AHEAD = 300.0
"""Seconds by which a confirmation may be dated in the future: clocks of machines differ. A later
one counts as unknown, since the clock was wrong then or is wrong now."""

_MAGIC = b"appconfig_provider cache "
_VERSION = b"1"
_FIRST = _MAGIC + _VERSION + b"\n"
_TIME = "{:017.3f}"
_WORDS = re.compile(rb"([0-9a-f]{32}) ([0-9]{12}) ([0-9]{13}\.[0-9]{3}) ([0-9a-f]{16})\n")
_CONFIRMED = re.compile(rb"([0-9]{13}\.[0-9]{3}) ([0-9a-f]{16})\n")
_SECOND_LENGTH, _THIRD_LENGTH = 32 + 1 + 12 + 1 + 17 + 1 + 16 + 1, 17 + 1 + 16 + 1

CONFIRMED_AT = len(_FIRST) + _SECOND_LENGTH
"""Where the third line begins, in bytes."""
HEADER = CONFIRMED_AT + _THIRD_LENGTH
"""Bytes of the header."""


class CopyRefused(EngineError):
    """A stored copy that is not used; the message says why."""

    def as_public(self) -> Exception:
        """Return a ValueError with the same message."""
        return ValueError(str(self))


class Header(NamedTuple):
    """A header that was read, and is whole."""

    digest: str
    size: int
    """Bytes of the text."""
    loaded: float
    confirmed: float | None
    """None when the third line is damaged."""


def digest_of(text: bytes) -> str:
    """Return the digest of a text; equal digests mean equal texts."""
    return blake2b(text, digest_size=16).hexdigest()


def sealed(text: bytes, digest: str, loaded: float, confirmed: float) -> bytes:
    """Return a text with its header; times are seconds since 1970."""
    words = f"{digest} {len(text):012} {_TIME.format(_dated(loaded))}"
    second = f"{words} {_checksum(words)}\n"
    return _FIRST + second.encode("ascii") + confirmation(digest, confirmed) + text


def confirmation(digest: str, confirmed: float) -> bytes:
    """Return the third line of the header."""
    time = _TIME.format(_dated(confirmed))
    return f"{time} {_checksum(f'{digest} {time}')}\n".encode("ascii")


def is_foreign(start: bytes) -> bool:
    """Tell from the first bytes whether a file is somebody else's, which must not be replaced.

    A file without content, or with zeros alone, is what a power failure may leave of one of ours.
    """
    return bool(start.strip(b"\0")) and not start.startswith(_MAGIC)


def read_header(header: bytes) -> Header:
    """Read a header.

    Raises:
        CopyRefused: it is not one of ours, not whole, or of a newer version of this package.
    """
    if not header.startswith(_FIRST):
        newer = re.match(re.escape(_MAGIC) + rb"[0-9]{1,9}\n", header)
        if newer:
            raise CopyRefused("a newer version of this package wrote it")
        raise CopyRefused("it was not written by this package")
    second = _WORDS.fullmatch(header[len(_FIRST) : CONFIRMED_AT])
    if second is None or _checksum(second[0][:-18].decode("ascii")) != second[4].decode("ascii"):
        raise CopyRefused("its header is damaged")
    digest = second[1].decode("ascii")
    confirmed = _confirmed(header[CONFIRMED_AT:HEADER], digest)
    return Header(digest, int(second[2]), float(second[3]), confirmed)


def _confirmed(line: bytes, digest: str) -> float | None:
    found = _CONFIRMED.fullmatch(line)
    if found is None or line != confirmation(digest, float(found[1])):
        return None
    return float(found[1])


def opened(content: bytes, now: float) -> Stored:
    """Return the text of a file.

    Raises:
        CopyRefused: the file is not one of ours, or not whole.
    """
    header = read_header(content[:HEADER])
    text = content[HEADER:]
    if len(text) != header.size:
        raise CopyRefused(f"{len(text)} of its {header.size} bytes are there")
    if digest_of(text) != header.digest:
        raise CopyRefused("its text is damaged: the checksum differs")
    confirmed = header.confirmed
    if confirmed is not None and confirmed > now + MAX_AHEAD:
        confirmed = None
    return Stored(text, header.digest, header.loaded, confirmed)


def _checksum(text: str) -> str:
    return blake2b(text.encode("ascii"), digest_size=8).hexdigest()


def _dated(time: float) -> float:
    """Return a time that the header has room for: a clock may be anything."""
    return min(max(time, 0.0), 1e12) if math.isfinite(time) else 0.0
