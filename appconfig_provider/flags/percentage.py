"""Where a user falls between 0 and 100: the one hash of feature management.

It must be exactly the one of the public libraries, so that services in different languages let the
same users in.
"""

from __future__ import annotations

import hashlib
from importlib import import_module
from struct import Struct
from typing import Any

_FIRST = Struct("<I").unpack_from
_MAX = 2**32 - 1


def own_sha256() -> Any:
    """Return the interpreter's own SHA-256, which begins sooner than OpenSSL's, where it has one.

    It is not for secrets, so that it does not matter which one it is.
    """
    for module in ("_sha2", "_sha256"):  # since Python 3.12, and before
        try:
            return import_module(module).sha256
        except (ImportError, AttributeError):
            continue
    return hashlib.sha256


hashed = own_sha256()


def percentage(user: str | None, hint: str) -> float:
    """Return the place of a user under a hint, from 0 to 100, both included.

    The hint says what is shared: a flag, a flag's group, or a seed. No user is the empty text.
    """
    place: int = _FIRST(hashed(f"{user or ''}\n{hint}".encode()).digest())[0]
    return place / _MAX * 100
