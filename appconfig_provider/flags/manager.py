"""`FeatureManager`, for programs with threads."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

from appconfig_provider.flags.answers import details, value
from appconfig_provider.flags.context import NOBODY, PLAIN, TargetingContext
from appconfig_provider.flags.evaluation import UNKNOWN, Decision, EvaluationDetails, Variant
from appconfig_provider.flags.explain import explanation
from appconfig_provider.flags.filters import refused
from appconfig_provider.flags.index import Entry, Index
from appconfig_provider.flags.managing import Managing

T = TypeVar("T")


class FeatureManager(Managing):
    """Evaluates the feature flags of a configuration; may be used from any thread.

    `configuration` is what `load()` returns, a snapshot, or any Mapping with `feature_management`.
    `feature_filters` are objects with `name` and `evaluate(context, **keywords)`, such as
    subclasses of `FeatureFilter`. `on_feature_evaluated` is called with an `EvaluationEvent` after
    each evaluation of a flag with telemetry. `targeting_context_accessor` is called for a context
    where a caller gives none and a flag needs one. An evaluation never raises for a flag's content
    or for an error of these functions, unless `strict` is True. `ignore_unknown_filters` leaves out
    filters that nobody knows, instead of turning their flags off; where all must match the flag is
    off even so.

    The evaluating methods take a flag's name, a context (`TargetingContext`, `User`, a user id),
    `ignore_case` for the names of groups in targeting, and keywords for custom filters.

    Raises:
        AttributeError: the configuration is no Mapping.
        ValueError: a filter has no name or no `evaluate`.
        TypeError: a function is asynchronous; only the manager of `flags.aio` can await it.
    """

    _awaits = False

    def is_enabled(
        self,
        feature_flag_id: str,
        context: object = None,
        ignore_case: bool = False,
        **keywords: Any,
    ) -> bool:
        """Tell whether a flag is on; one that is unknown, or cannot be evaluated, is off."""
        # A flag that is the same for everybody is answered here, without another call.
        try:
            index = self._index
            if self._read("feature_management") is index.source and not keywords:
                answer = index.answers[feature_flag_id]
                if answer is not None:
                    return answer
            else:
                index = self._follow(keywords)
        except KeyError:  # the name is unknown, or the Mapping has no flags
            index = self._follow(keywords)
        decision = self._decision(index, feature_flag_id, context, ignore_case, keywords)
        return decision.enabled

    def get_variant(
        self,
        feature_flag_id: str,
        context: object = None,
        ignore_case: bool = False,
        **keywords: Any,
    ) -> Variant | None:
        """Return the variant that a flag assigns to a context; None when it assigns none."""
        index = self._follow(keywords)
        return self._decision(index, feature_flag_id, context, ignore_case, keywords).variant

    def get_value(
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
        decision = self._decision(index, feature_flag_id, context, ignore_case, keywords)
        found: T = value(index.entry(feature_flag_id), decision, default)
        return found

    def evaluate(
        self,
        feature_flag_id: str,
        context: object = None,
        ignore_case: bool = False,
        **keywords: Any,
    ) -> EvaluationDetails:
        """Return everything about one evaluation: state, variant, reason, flag and error."""
        index = self._follow(keywords)
        known: EvaluationDetails | None = index.details.get(feature_flag_id)
        if known is not None:
            return known
        decision = self._decision(index, feature_flag_id, context, ignore_case, keywords)
        entry = index.entry(feature_flag_id)
        answer = details(entry, decision)
        if entry is not None and decision is entry.constant and not entry.telemetry:
            index.details[feature_flag_id] = answer
        return answer

    def evaluate_all(self, context: object = None) -> dict[str, EvaluationDetails]:
        """Return the details of every flag by its name, all of one generation; no telemetry."""
        index = self._follow()
        found = {}
        for name in self._names(index):
            entry = index.entry(name)
            if entry is None:  # only a test has it
                found[name] = details(None, self._overrides.decision(name) or UNKNOWN)
            else:
                if entry.needs_context and context is None:
                    context = self._asked(name)
                found[name] = details(entry, self._decided(entry, context, None))
        return found

    def explain(self, feature_flag_id: str, context: object = None) -> str:
        """Return why a flag is on or off for a context, in lines for people; no telemetry.

        It names the user, the groups and the variant, and shows no values.
        """
        entry = self._follow().entry(feature_flag_id)
        shown = self._context(
            self._asked(feature_flag_id) if context is None else context, {}, ignore_case=False
        )
        trace: list[str] = []
        if entry is None:
            decision = self._overrides.decision(feature_flag_id) or UNKNOWN
        else:
            decision = self._decided(entry, shown, trace)
        return explanation(feature_flag_id, shown, decision, trace)

    def decide(
        self,
        index: Index,
        name: str,
        context: TargetingContext | None,
        attributes: Mapping[str, Any],
    ) -> Decision:
        """Return the decision about a flag of `current()`, with telemetry; for integrations.

        Without a context the accessor is asked. `attributes` go to filters of the program.
        """
        entry = index.entries.get(name)
        if (
            entry is None
            or entry.telemetry
            or context is None
            or self._overrides.active
            or self._takes_keywords
        ):
            keywords = self._passed_on(attributes) if self._takes_keywords else {}
            return self._decision(index, name, context, False, keywords)  # noqa: FBT003
        try:
            return entry.evaluate(context, None)  # as nearly always, without another call
        except Exception as error:
            return self._failed(entry, error)

    # One evaluation --------------------------------------------------------------------------

    def _decision(
        self,
        index: Index,
        name: str,
        context: Any,
        ignore_case: bool,
        keywords: dict[str, Any],
    ) -> Decision:
        """Evaluate one flag, and tell it if the flag has telemetry."""
        entry = index.entries.get(name) or index.entry(name)
        if entry is None or self._overrides.active:
            decision = self._without_rules(name, entry, index)
            if decision is not None or entry is None:
                return decision or UNKNOWN
        if entry.needs_context:
            if context is None:
                context = self._asked(name)
            if (
                keywords
                or ignore_case
                or context.__class__ is not TargetingContext
                or context[0].__class__ is not str
                or context[1].__class__ not in PLAIN
            ):
                context = self._context(context, keywords, ignore_case=ignore_case)
        try:
            decision = entry.evaluate(context, None)
        except Exception as error:  # a flag's content must not break a request
            if self._context_failed(error, context):
                return self._decision(index, name, NOBODY, ignore_case, keywords)
            return self._failed(entry, error)
        if entry.telemetry:
            self._tell(entry, decision, context)
        return decision

    def _decided(self, entry: Entry, context: Any, trace: list[str] | None) -> Decision:
        """Evaluate one flag for somebody who only looks."""
        decision = self._overrides.decision(entry.name)
        if decision is not None:
            return decision
        context = self._context(NOBODY if context is None else context, {}, ignore_case=False)
        try:
            return entry.evaluate(context, trace)
        except Exception as error:
            if self._context_failed(error, context):
                return self._decided(entry, NOBODY, trace)
            return self._failed(entry, error)

    def _asked(self, name: str) -> object:
        """Return the context of the accessor; an empty one when there is none."""
        if self._accessor is None:
            return NOBODY
        try:
            given = self._accessor()
        except Exception as error:
            self._accessor_failed(name, error)
            return NOBODY
        if inspect.isawaitable(given):
            refused(given, partial(self._accessor_failed, name))
            return NOBODY
        return self._from_accessor(given)

    def _tell(self, entry: Entry, decision: Decision, context: Any) -> None:
        """Call the callback with an event."""
        try:
            answer = self._on_evaluated(self._event(entry, decision, context))
        except Exception as error:
            self._callback_failed(entry.name, error)
            return
        if answer is not None and inspect.isawaitable(answer):
            refused(answer, partial(self._callback_failed, entry.name))
