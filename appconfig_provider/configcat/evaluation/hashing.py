"""ConfigCat's hashes: of the texts in sensitive comparisons, and of users for percentages.

They protect no secret here, so the interpreter's own functions may serve.
"""

from __future__ import annotations

from struct import Struct

from appconfig_provider.flags.percentage import own_hash

sha256 = own_hash("sha256", "_sha2", "_sha256")
sha1 = own_hash("sha1", "_sha1")

_FIRST = Struct(">I").unpack_from


def in_bytes(text: str) -> bytes:
    """Return a text in UTF-8; half a character (a lone surrogate) is no error."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def bucket(key: str, user: str) -> int:
    """Return the place of a user under a setting, 0 to 99."""
    place: int = _FIRST(sha1(in_bytes(key + user)).digest())[0]
    return (place >> 4) % 100  # the first seven hexadecimal digits


def digests(texts: tuple[str, ...], length: int) -> frozenset[bytes]:
    """Return hashes of `length` bytes that are written in hexadecimal digits.

    What is written in another way is equal to no hash, and is left out.
    """
    return frozenset(
        bytes.fromhex(text)
        for text in texts
        if len(text) == 2 * length and not text.strip("0123456789abcdef")
    )
