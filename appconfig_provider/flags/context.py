"""For whom a flag is evaluated: a user and the groups that the user is in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from appconfig_provider.texts import kind_of


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


class WrongContext(TypeError):
    """A context, or a part of it, has a type that cannot be used; the message shows no value."""


class OneGroup(tuple[str]):
    """The groups of a context that has a text there, which is one group and not its letters."""

    __slots__ = ()


PLAIN = frozenset({tuple, list})
"""The types of groups that evaluations take as they are."""


def targeting_context(given: Any) -> TargetingContext | None:
    """Return the user and groups of a context as callers pass it; None for what is no context.

    Any object with `user_id` will do, or with `identifier`; its `groups` may be missing or None.

    Raises:
        WrongContext: its groups cannot be used.
        Exception: what its attributes raise.
    """
    if (
        given.__class__ is TargetingContext
        and given[0].__class__ is str
        and given[1].__class__ in PLAIN
    ):
        known: TargetingContext = given
        return known
    if isinstance(given, str):
        return TargetingContext(plain(given))
    for name in ("user_id", "identifier"):
        if hasattr(given, name):
            user = getattr(given, name)
            return TargetingContext("" if user is None else plain(user), _groups(given))
    return None


def plain(given: object) -> str:
    """Return a text as an exact str: a subclass may compare and hash in ways of its own."""
    return str.__str__(given) if isinstance(given, str) else str(given)


def _groups(given: Any) -> Sequence[str]:
    groups = getattr(given, "groups", None)
    if groups is None:
        return ()
    if isinstance(groups, str):
        return OneGroup((plain(groups),))
    if isinstance(groups, bytes) or not isinstance(groups, Iterable):
        raise WrongContext(f"groups must be a list of texts, not {kind_of(groups)}")
    return tuple(groups)


def wrong_group(context: Any) -> WrongContext | None:
    """Return what is wrong with a context that an evaluation could not use; None when nothing is.

    A group that can be looked up and is no text belongs to nobody, and is no error.
    """
    for group in (context or NOBODY)[1]:
        try:
            hash(group)
        except Exception:
            return WrongContext(f"groups must be a list of texts, and has {kind_of(group)}")
    return None
