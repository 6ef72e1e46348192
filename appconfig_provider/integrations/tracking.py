"""What a program tells OpenFeature to track, handed on to a function of the program."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress

from openfeature.track import TrackingEventDetails

from appconfig_provider.checks import function, is_coroutine_function
from appconfig_provider.trouble import describe, name_of, type_of

logger = logging.getLogger("appconfig_provider")

Track = Callable[[str, str, dict[str, str]], object]
"""Called with the name of an event, the user id, and properties as texts."""


class Tracking:
    """Calls the function of the program; what it raises is logged once for each type of error."""

    def __init__(self, on_track: Track | None) -> None:
        function("on_track", on_track)
        if is_coroutine_function(on_track):
            raise TypeError(f"on_track: {name_of(on_track)} is asynchronous")  # type: ignore[arg-type]
        self._on_track = on_track
        self._logged: dict[str, None] = {}

    def __bool__(self) -> bool:
        """True when anybody wants to know."""
        return self._on_track is not None

    def track(
        self, name: str, user: Callable[[], str], details: TrackingEventDetails | None
    ) -> None:
        """Hand an event on."""
        if self._on_track is None:
            return
        try:
            answer = self._on_track(name, user(), properties(details))
        except Exception as error:
            self._warn_once(type_of(error), describe(error))
            return
        if inspect.isawaitable(answer):
            with suppress(Exception):
                answer.close()  # type: ignore[attr-defined]  # a coroutine has it
            self._warn_once("awaitable", "it has to be awaited, which nobody can do there")

    def _warn_once(self, kind: str, told: str) -> None:
        if kind not in self._logged:
            self._logged[kind] = None
            logger.warning("on_track failed: %s", told)


def properties(details: TrackingEventDetails | None) -> dict[str, str]:
    """Return the attributes of an event as texts, and its value as `value`."""
    if details is None:
        return {}
    given: Mapping[str, object] = details.attributes
    shown = {str(name): _text(value) for name, value in given.items()}
    return shown if details.value is None else {**shown, "value": _text(details.value)}


def _text(value: object) -> str:
    if isinstance(value, list | tuple | Mapping):
        return json.dumps(value, default=str)
    return str(value)
