"""What a benchmark finds: a metric, its samples on both sides, and the ratio between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median

from .scenes import QUICK_SCENES, SCENES, Mode, Scene


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure: rounds, repeats within one, and how big each piece of work is."""

    rounds: int = 5
    """Of what is cheap and what the table is about."""
    repeats: int = 50
    """Runs of a tight loop in a round; the fastest counts, because noise only ever adds."""
    laps: int = 20
    """How often a tight loop goes through its hundred keys."""
    starts: int = 3
    """Fresh processes of each program in a round; the fastest counts."""
    checks: int = 6
    """Short refreshes in a row; their median counts."""
    settings: int = 10_000
    big: int = 50_000
    """Settings of the load whose memory is weighed."""
    idle: float = 1.0
    """Seconds of requests beside no reload at all, to know what this machine's noise adds."""
    scenes: tuple[Scene, ...] = SCENES

    @property
    def fewer(self) -> int:
        """Rounds of what takes long, or stands beside the table."""
        return max(self.rounds // 2, 1)

    @classmethod
    def quick(cls) -> Effort:
        """Return an effort of seconds that proves the harness and nothing about speed."""
        return cls(
            rounds=2,
            repeats=5,
            laps=5,
            starts=1,
            checks=3,
            settings=300,
            big=600,
            idle=0.2,
            scenes=QUICK_SCENES,
        )


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured, in which unit (less is better), and how much better we want to be."""

    name: str
    unit: str
    target: float | None = None
    """None: for information."""
    scene: Scene | None = None
    """None: the cost does not depend on where the store is, or the name says what it does."""
    mode: Mode = Mode.SYNC

    @property
    def in_table(self) -> bool:
        """True when the table has a row for it; aio stands in the row of sync."""
        return self.mode is Mode.SYNC and (self.scene is None or self.scene.headline)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The samples of a metric, one of each side per round."""

    metric: Metric
    official: tuple[float, ...]
    ours: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.official or len(self.official) != len(self.ours):
            raise ValueError(f"{self.metric.name}: each round needs a sample of both sides")
        if min(self.official + self.ours) <= 0:
            raise ValueError(f"{self.metric.name}: a sample is not positive")

    @property
    def ratio(self) -> float:
        """How many times less ours takes: the median of the ratios of the rounds."""
        return median(theirs / own for theirs, own in zip(self.official, self.ours, strict=True))

    @property
    def met(self) -> bool | None:
        """True when the target is reached, None when there is none."""
        return None if self.metric.target is None else self.ratio >= self.metric.target


@dataclass(frozen=True, slots=True)
class Figure:
    """What something of ours does, and how good it has to be in itself."""

    name: str
    unit: str
    value: float
    at_least: float | None = None
    at_most: float | None = None
    beside: str = ""
    """What others take for the same, in the same unit."""

    @property
    def goal(self) -> str:
        """The goal in words."""
        sign, bound = (">=", self.at_least) if self.at_most is None else ("<=", self.at_most)
        return f"{sign} {bound:,g} {self.unit}".rstrip()

    @property
    def met(self) -> bool:
        """True when the goal is reached."""
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)


class Samples:
    """Collects the rounds of several metrics, in the order in which they are first seen."""

    def __init__(self) -> None:
        self._rounds: dict[Metric, list[tuple[float, float]]] = {}

    def add(self, metric: Metric, official: float, ours: float) -> None:
        """Take what both sides needed in one round."""
        self._rounds.setdefault(metric, []).append((official, ours))

    def measurements(self) -> list[Measurement]:
        """Return everything that was collected."""
        return [
            Measurement(
                metric,
                tuple(official for official, _ in rounds),
                tuple(ours for _, ours in rounds),
            )
            for metric, rounds in self._rounds.items()
        ]


def net(samples: Iterable[float], nothing: Iterable[float], floor: float) -> float:
    """Return the fastest sample net of the fastest run of nothing, at least `floor`.

    The floor is what the clock can tell apart; without it noise could make a net time of zero.
    """
    return max(min(samples) - min(nothing), floor)


def sides_of(round_number: int) -> Iterator[int]:
    """Yield 0 (official) and 1 (ours), the other one first every round."""
    first = round_number % 2
    yield first
    yield 1 - first
