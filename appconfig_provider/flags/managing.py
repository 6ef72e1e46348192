"""What the managers for threads and for asyncio share: all that never waits.

The state is one attribute: an index, which knows the source that it was built from. Whoever
evaluates compares that source with the one of the Mapping, by identity, and builds another index
when they differ. Two threads may do so at once; whichever is stored last, it knows its own source,
and the next evaluation compares again. So there is no lock, and no flag of another source counts.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.flags.compile import Compiler
from appconfig_provider.flags.context import (
    NOBODY,
    OneGroup,
    TargetingContext,
    WrongContext,
    request,
    targeting_context,
    wrong_group,
)
from appconfig_provider.flags.evaluation import (
    UNKNOWN,
    Decision,
    InvalidFlag,
    Match,
)
from appconfig_provider.flags.filters import (
    Surroundings,
    registered,
    rules_of,
    takes_keywords,
)
from appconfig_provider.flags.index import (
    FEATURE_MANAGEMENT,
    Entry,
    Index,
    flags_by_name,
    unaskable,
)
from appconfig_provider.flags.overriding import Overrides, Overriding
from appconfig_provider.flags.reporting import Reporter
from appconfig_provider.flags.sources import reader_of, source_of, time_of
from appconfig_provider.flags.telemetry import EvaluationEvent
from appconfig_provider.models import FLAG_PREFIX
from appconfig_provider.texts import kind_of
from appconfig_provider.trouble import name_of, type_of

T = TypeVar("T")
ManagerT = TypeVar("ManagerT", bound="Managing")

_PARAMETERS = frozenset({"self", "context"})
"""What a filter's `evaluate` is given by its place, so that no keyword may have that name."""
_NOTHING = object()
"""Stands for no source at all, so that the next evaluation looks for one."""


class Managing:
    """The flags of a Mapping, and how they are evaluated."""

    _awaits: ClassVar[bool]
    """True when functions of the program may be asynchronous."""
    _pinned = False
    """True for a manager of one snapshot, which is no new generation of what another one logs."""

    def __init__(
        self,
        configuration: Mapping[str, Any],
        *,
        feature_filters: Iterable[Any] = (),
        on_feature_evaluated: Callable[[Any], object] | None = None,
        targeting_context_accessor: Callable[[], object] | None = None,
        strict: bool = False,
        ignore_unknown_filters: bool = False,
    ) -> None:
        if not isinstance(configuration, Mapping):
            raise AttributeError(f"configuration must be a Mapping, not {kind_of(configuration)}")
        self._filters = registered(feature_filters or (), awaits=self._awaits)
        self._takes_keywords = takes_keywords(self._filters)
        self._on_evaluated = self._function("on_feature_evaluated", on_feature_evaluated)
        self._accessor = self._function("targeting_context_accessor", targeting_context_accessor)
        self._reporter = Reporter(strict=strict)
        around = Surroundings(time_of(configuration), self._reporter, self._awaits)
        rules = rules_of(self._filters, around, ignore_unknown=ignore_unknown_filters)
        self._overrides = Overrides()
        self._of(configuration)
        compiler = Compiler(rules, told=self._on_evaluated is not None)
        self._index = Index(_NOTHING, {}, compiler.entry, {})

    def _of(self, configuration: Mapping[str, Any]) -> None:
        self._configuration = configuration
        self._read = reader_of(configuration)

    def _function(self, name: str, given: Any) -> Any:
        """Return a function of the program, or None.

        Raises:
            TypeError: it cannot be called, or not be awaited here.
        """
        if given is None or callable(given):
            if given is None or self._awaits or not is_coroutine_function(given):
                return given
            raise TypeError(
                f"{name}: {name_of(given)} is asynchronous; "
                "use FeatureManager of appconfig_provider.flags.aio"
            )
        raise TypeError(f"{name} must be a function, not {kind_of(given)}")

    # The index -------------------------------------------------------------------------------

    def _follow(self, keywords: Mapping[str, Any] = {}) -> Index:
        """Return the index of the flags that the Mapping has now; check what was passed on."""
        if keywords:
            self._check(keywords)
        try:
            read = self._read(FEATURE_MANAGEMENT)
        except KeyError:  # a configuration without flags
            read = None
        index = self._index
        if read is index.source:
            return index
        source = source_of(read)
        index = index.following(read, flags_by_name(source))
        self._reporter.passed_over(unaskable(source))
        overridden = bool(self._overrides.active)
        if overridden:
            index = index.unanswering()
        if not self._pinned:
            self._reporter.new_generation()
        self._index = index
        if overridden is not bool(self._overrides.active):
            # A block began or ended meanwhile, and this index was stored after it had looked.
            self._forget_answers()
        return index

    def _forget_answers(self) -> None:
        """Make the next evaluation look for the source, and for what tests override."""
        self._index.source = _NOTHING

    def _check(self, keywords: Mapping[str, Any]) -> None:
        wrong = [name for name in keywords if name in {"user", "groups"}]
        if wrong:
            raise TypeError(f"{wrong[0]!r} is no keyword: pass a TargetingContext or a user id")
        if not self._takes_keywords:
            raise TypeError(
                f"got an unexpected keyword argument {next(iter(keywords))!r}; keywords go to "
                "custom filters, and there are none"
            )

    # What integrations call ------------------------------------------------------------------

    @property
    def configuration(self) -> Mapping[str, Any]:
        """The Mapping whose flags are evaluated."""
        return self._configuration

    def current(self) -> Index:
        """Return the flags that there are now; `decide` answers about one of them."""
        index = self._index
        try:
            if self._read(FEATURE_MANAGEMENT) is index.source:
                return index
        except KeyError:
            pass
        return self._follow()

    @staticmethod
    def _passed_on(attributes: Mapping[Any, Any]) -> dict[str, Any]:
        """Return what filters of the program get of attributes that came with a context."""
        return {
            name: value
            for name, value in attributes.items()
            if isinstance(name, str) and name not in _PARAMETERS
        }

    # One evaluation --------------------------------------------------------------------------

    def _without_rules(self, name: str, entry: Entry | None, index: Index) -> Decision | None:
        """Return a decision that asks no rules: about an unknown flag, or an overridden one."""
        if self._overrides.active:
            decision = self._overrides.decision(name)
            if decision is not None:
                return decision
        if entry is not None:
            return None
        if self._reporter.unknown(name):
            index.answers[name] = False
        return UNKNOWN

    def _failed(self, entry: Entry, error: Exception) -> Decision:
        """Return the decision for a flag that cannot be evaluated; with `strict` it raises."""
        shown = error.as_public() if isinstance(error, InvalidFlag) else error
        if self._reporter.strict:
            raise shown from None
        self._reporter.bad_flag(entry.name, entry.raw, error)
        told = error.told if isinstance(error, InvalidFlag) else type_of(error)
        return Decision(Match.ERROR, error=shown, told=told, enabled=False)

    def _context(
        self, given: object, keywords: Mapping[str, Any], *, ignore_case: bool
    ) -> TargetingContext:
        """Return a context as evaluators take it."""
        known = self._known("a context", given)
        if keywords or ignore_case or self._awaits:
            return request(known, keywords, ignore_case=ignore_case)
        return known

    def _known(self, what: str, given: object) -> TargetingContext:
        """Return user and groups of a context; those of nobody for what cannot be used."""
        try:
            known = targeting_context(given)
            if known is None:
                raise WrongContext(
                    "it must be a user id, a TargetingContext, a User or any object with user_id "
                    f"and groups, not {kind_of(given)}"
                )
        except Exception as error:
            self._reporter.bad_context(what, error)
            return NOBODY
        if known[1].__class__ is OneGroup:
            self._reporter.context(
                f"the groups of {what} are a text, which is one group; pass a list"
            )
        return known

    def _from_accessor(self, given: object) -> TargetingContext:
        """Return the context that the accessor gave; None, and what is no context, is nobody."""
        if given is None:
            return NOBODY
        return self._known("what targeting_context_accessor returns", given)

    def _context_failed(self, error: Exception, context: Any) -> bool:
        """Tell whether an evaluation failed because of its context; that is told, once.

        It is looked at only now: who asks for a flag should not pay for looking at each group.
        """
        wrong = None if isinstance(error, InvalidFlag) else wrong_group(context)
        if wrong is not None:
            self._reporter.bad_context("a context", wrong)
        return wrong is not None

    def _accessor_failed(self, name: str, error: Exception) -> None:
        """Log an error of the accessor; with `strict` it is raised."""
        what = f"targeting_context_accessor {name_of(self._accessor)}"
        self._reporter.user_error(name, what, error)

    def _callback_failed(self, name: str, error: Exception) -> None:
        """Log an error of the callback; with `strict` it is raised."""
        what = f"on_feature_evaluated {name_of(self._on_evaluated)}"
        self._reporter.user_error(name, what, error)

    def _event(self, entry: Entry, decision: Decision, context: Any) -> EvaluationEvent:
        event = EvaluationEvent(entry.flag)
        event.user = context[0]
        event.enabled = decision.enabled
        event.variant = decision.variant
        event.reason = decision.reason
        return event

    # What users call, and what never waits -------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of the flags, each once, in the order of the list.

        Flags that a test overrides are among them, at the end if they are not loaded.
        """
        return self._names(self._follow())

    def _names(self, index: Index) -> list[str]:
        names = [name for name in index.flags if isinstance(name, str)]
        overridden = self._overrides.names() if self._overrides.active else ()
        return list(dict.fromkeys([*names, *overridden]))

    list_feature_flag_names = names

    def on_change(self, name: str) -> Callable[[T], T]:
        """Decorate a function that is to be called when a flag changes; see `subscribe`.

        Raises:
            TypeError: the flags are those of a plain Mapping, which tells no changes.
        """
        on_change = getattr(self._configuration, "on_change", None)
        if on_change is None:
            raise TypeError(
                f"{kind_of(self._configuration)} tells no changes; on_change() needs the provider "
                "that load() returns"
            )
        decorator: Callable[[T], T] = on_change(FLAG_PREFIX + re.sub(r"([\\*,])", r"\\\1", name))
        return decorator

    def overriding(self, flags: Mapping[str, Any], everywhere: bool = False) -> Overriding:
        """Return a `with` block in which flags are overridden, for tests.

        `{"Beta": True}` turns a flag on or off, and any other value is that of a variant. It counts
        in the thread or task that enters the block, and in tasks that are begun there, or
        `everywhere`. Overridden evaluations have no telemetry. The block may be entered again.

        Raises:
            TypeError: `flags` is no dict with names as keys.
        """
        return Overriding(self._overrides, flags, self._forget_answers, everywhere=everywhere)

    def of(self: ManagerT, snapshot: Mapping[str, Any]) -> ManagerT:  # noqa: PYI019 - as PYI034
        """Return a manager of the same rules for one snapshot, for reads that must agree.

        Raises:
            TypeError: it is no Mapping.
        """
        if not isinstance(snapshot, Mapping):
            raise TypeError(f"of() takes a snapshot or a Mapping of flags, not {kind_of(snapshot)}")
        pinned = copy.copy(self)
        pinned._pinned = True
        pinned._overrides = Overrides(self._overrides.active)
        pinned._of(snapshot)
        return pinned


# Python's error about a wrong keyword names the function, and users know only this name.
Managing.__init__.__qualname__ = "FeatureManager.__init__"
