"""The overrides of a state: as they were read last, and those that the generation was built with.

Both are the same unless the newest ones were refused, by `validate` for example. They are tried
again after a back-off, when a file changes, and when the store has other content.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appconfig_provider._fetch.backoff import FREE, Backoff

if TYPE_CHECKING:
    from appconfig_provider.overrides.layers import Layer
    from appconfig_provider.overrides.reading import Readings

CHECK_INTERVAL = 1.0
"""Seconds between two checks whether a file has changed."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """The overrides of one state."""

    readings: Readings = ()
    served: tuple[Layer, ...] = ()
    """The layers that the generation was built with."""
    backoff: Backoff = FREE
    """Until when layers that were refused are not tried again."""
    broken: Exception | None = field(default=None, repr=False)
    """The public error of a file that is missing or broken; None when all can be used."""
    refused: Exception | None = field(default=None, repr=False)
    """The public error of the newest layers, if no generation could be built with them."""
    refusal: str = ""
    """What was logged of that."""
    local: bool = False
    """True when there is no store."""

    @property
    def newest(self) -> tuple[Layer, ...]:
        """The layers as they were read last."""
        return tuple([one.layer for one in self.readings])

    @property
    def error(self) -> Exception | None:
        """The error that `status` shows; None when the newest overrides are served."""
        return self.broken or self.refused


NO_OVERLAY = Overlay()
