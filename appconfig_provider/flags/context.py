"""For whom a flag is evaluated: a user and the groups that the user is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias


class TargetingContext(NamedTuple):
    """The user and the groups that targeting and the allocation of variants look at.

    Users and groups are compared exactly, case included. No user is the empty text.
    """

    user_id: str = ""
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class User:
    """A user with attributes, for rules that look at more than id and groups.

    `custom` holds attributes by name; its `groups`, a list of texts, are the user's groups.
    """

    identifier: str
    email: str | None = None
    country: str | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)

    @property
    def user_id(self) -> str:
        """The identifier, by the name that targeting has for it."""
        return self.identifier

    @property
    def groups(self) -> Sequence[str]:
        """The groups among the custom attributes; none when there are none."""
        return (self.custom or {}).get("groups") or ()


Context: TypeAlias = "TargetingContext | User | str | None"
"""What callers pass; None asks the `targeting_context_accessor`."""

NOBODY = TargetingContext()


class Request(TargetingContext):
    """A targeting context with what else the caller passed, for the filters that want it."""

    ignore_case: bool
    keywords: Mapping[str, Any]
    """What is passed on to custom filters."""
    answers: dict[int, bool]
    """What filters that had to be awaited have answered, by the identity of the awaited filter."""


def request(
    context: TargetingContext, keywords: Mapping[str, Any], *, ignore_case: bool
) -> Request:
    """Return a context with the keywords of a call."""
    made = Request(*context)
    made.ignore_case = ignore_case
    made.keywords = keywords
    made.answers = {}
    return made


def targeting_context(given: Any) -> TargetingContext | None:
    """Return the user and groups of a context as callers pass it; None for what is no context.

    Any object with `user_id` will do, or with `identifier`; its `groups` may be missing or None.
    """
    if given.__class__ is TargetingContext and given[0].__class__ is str:
        known: TargetingContext = given
        return known
    if isinstance(given, str):
        return TargetingContext(given)
    for name in ("user_id", "identifier"):
        if hasattr(given, name):
            user = getattr(given, name)
            return TargetingContext("" if user is None else str(user), _groups(given))
    return None


def _groups(given: Any) -> Sequence[str]:
    groups = getattr(given, "groups", None)
    if groups is None:
        return ()
    return (groups,) if isinstance(groups, str) else tuple(groups)
