"""Parts of config JSON in the form that they must have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from appconfig_provider.configcat.evaluation.compiled import (
    Broken,
    Option,
    Options,
    Served,
    buckets,
)
from appconfig_provider.configcat.evaluation.decisions import InvalidSetting
from appconfig_provider.flags.evaluation import Match

Serve: TypeAlias = Callable[[Mapping[str, Any], Match], Served]
"""Returns what a percentage option serves, given what decides for it: chance, or for an option of
100 % nothing but its rule. A Broken one where its value cannot be used."""

NO_COMPARATOR = "Comparison operator is missing or invalid."
NO_COMPARISON = "Comparison value is missing or invalid."
NO_ATTRIBUTE = "Comparison attribute name is missing."
NO_VALUE = "Value is missing"


def item(given: object, what: str) -> Mapping[str, Any]:
    """Return a JSON object.

    Raises:
        InvalidSetting: it is none.
    """
    if not isinstance(given, Mapping):
        raise InvalidSetting(f"{what} is missing or invalid.")
    return given


def items(holder: Mapping[str, Any], name: str, what: str) -> list[Any]:
    """Return a list of a JSON object; an empty one where it has none.

    Raises:
        InvalidSetting: it has something else of that name.
    """
    given = holder.get(name)
    if given is None:
        return []
    if not isinstance(given, list):
        raise InvalidSetting(f"The list of {what} is invalid.")
    return given


def variation_id(holder: Mapping[str, Any]) -> str | None:
    """Return a variation id; None where there is none."""
    given = holder.get("i")
    return given if isinstance(given, str) else None


def number(given: object) -> float | None:
    """Return a number; None for anything else."""
    return given if isinstance(given, int | float) and not isinstance(given, bool) else None


def is_first(given: object) -> bool:
    """Return whether a comparator of two, 0 and 1, is the first.

    Raises:
        InvalidSetting: it is neither.
    """
    if type(given) is not int or given not in {0, 1}:
        raise InvalidSetting(NO_COMPARATOR)
    return given == 0


def options_of(given: list[Any], attribute: str | None, serve: Serve) -> Options | None:
    """Return percentage options; None where the list is empty."""
    options: list[Option] = []
    for count, one in enumerate(given, start=1):
        option: Option
        try:
            raw = item(one, "A percentage option")
            percent = number(raw.get("p", 0))
            if percent is None:
                raise InvalidSetting("The percentage of an option is missing or invalid.")
            match = Match.SPLIT if percent < 100 else Match.TARGETING
            option = Option(count, percent, serve(raw, match))
        except InvalidSetting as error:
            option = Option(count, math.inf, Broken(str(error)))
        options.append(option)
    return Options(attribute, tuple(options), buckets(options)) if options else None
