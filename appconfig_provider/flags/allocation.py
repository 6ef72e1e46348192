"""The allocation of variants: who of those for whom a flag is on gets which one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from appconfig_provider.flags.evaluation import (
    Decision,
    Evaluator,
    Match,
    Trace,
    Variant,
    VariantAssignmentReason,
)
from appconfig_provider.flags.percentage import percentage
from appconfig_provider.flags.schema import Allocation, FeatureFlag, VariantReference

_NO_ALLOCATION = Allocation()
_OVERRIDES = {"Enabled": True, "Disabled": False}


class Variants:
    """The variants of a flag; makes the decisions that assign them."""

    __slots__ = ("_defined",)

    def __init__(self, references: Iterable[VariantReference]) -> None:
        self._defined: dict[str | None, tuple[Variant, bool | None]] = {}
        for one in references:
            if one.name is not None and one.name not in self._defined:
                override = one.status_override
                self._defined[one.name] = (
                    Variant(one.name, one.configuration_value),
                    _OVERRIDES.get(override) if isinstance(override, str) else None,
                )

    def decision(
        self, name: str | None, reason: VariantAssignmentReason, match: Match, *, on: bool
    ) -> Decision:
        """Return the decision for a variant; one that is not defined gives none."""
        variant, override = self._defined.get(name, (None, None))
        enabled = on if override is None else override
        return Decision(match, variant, reason, enabled=enabled)

    def disabled(self, name: str | None) -> Decision:
        """Return the decision for a flag that is disabled, which no override can turn on."""
        variant, _ = self._defined.get(name, (None, None))
        reason = VariantAssignmentReason.DEFAULT_WHEN_DISABLED
        return Decision(Match.DISABLED, variant, reason, enabled=False)


class Shares(NamedTuple):
    """The ranges of percentages, and the hint of the hash."""

    hint: str
    ranges: tuple[tuple[float, float, Decision], ...]
    splits: bool
    """True when some range is neither empty nor everything."""

    def find(self, user: str, trace: Trace) -> Decision | None:
        """Return the decision of the first range that a user falls into."""
        place = percentage(user, self.hint)
        if trace is not None:
            trace.append(f"allocation: the user is at {place:.4f} %")
        for begin, end, decision in self.ranges:
            if begin <= place and (place < end or place == end == 100):
                return decision
        return None


class Allocator(NamedTuple):
    """An allocation with the decisions made."""

    users: dict[str, Decision]
    groups: dict[str, tuple[int, Decision]]
    """Groups with the place of their entry: the first entry that has one of the groups counts."""
    shares: Shares | None
    default: dict[Match, Decision]
    """The decision of `default_when_enabled`, by how the flag was turned on."""

    def assign(self, context: Any, turned_on: Match, trace: Trace) -> Decision:
        """Return the decision for a context for which the flag is on."""
        user, groups = context
        decision = self.users.get(user) if user else None
        if decision is None and groups and self.groups:
            entries = [self.groups[group] for group in groups if group in self.groups]
            if entries:
                decision = min(entries, key=_place)[1]
        if decision is None and self.shares is not None:
            decision = self.shares.find(user, trace)
        return self.default[turned_on] if decision is None else decision

    def evaluator(self) -> Evaluator:
        """Return the evaluator of a flag that is on for everybody, with the same answers."""
        users, groups, shares, default = self
        fallback = default[Match.STATIC]
        if groups or shares is None:
            return lambda context, trace: self.assign(context, Match.STATIC, trace)

        def assign(context: Any, trace: Trace) -> Decision:
            user = context[0]
            decision = users.get(user) if users and user else None
            return decision or shares.find(user, trace) or fallback

        return assign


def _place(entry: tuple[int, Decision]) -> int:
    return entry[0]


def allocator_of(flag: FeatureFlag, variants: Variants) -> Allocator:
    """Prepare the allocation of a flag."""
    allocation = flag.allocation or _NO_ALLOCATION
    users: dict[str, Decision] = {}
    for for_users in allocation.user:
        reason = VariantAssignmentReason.USER
        decision = variants.decision(for_users.variant, reason, Match.TARGETING, on=True)
        for user in for_users.users:
            users.setdefault(user, decision)
    groups: dict[str, tuple[int, Decision]] = {}
    for place, for_groups in enumerate(allocation.group):
        reason = VariantAssignmentReason.GROUP
        decision = variants.decision(for_groups.variant, reason, Match.TARGETING, on=True)
        for group in for_groups.groups:
            groups.setdefault(group, (place, decision))
    ruled = Match.DEFAULT if users or groups else Match.STATIC
    shares = _shares(flag, allocation, variants, ruled)
    if shares is not None and shares.splits:
        ruled = Match.SPLIT
    return Allocator(users, groups, shares, _defaults(allocation, variants, ruled))


def _shares(
    flag: FeatureFlag, allocation: Allocation, variants: Variants, otherwise: Match
) -> Shares | None:
    if not allocation.percentile:
        return None
    ranges = []
    for variant, begin, end in allocation.percentile:
        match = Match.SPLIT if begin > 0 or end < 100 else otherwise
        reason = VariantAssignmentReason.PERCENTILE
        ranges.append((begin, end, variants.decision(variant, reason, match, on=True)))
    splits = any(begin < end and (begin > 0 or end < 100) for begin, end, _ in ranges)
    return Shares(allocation.seed or f"allocation\n{flag.name}", tuple(ranges), splits)


def _defaults(allocation: Allocation, variants: Variants, ruled: Match) -> dict[Match, Decision]:
    """Return the decisions of `default_when_enabled`.

    Where no filter turned the flag on, the match is what the allocation's rules make of it.
    """
    reason = VariantAssignmentReason.DEFAULT_WHEN_ENABLED
    matches = {Match.STATIC: ruled, Match.TARGETING: Match.TARGETING, Match.SPLIT: Match.SPLIT}
    if ruled is Match.SPLIT:
        matches[Match.TARGETING] = Match.SPLIT
    return {
        turned_on: variants.decision(allocation.default_when_enabled, reason, match, on=True)
        for turned_on, match in matches.items()
    }
