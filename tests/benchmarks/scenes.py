"""Where and with what a cost is measured: how many settings, how far away, sync or aio."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Mode(Enum):
    """Which provider of a package is measured: the sync one or the aio one."""

    SYNC = "sync"
    AIO = "aio"


@dataclass(frozen=True, slots=True)
class Scene:
    """A store of so many settings whose answers take `delay` seconds longer."""

    settings: int
    delay: float = 0.0
    headline: bool = False
    """What the table shows; the other scenes go to the growth table and the plots."""
    rounds: int | None = None
    """At most so many rounds here; None: as many as the run has."""
    modes: tuple[Mode, ...] = (Mode.SYNC, Mode.AIO)

    def __str__(self) -> str:
        return f"{self.settings:,} at {self.delay * 1e3:g} ms"


# The official provider takes half a minute for a round of each of the last two.
SCENES = (
    Scene(1_000, 0.02, rounds=2),
    Scene(10_000, 0.0, rounds=2),
    Scene(10_000, 0.005, rounds=1),
    Scene(10_000, 0.02, headline=True),
    Scene(10_000, 0.05, rounds=1, modes=(Mode.SYNC,)),
    Scene(50_000, 0.02, rounds=1, modes=(Mode.SYNC,)),
)

QUICK_SCENES = (
    Scene(100, 0.002, rounds=1),
    Scene(300, 0.0, rounds=1),
    Scene(300, 0.002, headline=True),
    Scene(600, 0.002, rounds=1, modes=(Mode.SYNC,)),
)
