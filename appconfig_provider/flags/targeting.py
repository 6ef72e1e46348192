"""`Microsoft.Targeting`: users by name, groups and everybody else by percentage."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from appconfig_provider.flags.context import Request
from appconfig_provider.flags.evaluation import (
    MATCHED,
    NOT_MATCHED,
    SPLIT_AGAINST,
    SPLIT_FOR,
    Decision,
    TargetingException,
    Trace,
)
from appconfig_provider.flags.percentage import percentage


class Targeting:
    """The audience of a flag; `evaluate` is the evaluator of the filter.

    An object with a method and not a closure: it is made of fewer objects, which is what takes time
    where all flags of a large store are compiled.
    """

    __slots__ = (
        "_default",
        "_excluded_groups",
        "_excluded_users",
        "_flag",
        "_lowered",
        "_rollouts",
        "_users",
    )

    def __init__(self, parameters: Mapping[str, Any], flag: str) -> None:
        """Read the parameters of the filter.

        Raises:
            TargetingException: there is no audience, or a part of it cannot be used.
        """
        audience = parameters.get("Audience")
        if not audience:
            raise TargetingException("Audience is required for TargetingFilter")
        get = (audience if isinstance(audience, dict) else _object(audience, "Audience")).get
        groups, exclusion = get("Groups"), get("Exclusion")
        self._flag = flag
        users = get("Users")
        # What a store has is nearly always of this form, which needs no other call.
        if isinstance(users, list) and len(users) <= FEW:
            self._users: Container[Any] = tuple(users)
        else:
            self._users = _texts(users, "Users")
        self._rollouts = _rollouts(groups) if groups else _NOTHING
        self._lowered: Mapping[str, float] | None = None
        share: Any = get("DefaultRolloutPercentage")
        if share.__class__ is not int or not 0 <= share <= 100:
            share = _share(share, "DefaultRolloutPercentage")
        self._default: float = share
        self._excluded_users: Container[Any] = ()
        self._excluded_groups = _NOBODY
        if exclusion:
            get = _object(exclusion, "Exclusion").get
            self._excluded_users = _texts(get("Users"), "Exclusion.Users")
            self._excluded_groups = _set(get("Groups"), "Exclusion.Groups")

    def evaluate(self, context: Any, trace: Trace) -> Decision:
        """Tell whether a context belongs to the audience."""
        user, groups = context
        if user in self._excluded_users or (
            self._excluded_groups and groups and not self._excluded_groups.isdisjoint(groups)
        ):
            return _noted(trace, "the user or a group is excluded", NOT_MATCHED)
        if user in self._users:
            return _noted(trace, "the user is listed", MATCHED)
        otherwise = NOT_MATCHED
        if groups and self._rollouts:
            otherwise = self._in_groups(context, trace)
            if otherwise.enabled:
                return otherwise
        default = self._default
        if 0 < default < 100:
            place = percentage(user, self._flag)
            if trace is not None:
                trace.append(f"the user is at {place:.4f} %, and the rollout is {default} %")
            return SPLIT_FOR if place < default else SPLIT_AGAINST
        found = MATCHED if default else otherwise
        return _noted(trace, f"the user is not listed, and the rollout is {default} %", found)

    def _in_groups(self, context: Any, trace: Trace) -> Decision:
        """Tell whether the groups alone let a context in."""
        user, groups = context
        rollouts: Mapping[str, float] = self._rollouts
        if context.__class__ is Request and context.ignore_case:
            rollouts, groups = self._ignoring_case(), [str(group).lower() for group in groups]
        found = NOT_MATCHED
        for group in groups:
            share = rollouts.get(group, 0)
            if share >= 100:
                return _noted(trace, f"group {group!r} is let in", MATCHED)
            if share > 0:
                found = SPLIT_AGAINST
                if percentage(user, f"{self._flag}\n{group}") < share:
                    return _noted(trace, f"group {group!r} is let in at {share} %", SPLIT_FOR)
        return found

    def _ignoring_case(self) -> Mapping[str, float]:
        """Return the groups in lower case; the names of excluded groups always count as written."""
        if self._lowered is None:
            lowered: dict[str, float] = {}
            for group, share in self._rollouts.items():
                lowered[group.lower()] = max(share, lowered.get(group.lower(), 0))
            self._lowered = lowered
        return self._lowered


def _noted(trace: Trace, line: str, decision: Decision) -> Decision:
    if trace is not None:
        trace.append(line)
    return decision


def _object(given: object, name: str) -> Mapping[str, Any]:
    if not isinstance(given, (dict, Mapping)):
        raise TargetingException(f"{name} must be a JSON object")
    return given


def _items(given: object, name: str) -> Sequence[Any]:
    if not isinstance(given, (list, tuple)):
        raise TargetingException(f"{name} must be a JSON array")
    return given


def _texts(given: object, name: str) -> Container[Any]:
    """Return the texts of an array, none for null; what else is in it matches nobody."""
    if not given:
        return ()
    items = _items(given, name)
    return tuple(items) if len(items) <= FEW else _set(given, name)


def _set(given: object, name: str) -> frozenset[str]:
    if not given:
        return _NOBODY
    return frozenset([one for one in _items(given, name) if isinstance(one, str)])


FEW = 8
"""So many texts are looked through as soon as a set is, and a tuple is made sooner."""
_NOBODY: frozenset[str] = frozenset()
_NOTHING: dict[str, Any] = {}


def _rollouts(given: object) -> dict[str, float]:
    rollouts: dict[str, float] = {}
    for one in given if isinstance(given, list) else _items(given, "Groups"):
        if one:
            group: Any = one if isinstance(one, dict) else _object(one, "each of Groups")
            name, share = group.get("Name"), group.get("RolloutPercentage")
            if share.__class__ is not int or not 0 <= share <= 100:
                share = _share(share, "RolloutPercentage")
            # The highest percentage counts where a group is listed twice.
            if name.__class__ is str and (name not in rollouts or share > rollouts[name]):
                rollouts[name] = share
    return rollouts


def _share(given: Any, name: str) -> float:
    """Return a percentage; 0 for null."""
    if given is None:
        return 0
    if given.__class__ not in _NUMBERS or not 0 <= given <= 100:
        raise TargetingException(f"{name} must be between 0 and 100")
    share: float = given
    return share


_NUMBERS = (int, float)
