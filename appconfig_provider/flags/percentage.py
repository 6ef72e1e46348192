"""Where a user falls between 0 and 100: the one hash of feature management.

It must be exactly the one of the public libraries, so that services in different languages let the
same users in.
"""

from __future__ import annotations

from hashlib import sha256
from struct import Struct

_FIRST = Struct("<I").unpack_from
_MAX = 2**32 - 1


def percentage(user: str | None, hint: str) -> float:
    """Return the place of a user under a hint, from 0 to 100, both included.

    The hint says what is shared: a flag, a flag's group, or a seed. No user is the empty text.
    """
    place: int = _FIRST(sha256(f"{user or ''}\n{hint}".encode()).digest())[0]
    return place / _MAX * 100
