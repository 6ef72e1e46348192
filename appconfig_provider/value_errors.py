"""Errors of reading values. They need nothing of azure-core; `errors` names them, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from traceback import walk_tb
from types import TracebackType
from typing import Any, NamedTuple, Protocol

from appconfig_provider.texts import printable, quoted

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


MAX_HINTS = 3
"""How many keys a note names."""
MAX_COMPARED = 200
"""How many keys are compared letter by letter, which takes 40 us for each."""


class Keys(Protocol):
    """The keys of a generation."""

    _trim: Callable[[str], str]

    def __iter__(self) -> Iterator[str]: ...

    def __contains__(self, key: object, /) -> bool: ...


class MissingKey(KeyError):
    """A key that is not in the configuration; `args` is the key, as of any `KeyError`.

    Its text ends in a note: which keys are like it, or what `trim_prefixes` made of it. That is
    worked out when the text is wanted, of the generation that is found in the frame which raised. A
    reference to it would make a miss that is caught more than twice as slow as a plain KeyError,
    and would keep all settings in an exception that has lost its traceback.
    """

    _note = ""
    """What a copy says."""

    @property
    def note(self) -> str:
        """What may have been meant; empty when nothing is like it."""
        generation = _generation_of(self.__traceback__)
        return self._note if generation is None else _hint(self.args[0], generation)

    def __str__(self) -> str:
        note = self.note
        return f"{super().__str__()}{note and ': '}{note}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, {"_note": self.note}


def _generation_of(traceback: TracebackType | None) -> Keys | None:
    """Return what was asked for a key, by the innermost frame; None when it is not known."""
    if traceback is None:
        return None
    *_, (frame, _line) = walk_tb(traceback)
    asked = frame.f_locals.get("self")
    generation = getattr(getattr(asked, "_state", None), "snapshot", asked)
    return generation if hasattr(generation, "_trim") else None


def _hint(key: object, generation: Keys) -> str:
    if not isinstance(key, str) or not key:
        return ""
    trimmed = generation._trim(key)
    if trimmed != key and trimmed in generation:
        return f"trim_prefixes made it {quoted(trimmed)}"
    return meant(key, list(generation))


def meant(key: str, keys: list[str]) -> str:
    """Return a question that names the keys that are like a key; empty when none is."""
    near = _nearest(key, keys)
    return f"did you mean {' or '.join(map(quoted, near))}?" if near else ""


def _nearest(key: str, keys: list[str]) -> list[str]:
    """Return the keys that are like a key: misspelt, or with something before it."""
    from difflib import get_close_matches

    if len(keys) > MAX_COMPARED:
        # A key with one mistake keeps its first half or its second.
        half = len(key) // 2
        first, second = key[:half], key[half:]
        keys = [one for one in keys if one.startswith(first) or one.endswith(second)]
    folded: dict[str, str] = {}
    for one in keys:
        if abs(len(one) - len(key)) < 4 and len(folded) < MAX_COMPARED:
            folded.setdefault(one.casefold(), one)
    close = get_close_matches(key.casefold(), folded, MAX_HINTS, 0.7)
    longer = (one for one in keys if one.endswith(key))
    return list(dict.fromkeys(islice(chain((folded[one] for one in close), longer), MAX_HINTS)))
