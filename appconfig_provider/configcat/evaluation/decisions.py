"""What an evaluation of a ConfigCat setting comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from appconfig_provider.configcat.evaluation.notices import Failure, Notice
from appconfig_provider.flags.evaluation import Decision, InvalidFlag, Match, Variant


class InvalidSetting(InvalidFlag):
    """The content of a setting cannot be used. The message is fit for a log."""


@dataclass(frozen=True, slots=True)
class SettingDecision(Decision):
    """The value of a setting for a user, and where it comes from.

    Those without notices are made once and handed out again.
    """

    value: Any = field(default=None, repr=False)
    """None where there is a `failure`."""
    variation_id: str | None = None
    rule: Mapping[str, Any] | None = field(default=None, repr=False)
    """The targeting rule that the value comes from, as it stands in the config."""
    option: Mapping[str, Any] | None = field(default=None, repr=False)
    """The percentage option that the value comes from, as it stands in the config."""
    failure: Failure | None = None
    """Why there is no value: the caller's default value is to be returned."""
    notices: tuple[Notice, ...] = ()
    """What is to be logged, in this order; the failure is not among them."""


def decided(
    match: Match,
    value: object,
    variation_id: str | None,
    rule: Mapping[str, Any] | None = None,
    option: Mapping[str, Any] | None = None,
) -> SettingDecision:
    """Return a decision that serves a value."""
    return SettingDecision(
        match,
        Variant(variation_id or "", value),
        enabled=value is True,
        value=value,
        variation_id=variation_id,
        rule=rule,
        option=option,
    )


def failed(match: Match, failure: Failure, notices: tuple[Notice, ...] = ()) -> SettingDecision:
    """Return a decision that serves no value."""
    return SettingDecision(match, enabled=False, failure=failure, notices=notices)
