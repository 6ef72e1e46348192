"""Where flags come from: a Mapping with `feature_management`, and how its changes are noticed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import time
from typing import Any

from appconfig_provider.flags.index import FEATURE_FLAGS
from appconfig_provider.protocols import Clock, current_clock
from appconfig_provider.readonly import ReadOnlyDict

Reader = Callable[[str], Any]
"""Returns a source, by the key; the same object as long as its flags are the same."""


def reader_of(mapping: Mapping[str, Any]) -> Reader:
    """Return what reads the flags of a Mapping, through the Mapping's own look-up.

    A provider of this package never changes what it has handed out, so the object itself tells
    whether flags changed. Of any other Mapping the length of the list is looked at, too.
    """
    if isinstance(mapping, ReadOnlyDict) or clock_of(mapping) is not None:
        return mapping.__getitem__
    look_up = mapping.__getitem__
    # One tuple, so that threads see all of it or nothing: the source, its list of flags, how long
    # that was. It is what is returned, too.
    last: tuple[Any, Any, int] = (None, (), 0)

    def read(key: str) -> tuple[Any, Any, int]:
        nonlocal last
        source = look_up(key)
        known = last
        seen, flags, length = known
        if seen is source and len(flags) == length:
            return known
        found = source.get(FEATURE_FLAGS) if isinstance(source, Mapping) else None
        flags = found if isinstance(found, list | tuple) else ()
        last = known = (source, flags, len(flags))
        return known

    return read


def source_of(read: Any) -> Any:
    """Return the source from what a reader returned."""
    return read[0] if read.__class__ is tuple else read


def clock_of(mapping: Mapping[str, Any]) -> Clock | None:
    """Return the clock of a provider of this package; None for any other Mapping."""
    if not hasattr(type(mapping), "_clock_of_flags"):
        return None
    clock: Clock = mapping._clock_of_flags  # type: ignore[attr-defined]  # asked the line above
    return clock


def time_of(mapping: Mapping[str, Any]) -> Callable[[], float]:
    """Return the time of day, in seconds since 1970, by which the flags of a Mapping live.

    It is that of the provider's clock, else of the clock that a test has set, else the machine's.
    """
    clock = clock_of(mapping) or current_clock.get(None)
    return time if clock is None else clock.time
