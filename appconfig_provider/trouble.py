"""Errors: those that the engine raises, those that the user gets, and what a log line says of them.

The message of an `EngineError` is the package's own and holds no value of a setting. Any other
error was raised by a function of the user: `validate`, a mapper, a resolver or a callback. Its text
may quote a value (pydantic's does). So only its type is logged, and where it was raised.

An error that is kept for `status` must not keep other objects alive. Its traceback has frames, and
these have the state of that time, which has the error before, and so on. `drop_frames` ends that.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from opcode import opmap
from traceback import walk_tb
from typing import Any, NoReturn

from appconfig_provider.texts import printable

MAX_MESSAGE = 4000
"""Characters of a message; each part from outside is far shorter."""
MAX_FRAMES = 5
"""How many frames of an error are logged: those nearest to where it was raised."""

_PACKAGE = os.path.dirname(__file__)  # noqa: PTH120 - pathlib costs 5 ms of every import
_HANDLED = ("exc_type", "exc_value", "exc_traceback")
_MARK = "_message_of_appconfig_provider"


def assert_never(value: NoReturn) -> NoReturn:
    """Raise for a case of a union that is not handled; a type checker finds it before."""
    raise AssertionError(f"{type(value).__name__} is handled nowhere")


class EngineError(Exception):
    """An error of the engine, with a message of its own; the user gets a public error instead.

    The message is printable and bounded, and holds no value of a setting: it may be logged.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, MAX_MESSAGE))

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled with their `args` alone, which here are only the message. So the
        # constructors of subclasses are not called again, and their attributes are copied.
        return _restored, (type(self), self.args, vars(self))

    @abstractmethod
    def as_public(self) -> Exception:
        """Return the error that the user's `except` clauses know, chained to what caused it."""

    @property
    def foreign(self) -> bool:
        """True when the public error was raised by code of the user, such as a credential."""
        return False


def _restored(
    kind: type[EngineError], args: tuple[object, ...], attributes: dict[str, Any]
) -> EngineError:
    error = kind.__new__(kind, *args)
    vars(error).update(attributes)
    return error


def public(
    error: Exception, as_public: Callable[[EngineError], Exception] | None = None
) -> Exception:
    """Return the error that the user gets; `as_public` makes it, if given, else the error itself.

    Errors of the package lose their frames, and so do the errors that they are chained to: frames
    hold headers, bodies and settings, and error trackers show them. The message says all that is
    needed. To make a public error a library may be imported, which needs a free file descriptor. If
    there is none, the engine's own error is returned, with the same message.
    """
    if not isinstance(error, EngineError):
        return error
    try:
        result = error.as_public() if as_public is None else as_public(error)
    except (OSError, ImportError):
        return error
    if not error.foreign:
        vars(result)[_MARK] = True
        # azure-core's errors keep the error that is being handled; it could not be pickled.
        vars(result).update({name: None for name in _HANDLED if name in vars(result)})
        theirs: BaseException | None = getattr(error, "original", None)
        ours = theirs is None or isinstance(theirs.__cause__, EngineError)
        drop_frames(error, but=None if ours else theirs)
    return result


def in_our_words(error: BaseException) -> bool:
    """Tell whether the message of an error is the package's own, so that it can be shown."""
    return isinstance(error, EngineError) or vars(error).get(_MARK) is True


def mark_own(error: BaseException) -> None:
    """Note that the message of an error is the package's own, if it is: a log line may show it.

    It is where a `raise` of this package raised it. What a function of the user raised has frames
    of the user, and what a builtin raised (`int("secret")`) was raised by no statement.
    """
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is None or not last.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        return
    if last.tb_frame.f_code.co_code[last.tb_lasti] == opmap["RAISE_VARARGS"]:
        vars(error)[_MARK] = True


def describe(error: BaseException) -> str:
    """Return what a log line says of an error: our own message, or the type and the frames."""
    if in_our_words(error):
        return printable(error, MAX_MESSAGE)
    error = _as_raised(error)
    places = [
        f"{frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    theirs = [place for place in places if not place.startswith(_PACKAGE)] or places
    nearest = " < ".join(reversed(theirs[-MAX_FRAMES:]))
    return printable(type_of(error) + (f" raised at {nearest}" if nearest else ""), MAX_MESSAGE)


def shown(error: BaseException | None) -> str:
    """Return an error for a repr: with its message only if that is our own."""
    if error is None:
        return "None"
    told = f": {describe(error)}" if in_our_words(error) else ""
    return f"<{type_of(_as_raised(error))}{told}>"


def _as_raised(error: BaseException) -> BaseException:
    """Return what a user's function raised.

    Plans are generators, and what leaves a generator as a StopIteration Python turns into another
    error.
    """
    cause = error.__cause__
    turned = isinstance(cause, StopIteration) and error.args in _TURNED
    return cause if turned and cause is not None else error


_TURNED = (("generator raised StopIteration",), ("coroutine raised StopIteration",))


def type_of(error: BaseException) -> str:
    """Return the name of an error's type, with its module unless it is a builtin."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return printable(module + kind.__qualname__)


def name_of(function: Callable[..., object]) -> str:
    """Return the name of a user's function; its repr would show the arguments of a `partial`."""
    while isinstance(function, partial):
        function = function.func
    named = function if hasattr(function, "__qualname__") else type(function)
    module = getattr(named, "__module__", None)
    return printable((f"{module}." if module else "") + str(getattr(named, "__qualname__", "?")))


def drop_frames(error: BaseException, *, but: BaseException | None = None) -> None:
    """Remove the tracebacks of an error and of all that it is chained to.

    The error `but`, and all that it is chained to, keep theirs. The chain itself stays. Besides
    cause, context and groups it consists of the attributes by which azure-core's errors keep the
    error that was being handled.
    """
    exempt = {id(link) for link in _chain(but)} if but is not None else set()
    for link in _chain(error):
        if id(link) not in exempt:
            # Not by assignment to `__traceback__`: frozen dataclasses refuse assignments.
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
    """Return the errors that an error refers to; its attributes may be anything, and may raise."""
    linked: list[object] = []
    for name in _LINKS:
        with suppress(Exception):
            linked.append(getattr(error, name, None))
    for name in _GROUPS:
        with suppress(Exception):
            group = getattr(error, name, ())
            linked += group if isinstance(group, tuple | list) else ()
    return (one for one in linked if isinstance(one, BaseException))
