"""`FeatureManager` for asyncio: filters, accessor and callback may be asynchronous.

The rules are those of `appconfig_provider.flags`, evaluated by the same code. Where an evaluation
comes to a filter that must be awaited it stops, the filter is awaited here, and the evaluation
begins again with its answer. No filter is asked twice, or asked that the rules do not come to.
"""

from __future__ import annotations

import copy
import inspect
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, TypeVar

from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.flags.answers import details, value
from appconfig_provider.flags.context import NOBODY, TargetingContext, request
from appconfig_provider.flags.evaluation import UNKNOWN, Decision, EvaluationDetails, Variant
from appconfig_provider.flags.explain import explanation
from appconfig_provider.flags.filters import (
    TARGETING,
    TIME_WINDOW,
    Awaited,
    NamedFilter,
    asking,
    closed,
)
from appconfig_provider.flags.filters import TargetingFilter as _TargetingFilter
from appconfig_provider.flags.filters import TimeWindowFilter as _TimeWindowFilter
from appconfig_provider.flags.index import Entry, Index
from appconfig_provider.flags.managing import Managing
from appconfig_provider.flags.reporting import NotAwaited

__all__ = ["FeatureFilter", "FeatureManager", "TargetingFilter", "TimeWindowFilter"]

T = TypeVar("T")

NOT_AWAITED = "a function has to be awaited; use the client's methods with _async"


class Refused(NotAwaited):
    """Something would have to be awaited where nothing can be; not an error of the program."""


class FeatureFilter(NamedFilter):
    """A filter of a program that waits."""

    @abstractmethod
    async def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
        """Tell whether the filter matches; see `appconfig_provider.flags.FeatureFilter`."""


@NamedFilter.alias(TIME_WINDOW)
class TimeWindowFilter(FeatureFilter):
    """The filter that is built in for time windows."""

    built_in = TIME_WINDOW

    async def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
        """Tell whether it is time, by the machine's clock."""
        return _TimeWindowFilter().evaluate(context, **kwargs)


@NamedFilter.alias(TARGETING)
class TargetingFilter(FeatureFilter):
    """The filter that is built in for targeting."""

    built_in = TARGETING

    async def evaluate(self, context: Mapping[str, Any], **kwargs: Any) -> bool:
        """Tell whether `user` or one of `groups` belongs to the audience."""
        return _TargetingFilter().evaluate(context, **kwargs)


class FeatureManager(Managing):
    """Evaluates the feature flags of a configuration, for programs with asyncio.

    The keywords are those of `appconfig_provider.flags.FeatureManager`. Filters, callback and
    accessor may be asynchronous, and need not be.

    Raises:
        AttributeError: the configuration is no Mapping.
        ValueError: a filter has no name or no `evaluate`.
    """

    _awaits = True
    _refuses = False
    """True for the manager of who cannot wait."""

    async def is_enabled(
        self,
        feature_flag_id: str,
        context: object = None,
        ignore_case: bool = False,
        **keywords: Any,
    ) -> bool:
        """Tell whether a flag is on; one that is unknown, or cannot be evaluated, is off."""
        index = self._follow(keywords)
        answer = index.answers.get(feature_flag_id)
        if answer is not None:
            return answer
        decision = await self._decision(index, feature_flag_id, context, ignore_case, keywords)
        return decision.enabled

    async def get_variant(
        self,
        feature_flag_id: str,
        context: object = None,
        ignore_case: bool = False,
        **keywords: Any,
    ) -> Variant | None:
        """Return the variant that a flag assigns to a context; None when it assigns none."""
        index = self._follow(keywords)
        decision = await self._decision(index, feature_flag_id, context, ignore_case, keywords)
        return decision.variant

    async def get_value(
        self,
        feature_flag_id: str,
        default: T,
        context: object = None,
        ignore_case: bool = False,
        **keywords: Any,
    ) -> T:
        """Return the value of the variant that a flag assigns; `default` when there is none.

        The default also stands in for a value of another JSON type; with a default of None any
        value will do. The value of a flag without variants is whether it is on.
        """
        index = self._follow(keywords)
        decision = await self._decision(index, feature_flag_id, context, ignore_case, keywords)
        found: T = value(index.entry(feature_flag_id), decision, default)
        return found

    async def evaluate(
        self,
        feature_flag_id: str,
        context: object = None,
        ignore_case: bool = False,
        **keywords: Any,
    ) -> EvaluationDetails:
        """Return everything about one evaluation: state, variant, reason, flag and error."""
        index = self._follow(keywords)
        decision = await self._decision(index, feature_flag_id, context, ignore_case, keywords)
        return details(index.entry(feature_flag_id), decision)

    async def evaluate_all(self, context: object = None) -> dict[str, EvaluationDetails]:
        """Return the details of every flag by its name, all of one generation; no telemetry."""
        index = self._follow()
        found = {}
        for name in self._names(index):
            entry = index.entry(name)
            if entry is None:  # only a test has it
                found[name] = details(None, self._overrides.decision(name) or UNKNOWN)
            else:
                if entry.needs_context and context is None:
                    context = await self._asked(name)
                found[name] = details(entry, await self._decided(entry, context, None))
        return found

    async def explain(self, feature_flag_id: str, context: object = None) -> str:
        """Return why a flag is on or off for a context, in lines for people; no telemetry.

        It names the user, the groups and the variant, and shows no values.
        """
        entry = self._follow().entry(feature_flag_id)
        if context is None:
            context = await self._asked(feature_flag_id)
        shown = self._context(context, {}, ignore_case=False)
        trace: list[str] = []
        if entry is None:
            decision = self._overrides.decision(feature_flag_id) or UNKNOWN
        else:
            decision = await self._decided(entry, shown, trace)
        return explanation(feature_flag_id, shown, decision, trace)

    def refusing(self) -> FeatureManager:
        """Return the same manager for who cannot wait; for integrations.

        Its coroutines never wait. Instead of awaiting a function of the program they close what it
        returned, of which nothing has run then, and raise `NotAwaited`.
        """
        twin = copy.copy(self)
        twin._refuses = True
        return twin

    async def decide(
        self,
        index: Index,
        name: str,
        context: TargetingContext | None,
        attributes: Mapping[str, Any],
    ) -> Decision:
        """Return the decision about a flag of `current()`, with telemetry; for integrations.

        Without a context the accessor is asked. `attributes` go to filters of the program.

        Raises:
            NotAwaited: a function of the program has to be awaited, and this manager refuses that.
        """
        keywords = self._passed_on(attributes) if attributes and self._takes_keywords else {}
        return await self._decision(index, name, context, False, keywords)  # noqa: FBT003 - quicker

    # One evaluation --------------------------------------------------------------------------

    async def _decision(
        self,
        index: Index,
        name: str,
        context: Any,
        ignore_case: bool,
        keywords: dict[str, Any],
    ) -> Decision:
        """Evaluate one flag, and tell it if the flag has telemetry."""
        entry = index.entry(name)
        decision = self._without_rules(name, entry, index)
        if decision is not None or entry is None:
            return decision or UNKNOWN
        if self._refuses and entry.telemetry and is_coroutine_function(self._on_evaluated):
            raise Refused(NOT_AWAITED)  # before anything of the program has run
        if context is None and entry.needs_context:
            context = await self._asked(name)
        context = self._context(
            NOBODY if context is None else context, keywords, ignore_case=ignore_case
        )
        decision = await self._evaluated(entry, context, None)
        if entry.telemetry and decision.error is None:
            await self._tell(entry, decision, context)
        return decision

    async def _decided(self, entry: Entry, context: Any, trace: list[str] | None) -> Decision:
        """Evaluate one flag for somebody who only looks."""
        decision = self._overrides.decision(entry.name)
        if decision is not None:
            return decision
        context = self._context(NOBODY if context is None else context, {}, ignore_case=False)
        return await self._evaluated(entry, context, trace)

    async def _evaluated(self, entry: Entry, context: Any, trace: list[str] | None) -> Decision:
        """Evaluate one flag; begin again after each filter that had to be awaited."""
        try:
            while True:
                if trace is not None:
                    trace.clear()
                try:
                    return entry.evaluate(context, trace)
                except Awaited as awaited:
                    self._check_waiting(awaited.answer)
                    context.answers[awaited.key] = await _answer(awaited)
        except Refused:
            raise
        except Exception as error:  # a flag's content must not break a request
            if self._context_failed(error, context):
                nobody = request(NOBODY, context.keywords, ignore_case=context.ignore_case)
                return await self._evaluated(entry, nobody, trace)
            return self._failed(entry, error)

    def _check_waiting(self, given: Any) -> None:
        """Refuse to await something, where nothing can be awaited."""
        if self._refuses:
            closed(given)
            raise Refused(NOT_AWAITED)

    async def _asked(self, name: str) -> object:
        """Return the context of the accessor; an empty one when there is none."""
        if self._accessor is None:
            return NOBODY
        try:
            given = self._accessor()
            if inspect.isawaitable(given):
                self._check_waiting(given)
                given = await given
        except Refused:
            raise
        except Exception as error:
            self._accessor_failed(name, error)
            return NOBODY
        return self._from_accessor(given)

    async def _tell(self, entry: Entry, decision: Decision, context: Any) -> None:
        """Call the callback with an event."""
        try:
            answer = self._on_evaluated(self._event(entry, decision, context))
            if answer is not None and inspect.isawaitable(answer):
                self._check_waiting(answer)
                await answer
        except Refused:
            raise
        except Exception as error:
            self._callback_failed(entry.name, error)


async def _answer(awaited: Awaited) -> bool:
    """Await a filter; an error is reported and counts as no match."""
    try:
        with asking(awaited.call):
            return bool(await awaited.answer)
    except Exception as error:
        awaited.failed(error)
        return False
