"""What kind of world a seed makes: all that is decided before time begins."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

ENDPOINTS = tuple(f"https://{name}.azconfig.io" for name in ("one", "two", "three"))

READ_TIMEOUT = 3.0
"""Seconds; together with the equal connect timeout the time that a check may take."""
LOAD_BUDGET = 20.0
FIRST_BACKOFF, MAX_BACKOFF = 30.0, 600.0
FILE_INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One world's rules; times in seconds."""

    # The provider.
    sentinels: tuple[str, ...]
    """The watched keys; none stands for watching pages, or for `settings_watched` being false."""
    settings_watched: bool
    flags_loaded: bool
    flags_refreshed: bool
    prefixes: tuple[str, ...]
    """The key prefixes of the selectors."""
    interval: float
    flag_interval: float
    layered: bool
    """Whether a file of overrides lies over the store."""
    retries: int
    key_access: bool
    """Whether requests are signed with a key, and not with bearer tokens."""
    validated: bool
    mapped: bool
    chance: float
    """What the engine draws for every jitter: always the same, so that moments can be foretold."""
    push_delay: float
    # The store.
    page_size: int
    keys: int
    endpoints: tuple[str, ...]
    discovered: bool
    """Whether the replicas are found by DNS instead of being given."""
    balanced: bool
    lag: float
    """How far behind an answer may be that no sync token forbids to be."""
    # The network.
    round_trip: float
    slow: float
    """Probability of an answer that takes twenty times as long."""
    faults: float
    """Probability of a fault, by request."""
    outages: int
    # The others.
    publishers: int
    overlapping: bool
    eager: bool
    """Whether publishers like to begin while somebody reads."""
    bad: float
    """Probability that a value makes its generation one that is refused."""
    moody: float
    """Probability that `validate` refuses without any reason, until everything calms down."""
    callers: int
    forced: float
    cancelled: float
    notified: float
    forks: bool
    closes: bool
    lazy: bool
    """Whether reads check, and most callers only read."""
    # What is kept between runs.
    cached: bool
    served_first: bool
    """Whether a start serves the copy before it asks the store."""
    sentinels_only: bool
    """Whether a start asks for nothing else, unless one of them moved."""
    optional: bool
    """Whether a start without store and copy is an empty one."""
    disk_faults: float
    """Probability of a write that fails, or that hangs and comes late."""
    restarts: int
    horizon: float
    """When everything calms down."""

    @property
    def watch_pages(self) -> bool:
        """True when pages are watched."""
        return self.settings_watched and not self.sentinels


def draw(random: Random) -> Scenario:
    """Draw a scenario: each part is missing often enough for the others to be seen alone."""
    provider, store = _provider(random), _store(random)
    network, others = _network(random), _others(random)
    others["horizon"] = provider["interval"] * random.choice((1.0, 3.0))  # type: ignore[operator]
    copies = _copies(random)
    # Drawn from all that was drawn before: schedules without a file stay as they were.
    drawn = f"{provider} {store} {network} {others}"
    provider["layered"] = Random(drawn).random() < 0.2
    return Scenario(**provider, **store, **network, **others, **copies)  # type: ignore[arg-type]


def _provider(random: Random) -> dict[str, object]:
    watching = random.random()
    flags = random.random() < 0.3 or watching > 0.95
    interval = random.choice((1.0, 2.0, 4.0))
    return {
        "sentinels": ("s0",) if watching < 0.4 else ("s0", "s1") if watching < 0.6 else (),
        "settings_watched": watching <= 0.95,
        "flags_loaded": flags,
        "flags_refreshed": flags and (random.random() < 0.8 or watching > 0.95),
        "prefixes": random.choice((("k",), ("k0", "k1"))),
        "interval": interval,
        "flag_interval": random.choice((interval, 1.0, 3.0)),
        "retries": random.choice((0, 1, 2)),
        "key_access": random.random() < 0.8,
        "validated": random.random() < 0.3,
        "mapped": random.random() < 0.1,
        "chance": random.choice((0.0, 0.3, 0.9)),
        "push_delay": random.choice((0.0, 0.5, 5.0)),
    }


def _store(random: Random) -> dict[str, object]:
    endpoints = ENDPOINTS[: random.choice((1, 1, 2, 3))]
    return {
        "page_size": random.choice((2, 3, 4)),
        "keys": random.choice((4, 7, 10)),
        "endpoints": endpoints,
        "discovered": len(endpoints) > 1 and random.random() < 0.3,
        "balanced": len(endpoints) > 1 and random.random() < 0.3,
        "lag": random.choice((0.0, 0.0, 0.5, 5.0)),
    }


def _network(random: Random) -> dict[str, object]:
    calm = random.random() < 0.4
    return {
        "round_trip": random.choice((0.0005, 0.05, 0.2)),
        "slow": 0.0 if calm else random.choice((0.0, 0.03)),
        "faults": 0.0 if calm else random.choice((0.0, 0.03, 0.15)),
        "outages": 0 if calm else random.choice((0, 1, 3)),
    }


def _others(random: Random) -> dict[str, object]:
    return {
        "publishers": random.choice((1, 1, 1, 2)),
        "overlapping": random.random() < 0.3,
        "eager": random.random() < 0.6,
        "bad": random.choice((0.0, 0.05, 0.15)),
        "moody": random.choice((0.0, 0.0, 0.3)),
        "callers": random.choice((2, 3)),
        "forced": random.choice((0.0, 0.05)),
        "cancelled": random.choice((0.0, 0.1)),
        "notified": random.choice((0.0, 0.0, 0.4, 0.9)),
        "forks": random.random() < 0.2,
        "closes": random.random() < 0.15,
        "lazy": random.random() < 0.25,
    }


def _copies(random: Random) -> dict[str, object]:
    cached = random.random() < 0.4
    return {
        "cached": cached,
        "served_first": cached and random.random() < 0.3,
        "sentinels_only": cached and random.random() < 0.3,
        "optional": random.random() < 0.2,
        "disk_faults": random.choice((0.0, 0.0, 0.2)),
        "restarts": random.choice((1, 2)) if cached else 0,
    }
