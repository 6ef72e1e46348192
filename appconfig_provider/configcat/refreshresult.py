"""What a forced refresh came to."""

from __future__ import annotations

from typing import NamedTuple


class RefreshResult(NamedTuple):
    """Whether the server confirmed or replaced the config, and if not, why."""

    is_success: bool
    error: str | None
    """A text without secrets; None after a success."""
