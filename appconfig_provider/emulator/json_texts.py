"""JSON texts from outside, read within a limit on their depth.

Python's decoder recurses into what is nested, to the end of the stack. Lists that it makes there
start the garbage collector, and the finalizers that this one calls, of any object of the process,
would fail for want of stack. So a text is looked at before it is decoded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import accumulate
from typing import Any, Final

_MAX_DEPTH: Final = 300
"""More than any value may have, so that its own error names the setting; under a third of the
stack."""
_QUOTED: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_STEP: Final = {"[": 1, "{": 1, "]": -1, "}": -1}


def read_json(
    text: str | bytes,
    *,
    members: Callable[[list[tuple[str, Any]]], Any] | None = None,
    integer: Callable[[str], int] | None = None,
) -> Any:
    """Decode JSON; ``members`` makes an object and ``integer`` a whole number.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "surrogatepass")
    if text.count("[") + text.count("{") > _MAX_DEPTH and _depth(text) > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    return json.loads(text, object_pairs_hook=members, parse_int=integer)


def _depth(text: str) -> int:
    """How deep brackets are nested outside of quoted texts."""
    steps = (_STEP.get(character, 0) for character in _QUOTED.sub("", text))
    return max(accumulate(steps), default=0)
