"""Effects that stay on this machine."""

from __future__ import annotations

from appconfig_provider._io.files import read_file
from appconfig_provider._plan import Effect, Invoke, ReadFile, Sleep
from appconfig_provider.protocols import Clock


def perform_here(effect: Effect[object], clock: Clock) -> object:
    """Perform an effect that needs no connection, on this thread."""
    match effect:
        case Sleep(seconds):
            clock.sleep(seconds)
            return None
        case Invoke(function, arguments):
            return function(*arguments)
        case ReadFile():
            return read_file(effect)
        case _:
            raise TypeError(f"no driver performs {effect!r}")
