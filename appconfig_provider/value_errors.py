"""Errors of reading values. They need nothing of azure-core; `errors` names them, too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from appconfig_provider.texts import printable

MAX_ERRORS = 100
"""How many places of one error are kept, and"""
MAX_SHOWN_ERRORS = 20
"""how many of them its message names."""
MAX_PART = 80
"""Characters of a name in a location."""


class FieldError(NamedTuple):
    """One thing that does not fit a model: where, and the type of the error, as pydantic has it."""

    location: tuple[str | int, ...]
    """The names and places that lead to it from the model's own value; empty for all of it."""
    type: str

    @property
    def text(self) -> str:
        """Both for a message: `pool.size: int_parsing`."""
        names = (printable(name)[:MAX_PART] for name in self.location)
        return f"{'.'.join(names) or 'the whole'}: {printable(self.type)[:MAX_PART]}"


class BindingError(ValueError):
    """Settings do not fit the model of a binding; names where and how, never what they hold."""

    def __init__(self, message: str, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


def listed(errors: Iterable[FieldError]) -> str:
    """Return errors for a message: the first ones, and how many more there are."""
    texts = [error.text for error in errors]
    more = len(texts) - MAX_SHOWN_ERRORS
    shown = "; ".join(texts[:MAX_SHOWN_ERRORS])
    return f"{shown}; and {more} more" if more > 0 else shown
