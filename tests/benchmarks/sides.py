"""The two providers behind one small face: load alike, refresh alike, hold the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

EVERY = "app/*"
"""Selects all settings of the store but the sentinel."""

INTERVAL = 3600
"""Seconds; long enough that nothing is due while a benchmark runs."""


class Config(Protocol):
    """What the benchmarks use of either provider."""

    def __getitem__(self, key: str, /) -> Any:
        """Return a value."""

    def __len__(self) -> int:
        """Count the keys."""

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return keys and values."""

    def close(self) -> None:
        """Close the connections."""


def load_official(connection: str, keys: str) -> Config:
    """Load with azure-appconfiguration-provider."""
    from azure.appconfiguration.provider import SettingSelector, WatchKey, load

    config: Config = load(
        connection_string=connection,
        selects=[SettingSelector(key_filter=keys)],
        refresh_on=[WatchKey("sentinel")],
        refresh_interval=INTERVAL,
    )
    return config


def load_ours(connection: str, keys: str) -> Config:
    """Load with this library."""
    from appconfig_provider import SettingSelector, WatchKey, load

    return load(
        connection_string=connection,
        selects=[SettingSelector(key_filter=keys)],
        refresh_on=[WatchKey("sentinel")],
        refresh_interval=INTERVAL,
    )


def refresh_official(config: Any) -> None:
    """Refresh as if the interval had passed."""
    config._refresh_timer._next_refresh_time = 0
    config.refresh()


def refresh_ours(config: Any) -> None:
    """Refresh as if the interval had passed."""
    config.refresh(force=True)


# Both in the order of the table's columns.
LOADERS: Sequence[Callable[[str, str], Config]] = (load_official, load_ours)
REFRESHERS: Sequence[Callable[[Any], None]] = (refresh_official, refresh_ours)


@contextmanager
def both(connection: str, keys: str) -> Iterator[tuple[Config, Config]]:
    """Load on both sides and close both in the end.

    Raises:
        RuntimeError: they do not hold the same.
    """
    with ExitStack() as closing:
        configs = []
        for load in LOADERS:
            configs.append(load(connection, keys))
            closing.callback(configs[-1].close)
        official, ours = configs
        require_equal(fingerprint(official), fingerprint(ours))
        yield official, ours


def fingerprint(config: Config) -> str:
    """Return a short text that is equal for equal keys and values."""
    content = json.dumps(sorted(config.items()))
    return f"{len(config)} settings, {hashlib.sha256(content.encode()).hexdigest()[:16]}"


def require_equal(official: str, ours: str) -> None:
    """Stop the benchmark when the two sides did not do the same.

    Raises:
        RuntimeError: they did not.
    """
    if official != ours:
        raise RuntimeError(f"the providers differ: {official} against {ours}; nothing to compare")
