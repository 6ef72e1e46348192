"""`Overrides`: what a program passes to `load()`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from appconfig_provider.nesting import SEPARATORS
from appconfig_provider.overrides.environment import Variables
from appconfig_provider.overrides.files import File
from appconfig_provider.overrides.layers import Layer, OverrideBehaviour, layer_of
from appconfig_provider.overrides.values import BadOverride
from appconfig_provider.texts import argument, counted, holds_secret, quoted
from appconfig_provider.trouble import assert_never, drop_frames

if TYPE_CHECKING:
    from os import PathLike

_Source: TypeAlias = "Layer | File | Variables"

logger = logging.getLogger("appconfig_provider")

_DEFAULT = OverrideBehaviour.LOCAL_OVER_REMOTE


@dataclass(frozen=True, slots=True, repr=False)
class Overrides:
    """Keys and values of the program's own, for `load(overrides=...)`.

    Made by `Overrides.from_dict()`, `Overrides.from_file()` and `Overrides.from_env()`. The keys
    are those that `config[...]` has, after prefixes were trimmed. `behaviour` says who wins: see
    `OverrideBehaviour`.
    """

    source: _Source = field(repr=False)
    behaviour: OverrideBehaviour = _DEFAULT

    @classmethod
    def from_dict(
        cls,
        values: Mapping[str, Any],
        *,
        separator: str | None = None,
        behaviour: OverrideBehaviour = _DEFAULT,
    ) -> Overrides:
        """Take keys and values from a dict, which is copied.

        Values are what JSON has; objects are values, unless `separator` makes keys of their
        members. `feature_management` with a list of `feature_flags` is merged flag by flag.

        Raises:
            TypeError, ValueError: a value is not JSON; the message names its key.
        """
        _check_separator(separator)
        layer = _layer(values, _checked(behaviour), separator)
        del values  # error trackers show the locals of frames
        if isinstance(layer, Exception):
            raise layer
        return cls(layer, behaviour)

    @classmethod
    def from_file(
        cls,
        path: str | PathLike[str],
        *,
        separator: str | None = None,
        behaviour: OverrideBehaviour = _DEFAULT,
    ) -> Overrides:
        """Take keys and values from a file: TOML if its name ends in `.toml`, else JSON.

        The JSON may have comments (`//` and `/* */`). The members at the top are the keys; nested
        objects are values, unless `separator` makes keys of their members (`:` makes `a:b`). The
        file is read by `load()`, and `refresh()` checks at most once a second whether it changed.

        Raises:
            TypeError, ValueError: an argument is wrong. That the file is missing or broken is a
                ValueError of `load()`.
        """
        _check_separator(separator)
        return cls(File(_path(path), separator), _checked(behaviour))

    @classmethod
    def from_env(
        cls,
        prefix: str,
        separator: str = "__",
        key_separator: str = ":",
        case_sensitive: bool = False,
        parse_json: bool = False,
        *,
        behaviour: OverrideBehaviour = _DEFAULT,
    ) -> Overrides:
        """Take the variables of the environment whose names begin with a prefix, without it.

        `separator` in a name becomes `key_separator` in the key: with the prefix `APP_` the
        variable `APP_DB__HOST` is the key `db:host`. Unless `case_sensitive`, a name takes the
        spelling of the one key that it matches ignoring case, and lower case if there is none.
        Values are text; with `parse_json` a text that is JSON becomes what it says. The variables
        are read once, by `load()`.

        Raises:
            TypeError, ValueError: an argument is wrong.
        """
        for name, text in (
            ("prefix", prefix),
            ("separator", separator),
            ("key_separator", key_separator),
        ):
            if not isinstance(text, str):
                raise TypeError(f"{name} must be a str, not {argument(text)}")
            if not text:
                raise ValueError(f"{name} must not be empty")
        for name, switch in (("case_sensitive", case_sensitive), ("parse_json", parse_json)):
            if not isinstance(switch, bool):
                raise TypeError(f"{name} must be True or False, not {argument(switch)}")
        variables = Variables(prefix, separator, key_separator, case_sensitive, parse_json)
        return cls(variables, _checked(behaviour))

    @property
    def local(self) -> bool:
        """True when there is no store."""
        return self.behaviour is OverrideBehaviour.LOCAL_ONLY

    @property
    def watched(self) -> bool:
        """True when there is a file, which may change."""
        return isinstance(self.source, File)

    def at_load(self, environment: Mapping[str, str], absolute: Callable[[str], str]) -> Overrides:
        """Return the same with variables as they are now, and a path that stays the same file.

        Raises:
            BadOverride: two variables are the same key.
        """
        match self.source:
            case Variables() as variables:
                return replace(self, source=_found(variables, environment).layer(self.behaviour))
            case File(path) as file:
                return replace(self, source=replace(file, path=absolute(path)))
            case Layer():
                return self
        return assert_never(self.source)

    def __repr__(self) -> str:
        """Show where the values come from, but none of them."""
        match self.source:
            case File() as file:
                shown = file.where
            case Variables() as variables:
                shown = f"the environment, {argument(variables.prefix)}"
            case Layer() as layer:
                shown = counted(len(layer.values), "key")
            case source:
                assert_never(source)
        return f"<Overrides {self.behaviour.name}: {shown}>"


def checked_overrides(given: Overrides | Iterable[Overrides]) -> tuple[Overrides, ...]:
    """Return the argument `overrides` of `load()`: one, or several.

    Raises:
        TypeError: it is something else.
        ValueError: LOCAL_ONLY stands beside another behaviour.
    """
    wanted = "overrides takes what Overrides.from_dict(), .from_file() and .from_env() return"
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Overrides | Iterable):
        raise TypeError(f"{wanted}, one or a list, not {type(given).__name__}")
    found = (given,) if isinstance(given, Overrides) else tuple(given)
    for one in found:
        if not isinstance(one, Overrides):
            raise TypeError(f"{wanted}, not {type(one).__name__}")
    alone = [one.local for one in found]
    if any(alone) and not all(alone):
        raise ValueError(
            "overrides: LOCAL_ONLY means that there is no store, so no other behaviour can stand "
            "beside it"
        )
    return found


def _layer(
    values: object, behaviour: OverrideBehaviour, separator: str | None
) -> Layer | Exception:
    """Return the layer of a dict, or the error, without frames: their locals are values."""
    try:
        return replace(layer_of(values, behaviour, "overrides", separator), where="a dict")
    except BadOverride as error:
        drop_frames(error)
        return error.as_public()


def _found(variables: Variables, environment: Mapping[str, str]) -> Variables:
    """Return the same with the variables that there are; that there are none is logged."""
    found = variables.read(environment)
    if not found.texts:
        logger.info(
            "Overrides.from_env() finds nothing: no variable begins with %s",
            quoted(variables.prefix),
        )
    return found


def _path(given: object) -> str:
    as_text = getattr(given, "__fspath__", None)
    path = as_text() if callable(as_text) else given
    if not isinstance(path, str):
        raise TypeError(f"path must be a str or a pathlib.Path, not {argument(path)}")
    if not path or "\0" in path or holds_secret(path):
        raise ValueError(f"path must be the path of a file, not {argument(path)}")
    return path


def _checked(behaviour: object) -> OverrideBehaviour:
    if not isinstance(behaviour, OverrideBehaviour):
        names = ", ".join(one.name for one in OverrideBehaviour)
        raise TypeError(
            f"behaviour must be one of OverrideBehaviour ({names}), not {argument(behaviour)}"
        )
    return behaviour


def _check_separator(separator: object) -> None:
    if separator is not None and separator not in SEPARATORS:
        known = " ".join(SEPARATORS)
        raise ValueError(f"separator must be one of {known} or None, not {argument(separator)}")
