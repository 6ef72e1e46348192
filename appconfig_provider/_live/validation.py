"""Values of a program's own types, made of settings by pydantic."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_origin

from appconfig_provider._live.fields import Fields
from appconfig_provider.nesting import Separator, check_separator
from appconfig_provider.snapshot import ConfigurationSnapshot
from appconfig_provider.texts import counted, kind_of, printable, quoted
from appconfig_provider.trouble import EngineError
from appconfig_provider.value_errors import MAX_ERRORS, BindingError, FieldError, listed, meant

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


HIDDEN = "*"
"""What an error shows instead of a name that may be a part of a secret."""


class DoesNotFit(EngineError):
    """Settings do not fit the model of a binding."""

    def __init__(self, message: str, errors: Iterable[FieldError] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)

    def as_public(self) -> Exception:
        """Return the public error."""
        return BindingError(str(self), self.errors)


@dataclass(frozen=True, slots=True)
class Subtree:
    """What a model is made of; a record, because error trackers show the locals of frames."""

    content: Any = field(repr=False)


class Model(Generic[T]):
    """A type, and the part of the settings that becomes a value of it."""

    __slots__ = ("_adapter", "_invalid", "_prefix", "_separator", "_shape", "_type")

    def __init__(
        self, kind: Any, prefix: str, separator: Separator, *, case_sensitive: bool
    ) -> None:
        if not isinstance(prefix, str):
            raise TypeError(f"prefix must be a text, not {kind_of(prefix)}")
        check_separator(separator)
        try:
            from pydantic import TypeAdapter, ValidationError
        except ImportError as error:
            raise ImportError(
                'bind() needs pydantic; install it with pip install "appconfig-provider[pydantic]"'
            ) from error
        self._type = kind
        self._prefix = prefix
        self._separator: Separator = separator
        self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        self._invalid: type[ValidationError] = ValidationError
        self._shape = Fields(self._adapter.core_schema, case_sensitive=case_sensitive)

    def __repr__(self) -> str:
        """Show the type and the prefix."""
        return f"{self.name}, prefix={quoted(self._prefix)}"

    @property
    def name(self) -> str:
        """The name of the type."""
        kind = self._type
        alone = isinstance(kind, type) and get_origin(kind) is None
        return printable(kind.__qualname__ if alone else repr(kind))

    def subtree(self, snapshot: ConfigurationSnapshot) -> Subtree:
        """Return what the model is made of in a generation.

        Raises:
            DoesNotFit: the keys make no tree, or there are none and the type needs some.
        """
        if snapshot.origin == "empty":
            raise DoesNotFit(
                "there are no settings yet: the store has not answered since the start"
            )
        prefix, why = self._prefix, ""
        try:
            tree = snapshot.nested(prefix, self._separator)
        except ValueError as error:
            why = str(error)  # it names keys, and no value
        if why:
            raise DoesNotFit(f"{self._what()} make no tree: {why}")
        if tree or not prefix:
            return Subtree(tree)
        if prefix in snapshot:
            return Subtree(snapshot[prefix])
        for nothing in self._shape.nothing:
            return Subtree(nothing)
        raise self._misfit([FieldError((), "missing")], snapshot)

    def validated(self, subtree: Subtree, snapshot: ConfigurationSnapshot) -> T:
        """Return the value of the model, made of its part of a generation.

        Raises:
            DoesNotFit: the settings do not fit it.
            Exception: whatever a validator of the program raised.
        """
        prepared, problems = self._prepared(subtree)
        if problems:
            raise self._misfit(problems, snapshot, subtree)
        try:
            # The validator in Rust: a frame of Python would show the settings to error trackers.
            return self._adapter.validator.validate_python(prepared.content)  # type: ignore[no-any-return]
        except self._invalid as error:
            problems = _errors_of(error)
        # Raised outside of the `except` block: pydantic's error holds what was validated.
        raise self._misfit(problems, snapshot, subtree)

    def _prepared(self, subtree: Subtree) -> tuple[Subtree, list[FieldError]]:
        content, problems = self._shape.prepared(subtree.content)
        return Subtree(content), problems

    def _meant(self, snapshot: ConfigurationSnapshot) -> str:
        """Return which prefix may have been meant; empty when there are keys below this one."""
        prefix, separator = self._prefix, self._separator
        depth = prefix.count(separator) + 1
        beginnings = {separator.join(key.split(separator)[:depth]): None for key in snapshot}
        return "" if not prefix or prefix in beginnings else meant(prefix, list(beginnings))

    def _misfit(
        self,
        problems: list[FieldError],
        snapshot: ConfigurationSnapshot,
        subtree: Subtree | None = None,
    ) -> DoesNotFit:
        """Return the error; of a location it shows names of keys and of fields, and no others.

        A text that was decoded may be a secret, and so are the names in it then.
        """
        shown = self._shape.names | (_names_in(subtree.content) if subtree else set())
        kept = [
            FieldError(tuple([_shown(part, shown) for part in one.location]), one.type)
            for one in problems[:MAX_ERRORS]
        ]
        more = "" if len(kept) == len(problems) else f", {counted(len(problems), 'error')} in all"
        told = f"{self._what()} do not fit {self.name}: {listed(kept)}{more}"
        hint = self._meant(snapshot)
        return DoesNotFit(f"{told}; {hint}" if hint else told, kept)

    def _what(self) -> str:
        return f"the settings below {quoted(self._prefix)}" if self._prefix else "the settings"


def _names_in(tree: Any) -> set[str]:
    """Return the names of all members of a tree; not those in a text, which was not decoded."""
    names: set[str] = set()
    nests = [tree]
    for nest in nests:  # more are appended meanwhile
        if isinstance(nest, dict):
            names.update(nest)
            nests += nest.values()
        elif isinstance(nest, list):
            nests += list.__iter__(nest)
    return names


def _shown(part: str | int, names: set[str]) -> str | int:
    return part if isinstance(part, int) or part in names else HIDDEN


def _errors_of(error: ValidationError) -> list[FieldError]:
    """Return the places and types of pydantic's errors, without inputs and texts."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [FieldError(one["loc"], one["type"]) for one in details]
