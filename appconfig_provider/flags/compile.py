"""Microsoft's flags, compiled: a flag's JSON becomes an evaluator.

The order is that of all public libraries: the switch, then the filters, then the allocation of
variants, then the override of the variant that was assigned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from appconfig_provider.flags.allocation import Allocator, Variants, allocator_of
from appconfig_provider.flags.evaluation import (
    DISABLED,
    MATCHED,
    NOT_MATCHED,
    ON,
    SPLIT_AGAINST,
    SPLIT_FOR,
    Decision,
    Evaluator,
    InvalidFlag,
    Match,
    Trace,
    VariantAssignmentReason,
)
from appconfig_provider.flags.filters import Rules, filter_evaluator
from appconfig_provider.flags.index import Entry
from appconfig_provider.flags.schema import FeatureFlag
from appconfig_provider.trouble import describe, drop_frames

Compiled: TypeAlias = "tuple[Evaluator, Decision | None, bool]"
"""An evaluator, the decision where it is the same for every context, whether a context is asked."""


_new = tuple.__new__  # see `schema`


class Compiler:
    """Compiles the flags of a manager.

    It does not know the manager: an index keeps it, and what a manager's index refers to must not
    refer to the manager. A manager that is done with is freed at once then, with its thousands of
    evaluators, and not when the garbage collector comes to it.
    """

    __slots__ = ("_rules", "_told")

    def __init__(self, rules: Rules, *, told: bool) -> None:
        """Take the rules, and whether somebody is told of evaluations."""
        self._rules = rules
        self._told = told

    def entry(self, name: str, raw: Any) -> Entry:
        """Return a flag as an index keeps it."""
        try:
            flag = FeatureFlag.convert_from_json(raw)
            evaluate, constant, asks = compile_flag(flag, self._rules)
        except Exception as error:  # one flag must not keep others from being evaluated
            return _unusable(name, raw, error)
        telemetry = self._told and flag.telemetry.enabled
        return _new(Entry, (name, raw, flag, evaluate, constant, asks or telemetry, telemetry))


def _unusable(name: str, raw: Any, error: Exception) -> Entry:
    known = error if isinstance(error, InvalidFlag) else InvalidFlag(describe(error))
    drop_frames(known)

    def evaluate(_context: Any, _trace: Any) -> Decision:
        raise known.again()

    return Entry(name, raw, None, evaluate, None, needs_context=False, telemetry=False)


def compile_flag(flag: FeatureFlag, rules: Rules) -> Compiled:
    """Compile a flag."""
    enabled, references, filters = flag.enabled, flag.variants, flag.conditions.client_filters
    if not references:
        if not enabled:
            return _OFF
        return (_conditions(flag, rules), None, _asks_who(filters, rules)) if filters else _ON
    variants = Variants(references)
    if not enabled:
        default = flag.allocation.default_when_disabled if flag.allocation else None
        return _constant(variants.disabled(default))
    allocator = allocator_of(flag, variants)
    if filters:
        needs_context = _allocates(allocator) or _asks_who(filters, rules)
        return _filtered(flag, rules, variants, allocator), None, needs_context
    if _allocates(allocator):
        return allocator.evaluator(), None, True
    return _constant(allocator.default[Match.STATIC])


def _constant(decision: Decision) -> Compiled:
    return (lambda _context, _trace: decision), decision, False


_OFF = _constant(DISABLED)
_ON = _constant(ON)


def _asks_who(filters: Sequence[Mapping[str, Any]], rules: Rules) -> bool:
    """Tell whether a filter looks at the context; time windows do not."""
    if len(filters) == 1:
        return filters[0]["name"] not in rules.windows
    return any(one["name"] not in rules.windows for one in filters)


def _allocates(allocator: Allocator) -> bool:
    return bool(allocator.users or allocator.groups or allocator.shares)


def _filtered(
    flag: FeatureFlag, rules: Rules, variants: Variants, allocator: Allocator
) -> Evaluator:
    """Return the evaluator of a flag with filters and variants."""
    matches = _conditions(flag, rules)
    default = flag.allocation.default_when_disabled if flag.allocation else None
    reason = VariantAssignmentReason.DEFAULT_WHEN_DISABLED
    off = {
        match: variants.decision(default, reason, match, on=False)
        for match in (Match.DEFAULT, Match.SPLIT)
    }

    def evaluate(context: Any, trace: Trace) -> Decision:
        filtered = matches(context, trace)
        if filtered.enabled:
            return allocator.assign(context, filtered.match, trace)
        return off[filtered.match]

    return evaluate


def _conditions(flag: FeatureFlag, rules: Rules) -> Evaluator:
    """Return what the filters of a flag decide."""
    filters = flag.conditions.client_filters
    if len(filters) == 1:
        only = filter_evaluator(filters[0], flag.name, rules)
        return only or (lambda _context, _trace: NOT_MATCHED)
    found = [(one, filter_evaluator(one, flag.name, rules)) for one in filters]
    if flag.conditions.requirement_type == "All":
        return _all(found)
    return _any([(one, matches) for one, matches in found if matches is not None])


Found = tuple[Mapping[str, Any], Evaluator]


def _any(found: list[Found]) -> Evaluator:
    """Match when one filter matches; the others are not asked then."""

    def evaluate(context: Any, trace: Trace) -> Decision:
        result = NOT_MATCHED
        for given, matches in found:
            if trace is not None:
                trace.append(f"any of the filters: {given['name']}")
            decision = matches(context, trace)
            if decision.enabled:
                return decision
            if decision is SPLIT_AGAINST:
                result = decision
        return result

    return evaluate


def _all(found: list[tuple[Mapping[str, Any], Evaluator | None]]) -> Evaluator:
    """Match when every filter matches; after the first that does not no other is asked."""

    def evaluate(context: Any, trace: Trace) -> Decision:
        result = MATCHED
        for given, matches in found:
            if trace is not None:
                trace.append(f"all of the filters: {given['name']}")
            if matches is None:  # a filter that nobody knows
                return NOT_MATCHED
            decision = matches(context, trace)
            if not decision.enabled:
                return decision
            if decision is SPLIT_FOR:
                result = decision
        return result

    return evaluate
