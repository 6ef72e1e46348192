"""What kind of world a seed makes for ConfigCat's clients."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from appconfig_provider.configcat.overridedatasource import OverrideBehaviour
from tests.support.configcat_source import EU, GLOBAL, V5, V6

AUTO, LAZY, MANUAL = "auto", "lazy", "manual"


@dataclass(frozen=True, slots=True)
class Kind:
    """One client; times in seconds."""

    mode: str
    interval: float
    """Between two polls, or how long a lazy client believes its config."""
    init_wait: float
    new_key: bool
    """Whether its SDK key is one of those that have a config of version 6 only."""
    offline: bool
    """Whether it begins offline."""
    shares: bool
    """Whether it uses the cache that the clients share."""
    local: OverrideBehaviour | None
    """What its file of local settings is for; None where it has none."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world's rules; times in seconds."""

    kinds: tuple[Kind, ...]
    chance: float
    """What the engine draws for every jitter: always the same, so that moments can be foretold."""
    # The servers, and the way to them.
    endpoints: tuple[str, ...]
    files: tuple[str, ...]
    tagged: bool
    """Whether answers have an ETag."""
    round_trip: float
    slow: float
    faults: float
    outages: int
    disk_faults: float
    """Probability that the shared cache cannot be written."""
    cache_faults: float
    """Probability that it cannot be read."""
    # Those who publish.
    pace: float
    """The longest time between two publishes."""
    bad: float
    """Probability of a publish that no client can use."""
    governed: float
    """Probability of a publish that changes which server is to be asked."""
    # Those who use the clients.
    callers: int
    forced: float
    cancelled: float
    switched: float
    """Probability that a caller switches its client offline, or online."""
    lively: float
    """Probability that a hook calls its client, waits, or raises."""
    forks: bool
    closes: bool
    horizon: float
    """When everything calms down."""


def draw(random: Random) -> Scenario:
    """Draw a scenario: each part is missing often enough for the others to be seen alone."""
    calm = random.random() < 0.3
    shared = random.random() < 0.4
    layered = random.random() < 0.3
    kinds = tuple(_kind(random, shared, layered) for _ in range(random.choice((1, 1, 2, 3))))
    return Scenario(
        kinds=kinds,
        chance=random.choice((0.0, 0.3, 0.9)),
        endpoints=(GLOBAL, EU),
        files=random.choice(((V5, V6), (V5, V6), (V5,), (V6,))),
        tagged=random.random() < 0.9,
        round_trip=random.choice((0.0005, 0.05, 0.2)),
        slow=0.0 if calm else random.choice((0.0, 0.1)),
        faults=0.0 if calm else random.choice((0.0, 0.05, 0.3)),
        outages=0 if calm else random.choice((0, 1, 3)),
        disk_faults=random.choice((0.0, 0.0, 0.2)),
        cache_faults=random.choice((0.0, 0.0, 0.2)),
        pace=random.choice((1.0, 4.0, 12.0)),
        bad=0.0 if calm else random.choice((0.0, 0.1, 0.3)),
        governed=random.choice((0.0, 0.0, 0.3)),
        callers=random.choice((1, 2, 4)),
        forced=random.choice((0.0, 0.05, 0.2)),
        cancelled=random.choice((0.0, 0.1)),
        switched=random.choice((0.0, 0.0, 0.05)),
        lively=random.choice((0.0, 0.3, 0.8)),
        forks=random.random() < 0.2,
        closes=random.random() < 0.2,
        horizon=random.choice((6.0, 12.0, 30.0)),
    )


def _kind(random: Random, shared: bool, layered: bool) -> Kind:
    mode = random.choice((AUTO, AUTO, LAZY, LAZY, MANUAL))
    return Kind(
        mode=mode,
        interval=60.0 if mode == MANUAL else random.choice((1.0, 2.0, 5.0)),
        init_wait=random.choice((0.0, 0.5, 5.0)),
        new_key=random.random() < 0.3,
        offline=random.random() < 0.1,
        shares=shared and random.random() < 0.8,
        local=random.choice(tuple(OverrideBehaviour))
        if layered and random.random() < 0.6
        else None,
    )
