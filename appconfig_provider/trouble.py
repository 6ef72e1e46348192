"""Errors: as the engine raises them, as the user is handed them, as a log line tells of them.

An `EngineError` is in our own words, which hold no value of a setting. Any other error was raised
by a function of the user: `validate`, a mapper, a resolver, a callback. Its text may quote a value
(pydantic's does), so of such an error only its type is told, and where it was raised.

An error that is kept must keep nothing else: its traceback holds frames, and these hold the state
that was current then, with its own last error. `drop_frames` cuts that chain.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from traceback import walk_tb
from typing import Any, NoReturn

from appconfig_provider.texts import printable

MAX_MESSAGE = 4000
"""Characters of a message; each part from outside is far shorter."""
MAX_FRAMES = 5
"""Frames of an error that are told, those nearest to where it was raised."""

_PACKAGE = os.path.dirname(__file__)  # noqa: PTH120 - pathlib costs 5 ms of every import
_HANDLED = ("exc_type", "exc_value", "exc_traceback")
_MARK = "_told_by_appconfig_provider"


def assert_never(value: NoReturn) -> NoReturn:
    """Say that a union has a case which nobody handles; a type checker says it before."""
    raise AssertionError(f"{type(value).__name__} is handled nowhere")


class EngineError(Exception):
    """Something the engine reports in its own words; the user is handed a public error.

    The message is printable and bounded, and holds no value of a setting: it may be logged.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, MAX_MESSAGE))

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses are made of more than their message, which is all that exceptions keep.
        return _remade, (type(self), self.args, vars(self))

    @abstractmethod
    def as_public(self) -> Exception:
        """Return the error that the user's `except` clauses know, chained to what caused it."""

    @property
    def foreign(self) -> bool:
        """True when the public error is one that somebody else has raised."""
        return False


def _remade(kind: type[EngineError], args: tuple[object, ...], kept: dict[str, Any]) -> EngineError:
    error = kind.__new__(kind, *args)
    vars(error).update(kept)
    return error


def public(
    error: Exception, as_public: Callable[[EngineError], Exception] | None = None
) -> Exception:
    """Return an error as the user is to see it.

    Our own words say all there is to say, so what led to them has no frames any more: these hold
    headers, bodies and settings, and error trackers show the locals of frames. Making a public
    error may import a library, which takes a free file descriptor. Where there is none, the
    engine's own error says the same. `as_public` makes it, where not the error itself does.
    """
    if not isinstance(error, EngineError):
        return error
    try:
        made = error.as_public() if as_public is None else as_public(error)
    except (OSError, ImportError):
        return error
    if not error.foreign:
        vars(made)[_MARK] = True
        # azure-core's errors keep what is being handled, which could not be pickled with them.
        vars(made).update({name: None for name in _HANDLED if name in vars(made)})
        theirs: BaseException | None = getattr(error, "original", None)
        ours = theirs is None or isinstance(theirs.__cause__, EngineError)
        drop_frames(error, but=None if ours else theirs)
    return made


def in_our_words(error: BaseException) -> bool:
    """Tell whether the text of an error is ours, so that it can be shown."""
    return isinstance(error, EngineError) or vars(error).get(_MARK) is True


def describe(error: BaseException) -> str:
    """Return what a log line may say of an error, frames included unless the words are ours."""
    if in_our_words(error):
        return printable(error, MAX_MESSAGE)
    places = [
        f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    theirs = [place for place in places if not place.startswith(_PACKAGE)] or places
    nearest = " < ".join(reversed(theirs[-MAX_FRAMES:]))
    return printable(type_of(error) + (f" raised at {nearest}" if nearest else ""), MAX_MESSAGE)


def shown(error: BaseException | None) -> str:
    """Return an error as a repr shows it: with its text only where the words are ours."""
    if error is None:
        return "None"
    return f"<{type_of(error)}{f': {describe(error)}' if in_our_words(error) else ''}>"


def type_of(error: BaseException) -> str:
    """Return the name of an error's type, with its module unless it is a builtin."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return printable(module + kind.__qualname__)


def name_of(function: Callable[..., object]) -> str:
    """Return the name of a user's function; its repr may show arguments bound to it."""
    while isinstance(function, partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None)
    return printable((f"{module}." if module else "") + str(getattr(named, "__qualname__", "?")))


def drop_frames(error: BaseException, *, but: BaseException | None = None) -> None:
    """Take the tracebacks from an error and from all it is chained to, `but` one and its chain.

    The chain itself stays. Besides cause, context and groups it follows what azure-core's errors
    keep of the error that was being handled when they were made.
    """
    spared = {id(link) for link in _chain(but)} if but is not None else set()
    for link in _chain(error):
        if id(link) not in spared:
            # Not by assignment: a class may refuse it, as frozen dataclasses do.
            BaseException.with_traceback(link, None)
            with suppress(Exception):
                if getattr(link, "exc_traceback", None) is not None:
                    link.exc_traceback = None  # type: ignore[attr-defined]  # azure-core's errors


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and all that it is chained to, each once; a chain may be a circle."""
    found: dict[int, BaseException] = {}
    left = [error]
    while left:
        link = left.pop()
        if id(link) not in found:
            found[id(link)] = link
            left += _linked(link)
    return list(found.values())


_LINKS = ("__cause__", "__context__", "inner_exception", "exc_value", "original")
_GROUPS = ("exceptions", "causes")


def _linked(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors that an error holds; its attributes may be anything, or raise."""
    kept: list[object] = []
    for name in _LINKS:
        with suppress(Exception):
            kept.append(getattr(error, name, None))
    for name in _GROUPS:
        with suppress(Exception):
            group = getattr(error, name, ())
            kept += group if isinstance(group, tuple | list) else ()
    return (one for one in kept if isinstance(one, BaseException))
