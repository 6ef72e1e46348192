"""Where a ConfigCat config is stored."""

from __future__ import annotations

from enum import IntEnum


class DataGovernance(IntEnum):
    """Which of ConfigCat's servers are asked; must fit what is set in its dashboard."""

    Global = 0
    """Servers all over the world."""
    EuOnly = 1
    """Servers in the European Union."""
