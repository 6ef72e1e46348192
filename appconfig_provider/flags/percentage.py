"""Where a user falls between 0 and 100: the one hash of feature management.

It must be exactly the one of the public libraries, so that services in different languages let the
same users in.
"""

from __future__ import annotations

from importlib import import_module
from struct import Struct
from typing import Any

_FIRST = Struct("<I").unpack_from
_MAX = 2**32 - 1


def own_hash(name: str, *modules: str) -> Any:
    """Return the interpreter's own hash function, which begins sooner than OpenSSL's.

    It is not for secrets, so that it does not matter which one it is. `modules` are those that may
    have it; where none has, the function is that of `hashlib`.
    """
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    import hashlib

    return getattr(hashlib, name)


def own_sha256() -> Any:
    """Return the interpreter's own SHA-256, where it has one."""
    return own_hash("sha256", "_sha2", "_sha256")  # since Python 3.12, and before


hashed = own_sha256()


def percentage(user: str | None, hint: str) -> float:
    """Return the place of a user under a hint, from 0 to 100, both included.

    The hint says what is shared: a flag, a flag's group, or a seed. No user is the empty text.
    """
    text = f"{user or ''}\n{hint}"
    try:
        encoded = text.encode()
    except UnicodeEncodeError:  # half of a character (a lone surrogate), which has no UTF-8
        encoded = text.encode(errors="surrogatepass")
    place: int = _FIRST(hashed(encoded).digest())[0]
    return place / _MAX * 100
