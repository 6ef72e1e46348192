"""What an evaluation has to say to the log: records with ConfigCat's event ids and texts.

No record shows an attribute of a user, but 3004 and 3005, which show the one value in question.
Who logs decides about the prefix, `[3001] `, and about what it tells.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from logging import ERROR, WARNING
from typing import Any

from appconfig_provider.texts import printable

HIDDEN = "<hidden>"
"""Stands for what a user's attributes are, where they may not be logged."""
MAX_KEYS = 100
"""Keys that an error lists; a config may have thousands."""

MAX_SHOWN = 1000
"""Characters of a value."""

_READ_MORE = "Read more: https://configcat.com/docs/advanced/user-object/"
_PASS_A_USER = (
    "You should pass a User Object to the evaluation methods like `get_value()` "
    f"in order to make targeting work properly. {_READ_MORE}"
)
_CANNOT_TARGET = "Cannot evaluate targeting rules and %% options for setting '%s' "


@dataclass(frozen=True, slots=True)
class Notice:
    """One record for the log."""

    event_id: int
    level: int
    """A level of `logging`."""
    message: str
    """With places for the arguments, as `logging` wants it."""
    arguments: tuple[object, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """The message with its arguments."""
        return self.message % self.arguments


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no value. The record is complete when the caller's default value is known."""

    event_id: int
    message: str
    before: tuple[str, ...]
    """The arguments before the default value."""
    after: tuple[str, ...] = ()

    def notice(self, default: object) -> Notice:
        """Return the record that says which default value is returned instead."""
        arguments = (*self.before, "default_value", shown(default), *self.after)
        return Notice(self.event_id, ERROR, self.message, arguments)


def shown(value: object) -> str:
    """Return a value as one printable line; one whose own text cannot be made is not shown."""
    if type(value) is str and value.isprintable() and len(value) <= MAX_SHOWN:
        return value  # most are, and a log has many
    if value.__class__ is bool:
        return "True" if value else "False"
    try:
        return printable(value, MAX_SHOWN)
    except Exception:  # a program's own object
        return f"<{type(value).__name__}>"


def key_not_found(key: str, keys: Iterable[str]) -> Failure:
    """Return error 1001: the config has no such setting."""
    available = [f"'{shown(one)}'" for one in keys]
    if len(available) > MAX_KEYS:
        available[MAX_KEYS:] = [f"... <{len(available) - MAX_KEYS} more>"]
    message = (
        "Failed to evaluate setting '%s' (the key was not found in config JSON). "
        "Returning the `%s` parameter that you specified in your application: '%s'. "
        "Available keys: [%s]."
    )
    return Failure(1001, message, (shown(key),), (", ".join(available),))


def evaluation_failed(key: str, why: str) -> Failure:
    """Return error 2001: the setting cannot be evaluated."""
    message = (
        "Failed to evaluate setting '%s'. (%s). "
        "Returning the `%s` parameter that you specified in your application: '%s'. "
    )
    return Failure(2001, message, (shown(key), why))


def user_missing(key: str) -> Notice:
    """Return warning 3001: rules or options need a user, and there is none."""
    message = f"{_CANNOT_TARGET}(User Object is missing). {_PASS_A_USER}"
    return Notice(3001, WARNING, message, (shown(key),))


def user_of_another_type(key: str) -> Notice:
    """Return warning 4001: what was given as a user is none."""
    why = "(User Object is not an instance of User type). "
    return Notice(4001, WARNING, f"{_CANNOT_TARGET}{why}{_PASS_A_USER}", (shown(key),))


def attribute_missing(key: str, condition: str, attribute: str) -> Notice:
    """Return warning 3003 of a condition: the user has no such attribute."""
    message = (
        "Cannot evaluate condition (%s) for setting '%s' (the User.%s attribute is missing). "
        "You should set the User.%s attribute in order to make targeting work properly. "
        f"{_READ_MORE}"
    )
    return Notice(3003, WARNING, message, (condition, shown(key), attribute, attribute))


def options_attribute_missing(key: str, attribute: str) -> Notice:
    """Return warning 3003 of percentage options: the user has no such attribute."""
    message = (
        "Cannot evaluate %% options for setting '%s' (the User.%s attribute is missing). "
        "You should set the User.%s attribute in order to make targeting work properly. "
        f"{_READ_MORE}"
    )
    return Notice(3003, WARNING, message, (shown(key), attribute, attribute))


def attribute_invalid(key: str, condition: str, attribute: str, why: str) -> Notice:
    """Return warning 3004: the attribute is nothing that the comparator can compare."""
    message = (
        "Cannot evaluate condition (%s) for setting '%s' (%s). Please check the User.%s attribute "
        "and make sure that its value corresponds to the comparison operator."
    )
    return Notice(3004, WARNING, message, (condition, shown(key), why, attribute))


def attribute_converted(key: str, condition: str, attribute: str, value: str) -> Notice:
    """Return warning 3005: the attribute was no text, and has been made one."""
    message = (
        "Evaluation of condition (%s) for setting '%s' may not produce the expected result "
        "(the User.%s attribute is not a string value, thus it was automatically converted to "
        "the string value '%s'). Please make sure that using a non-string value was intended."
    )
    return Notice(3005, WARNING, message, (condition, shown(key), attribute, value))


def default_of_another_type(value: object, default: Any) -> Notice | None:
    """Return warning 4002 where a default value is of another type than the setting, else None.

    Whole numbers and others may stand for each other; None fits everything.
    """
    own, other = type(value), type(default)
    if default is None or own is other or {own, other} == {int, float}:
        return None
    message = (
        "The type of a setting does not match the type of the specified default value (%s). "
        "Setting's type was %s but the default value's type was %s. "
        "Please make sure that using a default value not matching the setting's type was intended."
    )
    return Notice(4002, WARNING, message, (shown(default), own, other))
