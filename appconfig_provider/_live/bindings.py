"""Bindings: values of a program's own types, which change together with the settings.

Theory. What a binding has in a generation lies with its snapshot, in `_bound`, by the key of the
binding. A refresh fills that in before it publishes the snapshot, so a reader finds the values and
what is bound to them in one state. Entries are only added, each by one `setdefault`, so no lock is
needed and all threads agree on one.

A binding can be made while a refresh runs. `bind` validates the published generation, registers,
and begins anew if another was published meanwhile. The refresh looks for bindings when it has built
its generation, and again after it has published it. So one of the two sees the other: a binding has
an entry in every generation that is published after it was made. Where it does not fit a generation
that is out already, its entry there is the value from before, and the error.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from appconfig_provider.snapshot import ConfigurationSnapshot, same
from appconfig_provider.trouble import EngineError, describe, drop_frames, public

if TYPE_CHECKING:
    from appconfig_provider._live.validation import Model, Subtree
    from appconfig_provider.nesting import Separator

logger = logging.getLogger("appconfig_provider")

T = TypeVar("T")
R = TypeVar("R")


class HasSnapshot(Protocol):
    """A state, as far as a binding reads it."""

    @property
    def snapshot(self) -> ConfigurationSnapshot:
        """The generation."""
        ...


class Current(Protocol):
    """What has a state in force."""

    @property
    def _state(self) -> HasSnapshot: ...

    def _current(self) -> HasSnapshot:
        """Return the state that a read answers from."""
        ...


@dataclass(frozen=True, slots=True)
class Bound(Generic[T]):
    """What a binding has in one generation."""

    subtree: Subtree
    value: T = field(repr=False)
    error: Exception | None = field(default=None, repr=False)
    """The public error of a generation that does not fit; the rest is from the one before it."""


class Binding(Generic[T]):
    """A value of your own type, made of the settings of the generation in force.

    `config.bind(...)` makes it; it keeps the configuration alive. Settings that stay the same give
    the same instance, which all threads share: use frozen models.
    """

    __module__ = "appconfig_provider"
    __slots__ = ("__weakref__", "_configuration", "_first", "_key", "_model")

    def __init__(
        self, configuration: Current, model: Model[T], snapshot: ConfigurationSnapshot
    ) -> None:
        self._configuration = configuration
        self._model = model
        self._key = object()
        self._first = snapshot._bound[self._key] = self._made(snapshot)
        """What it has until a published generation has something for it."""

    @property
    def value(self) -> T:
        """The instance of the generation in force; never waits, and needs no lock."""
        try:
            bound: Bound[T] = self._configuration._current().snapshot._bound[self._key]
        except KeyError:
            bound = self._first
        return bound.value

    def of(self, snapshot: ConfigurationSnapshot) -> T:
        """Return the instance of one generation, so that it agrees with other reads of it.

        Raises:
            BindingError: that generation was published before this binding, and does not fit it.
        """
        found: Bound[T] | None = snapshot._bound.get(self._key)
        if found is None:
            made = fitting(partial(self._made, snapshot))
            first: Bound[T] = snapshot._bound.setdefault(self._key, made)
            return first.value
        if found.error is not None:
            found = fitting(partial(self._made, snapshot))
        return found.value

    def __repr__(self) -> str:
        return f"<Binding {self._model!r}>"

    def carry(self, snapshot: ConfigurationSnapshot, before: ConfigurationSnapshot | None) -> None:
        """Put into a generation what this binding has in it; `before` is the one before.

        Raises:
            DoesNotFit: the generation does not fit the model.
            Exception: whatever a validator of the program raised.
        """
        if self._key not in snapshot._bound:
            last = None if before is None else self._last(before)
            snapshot._bound.setdefault(self._key, self._made(snapshot, last))

    def carry_late(
        self, snapshot: ConfigurationSnapshot, before: ConfigurationSnapshot
    ) -> Exception | None:
        """Do as `carry` for a generation that is published; keep, log and return an error."""
        try:
            self.carry(snapshot, before)
        except Exception as error:
            logger.warning(
                "version %d is published, but %r was made meanwhile and keeps its value: %s",
                snapshot.version,
                self,
                describe(error),
            )
            unfit, last = public(error), self._last(before)
            drop_frames(unfit)
            snapshot._bound.setdefault(self._key, Bound(last.subtree, last.value, unfit))
            return unfit
        return None

    def _last(self, before: ConfigurationSnapshot) -> Bound[T]:
        """Return what it has in a generation, or had before."""
        last: Bound[T] = before._bound.get(self._key, self._first)
        return last

    def _made(self, snapshot: ConfigurationSnapshot, last: Bound[T] | None = None) -> Bound[T]:
        """Return what it has in a generation: the same instance where nothing differs."""
        subtree = self._model.subtree(snapshot)
        if last is not None and same(last.subtree.content, subtree.content):
            return Bound(last.subtree, last.value)
        return Bound(subtree, self._model.validated(subtree, snapshot))


class Bindings:
    """The bindings of a configuration that somebody still holds."""

    __slots__ = ("_living",)

    def __init__(self) -> None:
        self._living: weakref.WeakValueDictionary[object, Binding[Any]]
        self._living = weakref.WeakValueDictionary()

    def add(self, binding: Binding[Any]) -> None:
        """Have each new generation validated for a binding; safe to call from any thread."""
        self._living[binding._key] = binding

    def remove(self, binding: Binding[Any]) -> None:
        """Forget a binding."""
        self._living.pop(binding._key, None)

    def checks(
        self, snapshot: ConfigurationSnapshot, before: ConfigurationSnapshot | None
    ) -> Iterator[Callable[[], None]]:
        """Yield what a refresh calls before it publishes a generation; one that raises refuses it.

        They call validators of the program, so they are invoked as its other functions are.
        """
        for binding in self._held():
            yield partial(binding.carry, snapshot, before)

    def catch_up(
        self, snapshot: ConfigurationSnapshot, before: ConfigurationSnapshot
    ) -> Exception | None:
        """Validate a published generation for bindings that came too late for `checks`.

        Returns the public error of the first that it does not fit.
        """
        late = [each for each in self._held() if each._key not in snapshot._bound]
        errors = [each.carry_late(snapshot, before) for each in late]
        return next(filter(None, errors), None)

    def error_in(self, snapshot: ConfigurationSnapshot) -> Exception | None:
        """Return why a published generation does not fit one of the bindings, for `status`."""
        bound = (snapshot._bound.get(each._key) for each in self._held())
        return next((one.error for one in bound if one is not None and one.error), None)

    def _held(self) -> list[Binding[Any]]:
        # `values()` would raise when another thread adds one meanwhile.
        found = (reference() for reference in self._living.valuerefs())
        return [each for each in found if each is not None]


def bind(
    configuration: Current, bindings: Bindings, arguments: tuple[Any, str, Separator, bool]
) -> Binding[Any]:
    """Validate the published generation for a new binding, and register that.

    Raises:
        BindingError: it does not fit.
    """
    from appconfig_provider._live.validation import Model

    kind, prefix, separator, case_sensitive = arguments
    model: Model[Any] = Model(kind, prefix, separator, case_sensitive=case_sensitive)
    snapshot = configuration._state.snapshot
    binding = fitting(partial(Binding, configuration, model, snapshot))
    while True:
        bindings.add(binding)
        before, snapshot = snapshot, configuration._state.snapshot
        if snapshot is before:
            return binding
        # It was published meanwhile, maybe by a refresh that did not know of the binding.
        try:
            fitting(partial(binding.carry, snapshot, before))
        except BaseException:
            # Not left to the collector: the traceback keeps the binding alive.
            bindings.remove(binding)
            raise


def fitting(call: Callable[[], R]) -> R:
    """Call; where a generation does not fit, raise the public error, which has no context."""
    try:
        return call()
    except EngineError as error:
        unfit = public(error)
    try:
        raise unfit
    finally:
        del unfit  # with its traceback it would be a circle
