"""Where flags come from: a Mapping with `feature_management`, and how its changes are noticed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import time
from typing import Any, NamedTuple

from appconfig_provider.flags.index import FEATURE_FLAGS
from appconfig_provider.protocols import Clock, current_clock
from appconfig_provider.readonly import ReadOnlyDict

Reader = Callable[[str], Any]
"""Returns a source, by the key; the same object as long as its flags are the same."""


class Seen(NamedTuple):
    """A source that its owner may write to, and what is noticed of that: the number of flags."""

    source: Any
    flags: Any
    length: int


def reader_of(mapping: Mapping[str, Any]) -> Reader:
    """Return what reads the flags of a Mapping, through the Mapping's own look-up.

    A provider of this package never changes what it has handed out, so the object itself tells
    whether flags changed. Of any other Mapping the length of the list is looked at, too.
    """
    if isinstance(mapping, ReadOnlyDict) or clock_of(mapping) is not None:
        return mapping.__getitem__
    look_up = mapping.__getitem__
    last = Seen(None, (), 0)

    def read(key: str) -> Seen:
        nonlocal last
        source = look_up(key)
        seen, flags, length = last
        if seen is source and len(flags) == length:
            return last
        found = source.get(FEATURE_FLAGS) if isinstance(source, Mapping) else None
        flags = found if isinstance(found, list | tuple) else ()
        last = Seen(source, flags, len(flags))
        return last

    return read


def source_of(read: Any) -> Any:
    """Return the source from what a reader returned."""
    return read.source if read.__class__ is Seen else read


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
