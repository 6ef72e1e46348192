"""A setting, read and checked: what its JSON means, in the order in which it is evaluated.

A part that cannot be used is a `Broken`. It counts only when the evaluation comes to it, as in
ConfigCat's SDKs: what stands before it still decides for the users whom it is about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from appconfig_provider.configcat.evaluation.attributes import Kind
from appconfig_provider.configcat.evaluation.comparators import Test
from appconfig_provider.configcat.evaluation.decisions import InvalidSetting, SettingDecision
from appconfig_provider.configcat.evaluation.notices import shown

Raw: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """A part of a setting that cannot be used."""

    why: str
    """Fit for a log."""

    def error(self) -> InvalidSetting:
        """Return the error that an evaluation ends with."""
        return InvalidSetting(self.why)


Served: TypeAlias = "SettingDecision | Broken"


@dataclass(frozen=True, slots=True)
class UserCondition:
    """Compares an attribute of the user."""

    attribute: str
    kind: Kind
    text: str
    """The condition as logs show it."""
    test: Test = field(repr=False)
    """Takes the attribute as a value of the kind."""


@dataclass(frozen=True, slots=True)
class SegmentCondition:
    """Asks whether the user is in a segment, or is not."""

    inside: bool
    segment: str
    conditions: tuple[UserCondition | Broken, ...]

    @property
    def text(self) -> str:
        """The condition as logs show it."""
        return f"User {'IS IN' if self.inside else 'IS NOT IN'} SEGMENT '{shown(self.segment)}'"


@dataclass(frozen=True, slots=True)
class PrerequisiteCondition:
    """Compares the value of another setting."""

    key: str
    equal: bool
    value: Raw
    """The comparison value, by its type; which one counts is told by the other setting."""


Condition: TypeAlias = "UserCondition | SegmentCondition | PrerequisiteCondition | Broken"


@dataclass(frozen=True, slots=True)
class Option:
    """One of several values that users get by chance."""

    number: int
    percent: float
    served: Served


@dataclass(frozen=True, slots=True)
class Options:
    """Percentage options."""

    attribute: str | None
    """The attribute that decides; None: the identifier, which may be missing."""
    options: tuple[Option, ...]
    buckets: tuple[Option | None, ...]
    """The option of each of the hundred buckets; None: none."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A targeting rule: users for whom all its conditions hold get its value or its options."""

    conditions: tuple[Condition, ...]
    served: Served | None
    options: Options | Broken | None


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of either version."""

    key: str
    version: int
    type: type | None
    """The type of its values; None for an unknown one."""
    rules: tuple[Rule | Broken, ...]
    options: Options | Broken | None
    served: Served
    """What is served when no rule and no option decides."""

    @property
    def targets(self) -> bool:
        """True when there are rules or options."""
        return bool(self.rules) or self.options is not None


def buckets(options: list[Option]) -> tuple[Option | None, ...]:
    """Return the option of each bucket: the first one up to which the percentages add up to it."""
    table: list[Option | None] = []
    total: float = 0
    for option in options:
        total += option.percent
        table += [option for place in range(len(table), 100) if place < total]
    return (*table, *[None] * (100 - len(table)))
