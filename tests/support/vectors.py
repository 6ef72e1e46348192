"""The test vectors of feature management: published cases and what was derived from them.

They lie beside the repository and are no part of it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[2].parent / "shared" / "vectors" / "featuremanagement"


def vectors(name: str) -> Any:
    """Return a file of test vectors; skip where there is none."""
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"the vectors are not here: {path}")
    return json.loads(path.read_text(encoding="utf-8"))


def listed(name: str) -> list[Any]:
    """Return the cases of a file for `parametrize`; none where there is no such file."""
    path = VECTORS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
