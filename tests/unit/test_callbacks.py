"""How a callback is called: decided once, when it is registered, by what it requires."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, create_autospec

import pytest

from appconfig_provider import load
from appconfig_provider._live.callbacks import Callback, error_callbacks, success_callbacks

NOWHERE = "Endpoint=http://127.0.0.1:1;Id=i;Secret=c2VjcmV0"
NEWS = object()


def none() -> None: ...
def one(news: object) -> None: ...
def one_positional_only(news: object, /) -> None: ...
def one_and_more(news: object, more: int = 1, *rest: object, name: str = "") -> None: ...
def optional(news: object = None) -> None: ...
def any_number(*rest: object) -> None: ...
def named_only(*, name: str = "") -> None: ...
def anything(*rest: object, **names: object) -> None: ...
def one_and_any(news: object, *rest: object) -> None: ...
def two(news: object, more: object) -> None: ...


class Listener:
    """A class with callbacks of every kind in it."""

    def none(self) -> None: ...
    def one(self, news: object) -> None: ...
    @staticmethod
    def static_one(news: object) -> None: ...
    @classmethod
    def class_one(cls, news: object) -> None: ...
    def __call__(self, news: object) -> None: ...


class Event:
    """A class that is itself the callback: calling it makes an instance."""

    def __init__(self, news: object) -> None:
        self.news = news


class IterableCallable:
    """A callable that could be taken for a list of callables."""

    def __iter__(self) -> Iterator[Callable[[], object]]:
        raise AssertionError("it was passed to be called")

    def __call__(self) -> None: ...


@functools.wraps(one)
def wrapped(*rest: object) -> None: ...


REQUIRES_ONE = {
    "function": one,
    "positional only": one_positional_only,
    "one and optional ones": one_and_more,
    "one and any number": one_and_any,
    "lambda": lambda news: news,
    "bound method": Listener().one,
    "static method": Listener.static_one,
    "class method": Listener.class_one,
    "unbound method without arguments": Listener.none,
    "object with __call__": Listener(),
    "class": Event,
    "partial that leaves one": functools.partial(two, NEWS),
    "decorated": wrapped,
    "builtin of one": len,
    "bound builtin": [].append,
}
TAKES_ONE = {
    "optional": optional,
    "any number": any_number,
    "anything": anything,
    "print": print,
    "partial of an optional one": functools.partial(one_and_more, NEWS),
    "mock": MagicMock(),
}
TAKES_NONE = {
    "nothing": none,
    "names only": named_only,
    "lambda": lambda: None,
    "bound method": Listener().none,
    "partial that leaves none": functools.partial(one, NEWS),
    "partial by name": functools.partial(one_and_more, news=NEWS, more=2),
    "iterable": IterableCallable(),
    "spied": create_autospec(none),
}


def arguments(read: Callable[[Any], tuple[Callback, ...]], function: object) -> tuple[object, ...]:
    """Return what a function is called with when there is news."""
    (callback,) = read(function)
    return callback.arguments(NEWS)


@pytest.mark.parametrize("function", REQUIRES_ONE.values(), ids=REQUIRES_ONE)
def test_a_function_that_requires_one_argument_gets_the_news(function: object) -> None:
    """Success and error callbacks alike get the news where one positional argument is required."""
    assert arguments(success_callbacks, function) == (NEWS,)
    assert arguments(error_callbacks, function) == (NEWS,)


@pytest.mark.parametrize("function", TAKES_ONE.values(), ids=TAKES_ONE)
def test_a_function_that_could_take_the_news_gets_only_errors(function: object) -> None:
    """An optional argument is left alone by a success callback and filled by an error callback."""
    assert arguments(success_callbacks, function) == ()
    assert arguments(error_callbacks, function) == (NEWS,)


@pytest.mark.parametrize("function", TAKES_NONE.values(), ids=TAKES_NONE)
def test_a_function_that_takes_nothing_gets_nothing(function: object) -> None:
    """A function without positional parameters is called without arguments."""
    assert arguments(success_callbacks, function) == ()
    assert arguments(error_callbacks, function) == ()


def test_a_builtin_without_a_signature_gets_errors_and_no_change_sets() -> None:
    """Where nobody can tell what a callable takes, a required argument is not assumed."""

    class Opaque:
        def __call__(self, *rest: object) -> None: ...

        @property
        def __signature__(self) -> inspect.Signature:
            raise ValueError("no signature found")

    opaque = Opaque()
    with pytest.raises(ValueError, match="no signature"):
        inspect.signature(opaque)
    assert arguments(success_callbacks, opaque) == ()
    assert arguments(error_callbacks, opaque) == (NEWS,)


@pytest.mark.parametrize("read", [success_callbacks, error_callbacks])
@pytest.mark.parametrize("function", [two, functools.partial(two), isinstance])
def test_a_function_that_requires_two_arguments_is_refused(
    read: Callable[[Any], object], function: object
) -> None:
    """A function that could never be called is a TypeError at registration, not at a refresh."""
    with pytest.raises(TypeError, match=r"on_refresh_(success|error).* requires 2"):
        read(function)


def test_the_signature_is_asked_once() -> None:
    """What the function looks like later does not change how it is called."""
    spy = Mock()
    spy.__signature__ = inspect.signature(one)
    (callback,) = success_callbacks(spy)
    spy.__signature__ = inspect.signature(none)
    assert callback.arguments(NEWS) == (NEWS,)


@pytest.mark.parametrize("read", [success_callbacks, error_callbacks])
def test_several_callbacks_keep_their_order_and_their_own_rule(
    read: Callable[[Any], tuple[Callback, ...]],
) -> None:
    """A list, tuple, set or generator of callables registers each of them."""
    given = [none, one, none]
    for several in (given, tuple(given), iter(given), (function for function in given)):
        callbacks = read(several)
        assert [callback.function for callback in callbacks] == given
        assert [callback.arguments(NEWS) for callback in callbacks] == [(), (NEWS,), ()]


@pytest.mark.parametrize("read", [success_callbacks, error_callbacks])
@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_callbacks_are_none(read: Callable[[Any], object], nothing: object) -> None:
    """None and an empty list register nothing."""
    assert read(nothing) == ()


@pytest.mark.parametrize("read", [success_callbacks, error_callbacks])
@pytest.mark.parametrize("wrong", ["print", b"print", 5, [print, "print"], [None], [[print]]])
def test_what_cannot_be_called_is_refused(read: Callable[[Any], object], wrong: object) -> None:
    """Anything but a callable, or an iterable of them, is a TypeError that names the keyword."""
    with pytest.raises(TypeError, match="on_refresh_"):
        read(wrong)


def test_a_callable_that_is_iterable_is_called_and_not_iterated() -> None:
    """`callable()` is tested first: a Mock, for one, can be both."""
    for both in (IterableCallable(), MagicMock()):
        (callback,) = success_callbacks(both)
        assert callback.function is both


async def coroutine_none() -> None: ...
async def coroutine_one(news: object) -> None: ...


class AsyncListener:
    async def method(self) -> None: ...
    @staticmethod
    async def static() -> None: ...
    async def __call__(self) -> None: ...


COROUTINES: dict[str, Any] = {
    "function": coroutine_none,
    "function of one": coroutine_one,
    "bound method": AsyncListener().method,
    "static method": AsyncListener.static,
    "object with __call__": AsyncListener(),
    "partial": functools.partial(coroutine_one, NEWS),
    "partial of an object": functools.partial(AsyncListener()),
    "mock": AsyncMock(),
}


@pytest.mark.parametrize("keyword", ["on_refresh_success", "on_refresh_error"])
@pytest.mark.parametrize("function", COROUTINES.values(), ids=COROUTINES)
def test_the_sync_provider_refuses_coroutine_functions(keyword: str, function: Any) -> None:
    """A coroutine that nobody would await is a TypeError at once, which names the way out."""
    keywords: dict[str, Any] = {keyword: [print, function]}
    with pytest.raises(TypeError, match=r"appconfig_provider\.aio"):
        load(connection_string=NOWHERE, startup_timeout=0, **keywords)


@pytest.mark.parametrize("function", COROUTINES.values(), ids=COROUTINES)
def test_coroutine_functions_follow_the_same_rule_of_arguments(function: Any) -> None:
    """In aio a coroutine function gets the change set only where it requires an argument."""
    wanted = (NEWS,) if function is coroutine_one else ()
    assert arguments(success_callbacks, function) == wanted


@pytest.mark.parametrize("function", [none, Listener(), AsyncListener, print, Mock()])
def test_plain_callables_are_not_taken_for_coroutine_functions(function: Any) -> None:
    """A class whose instances are awaitable to call is itself called like any other."""
    (callback,) = success_callbacks(function)
    assert not callback.is_coroutine
    assert not inspect.iscoroutinefunction(function)
