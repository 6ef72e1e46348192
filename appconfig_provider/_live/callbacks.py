"""How a user's callback wants to be called: decided once, when it is registered."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.selectors import key_matcher
from appconfig_provider.texts import argument
from appconfig_provider.trouble import name_of

if TYPE_CHECKING:
    from appconfig_provider.snapshot import ChangeSet

SuccessCallback: TypeAlias = "Callable[[], object] | Callable[[ChangeSet], object]"
ErrorCallback: TypeAlias = "Callable[[], object] | Callable[[Exception], object]"
OnSuccess: TypeAlias = "SuccessCallback | Iterable[SuccessCallback]"
OnError: TypeAlias = "ErrorCallback | Iterable[ErrorCallback]"


@dataclass(frozen=True, slots=True)
class Callback:
    """A user's function, and whether it is called with an argument or with none."""

    function: Callable[..., object]
    wants_argument: bool

    def arguments(self, argument: object) -> tuple[object, ...]:
        """Return the arguments to call the function with: this one, or none."""
        return (argument,) if self.wants_argument else ()

    @property
    def is_coroutine(self) -> bool:
        """True when calling it gives a coroutine, which only `aio` can await."""
        return is_coroutine_function(self.function)


class Subscription:
    """A function that is called when keys change, until `cancel()`; also a `with` block."""

    __module__ = "appconfig_provider"
    __slots__ = ("_active", "_forget", "_matches", "callback")

    def __init__(
        self,
        callback: SuccessCallback,
        key_filter: str,
        forget: Callable[[Subscription], None],
    ) -> None:
        (self.callback,) = callbacks_of("callback", [callback])
        self._matches = key_matcher(key_filter)
        self._forget = forget
        self._active = True

    def cancel(self) -> None:
        """Stop calling the function; a second call of `cancel` does nothing."""
        self._active = False
        self._forget(self)

    def relevant(self, changes: ChangeSet) -> ChangeSet | None:
        """Return the changes of keys that match the filter; None when there are none."""
        return (changes.of(self._matches) or None) if self._active else None

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


def success_callbacks(given: OnSuccess | None) -> tuple[Callback, ...]:
    """Read `on_refresh_success`."""
    return callbacks_of("on_refresh_success", given)


def callbacks_of(name: str, given: OnSuccess | None) -> tuple[Callback, ...]:
    """Read success callbacks; those that require an argument get the `ChangeSet`."""
    return tuple(
        Callback(function, _required(name, function) == 1) for function in _functions(name, given)
    )


def error_callbacks(given: OnError | None) -> tuple[Callback, ...]:
    """Read `on_refresh_error`; every function that can take an argument gets the exception."""
    functions = _functions("on_refresh_error", given)
    return tuple(accepting("on_refresh_error", function) for function in functions)


def accepting(name: str, function: Callable[..., object]) -> Callback:
    """Return a function that gets the argument if it can take one."""
    return Callback(function, _required(name, function) == 1 or _accepts(function))


def _functions(name: str, given: object) -> list[Callable[..., object]]:
    if given is None:
        return []
    # Asked before "is it iterable?": a callable object may be iterable too, but is to be called.
    if callable(given):
        return [given]
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise TypeError(f"{name} takes a function or a list of functions, not {argument(given)}")
    functions = list(given)
    for function in functions:
        if not callable(function):
            raise TypeError(f"{name}: {argument(function)} cannot be called")
    return functions


def _positional(function: Callable[..., object]) -> list[inspect.Parameter] | None:
    """Return the parameters that take positional arguments; None where no signature is known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return None
    if any(p.kind is p.KEYWORD_ONLY and p.default is p.empty for p in parameters):
        raise TypeError(
            f"{name_of(function)} requires a keyword; a callback gets one argument or none"
        )
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    rest = inspect.Parameter.VAR_POSITIONAL
    return [p for p in parameters if p.kind in kinds or p.kind is rest]


def _required(name: str, function: Callable[..., object]) -> int:
    positional = _positional(function) or []
    needed = [
        parameter
        for parameter in positional
        if parameter.default is parameter.empty
        and parameter.kind is not inspect.Parameter.VAR_POSITIONAL
    ]
    if len(needed) > 1:
        raise TypeError(
            f"{name}: {name_of(function)} requires {len(needed)} arguments; it gets one or none"
        )
    return len(needed)


def _accepts(function: Callable[..., object]) -> bool:
    positional = _positional(function)
    return positional is None or bool(positional)
