"""Evaluations as a client makes them: for a default user, with log records and hooks.

Everything here answers from one state, which never changes. So several answers that are asked of
the same state agree, and nothing here waits.
"""

from __future__ import annotations

from logging import ERROR, INFO
from typing import Any

from appconfig_provider.configcat.evaluation.decisions import SettingDecision
from appconfig_provider.configcat.evaluation.evaluators import Evaluators, KeyValue, OneCall
from appconfig_provider.configcat.evaluation.notices import (
    Failure,
    default_of_another_type,
    shown,
)
from appconfig_provider.configcat.evaluationdetails import EvaluationDetails
from appconfig_provider.configcat.events import (
    NOT_FOUND,
    NOT_PRESENT,
    Events,
    logger,
    write_evaluation,
)
from appconfig_provider.configcat.fetching.state import State
from appconfig_provider.configcat.user import User
from appconfig_provider.flags.evaluation import Match

_NO_CONFIG = (
    "Config JSON is not present when evaluating setting '%s'. "
    "Returning the `%s` parameter that you specified in your application: '%s'."
)
_NO_VARIATION = "Could not find the setting for the specified variation ID: '%s'."


class Evaluation:
    """Evaluates settings of any state; may be used from any thread."""

    __slots__ = ("_plain", "default_user", "events")

    def __init__(self, events: Events, default_user: User | None) -> None:
        self.events = events
        self.default_user = default_user
        """The user of evaluations that are given none."""
        self._plain: tuple[Evaluators | None, dict[str, Any], tuple[str, ...]] = (None, {}, ())
        """See `_plain_values`."""

    @property
    def is_heard(self) -> bool:
        """True when each evaluation is logged, or told to a hook."""
        return logger.isEnabledFor(INFO) or self.events.wants_evaluations

    def value(
        self, state: State, key: str, default: Any, user: User | None, call: OneCall | None = None
    ) -> Any:
        """Return the value of a setting; the default where it cannot be evaluated."""
        decision = self.decided(state, key, default, user, call)
        return default if decision.failure is not None else decision.value

    def decided(
        self, state: State, key: str, default: Any, user: User | None, call: OneCall | None = None
    ) -> SettingDecision:
        """Return what was decided about a setting; logs and hooks are told what `value` tells."""
        decision = self._decision(state, key, user, call)
        if self.events.wants_evaluations:
            self.events.evaluated(self._details(state, key, default, user, decision))
        elif decision.failure is not None:
            self.events.notice(decision.failure.notice(default))
        else:
            self._check_type(decision.value, default)
        return decision

    def details(
        self, state: State, key: str, default: Any, user: User | None, call: OneCall | None = None
    ) -> EvaluationDetails:
        """Return the value with everything about its evaluation."""
        decision = self._decision(state, key, user, call)
        details = self._details(state, key, default, user, decision)
        if self.events.wants_evaluations:
            self.events.evaluated(details)
        return details

    def variation_id(self, state: State, key: str, default: Any, user: User | None) -> Any:
        """Return the variation id of the value; the default where it cannot be evaluated."""
        details = self.details(state, key, None, user)
        return default if details.is_default_value else details.variation_id

    def keys(self, state: State) -> list[str]:
        """Return all keys; none, with an error, where there is no config."""
        return list(state.settings) if self._is_present(state, "empty list") else []

    def values(self, state: State, user: User | None) -> dict[str, Any]:
        """Return all values by key, but those that cannot be evaluated."""
        if not self._is_present(state, "empty dictionary"):
            return {}
        if user is None:
            user = self.default_user
        if self.is_heard:
            call = state.evaluators.one_call()
            found = {key: self.value(state, key, None, user, call) for key in state.settings}
        else:
            plain, others = self._plain_values(state)
            found = plain.copy()
            if not others:
                return found
            call = state.evaluators.one_call()
            for key in others:
                found[key] = self.value(state, key, None, user, call)
        return {key: value for key, value in found.items() if value is not None}

    def all_details(self, state: State, user: User | None) -> list[EvaluationDetails]:
        """Return the details of all settings."""
        if not self._is_present(state, "empty list"):
            return []
        if user is None:
            user = self.default_user
        call = state.evaluators.one_call()
        return [self.details(state, key, None, user, call) for key in state.settings]

    def variation_ids(self, state: State, user: User | None) -> list[str]:
        """Return the variation ids of all values that have one."""
        found = (details.variation_id for details in self.all_details(state, user))
        return [variation_id for variation_id in found if variation_id is not None]

    def key_and_value(self, state: State, variation_id: str) -> KeyValue | None:
        """Return which setting has a variation id, and which value that is; None if none has it."""
        if not self._is_present(state, "None"):
            return None
        found = state.evaluators.key_and_value(variation_id)
        if found is None:
            self.events.log(NOT_FOUND, ERROR, _NO_VARIATION, shown(variation_id))
        return found

    def _decision(
        self, state: State, key: str, user: User | None, call: OneCall | None
    ) -> SettingDecision:
        """Evaluate a setting, and log what there is to say."""
        if not state.loaded:
            return SettingDecision(
                Match.ERROR, enabled=False, failure=Failure(NOT_PRESENT, _NO_CONFIG, (shown(key),))
            )
        if user is None:
            user = self.default_user
        decision = state.evaluators.decide(key, user, call)
        for notice in decision.notices:
            self.events.notice(notice)
        if logger.isEnabledFor(INFO) and decision.match is not Match.UNKNOWN:
            write_evaluation(state.evaluators.log(key, user, call))
        return decision

    def _details(
        self, state: State, key: str, default: Any, user: User | None, decision: SettingDecision
    ) -> EvaluationDetails:
        if user is None:
            user = self.default_user
        if decision.failure is not None:
            notice = decision.failure.notice(default)
            self.events.notice(notice)
            return EvaluationDetails(
                key, default, None, state.fetched_at, user, is_default_value=True, error=notice.text
            )
        self._check_type(decision.value, default)
        return EvaluationDetails(
            key,
            decision.value,
            decision.variation_id,
            state.fetched_at,
            user,
            matched_targeting_rule=decision.rule,
            matched_percentage_option=decision.option,
        )

    def _check_type(self, value: object, default: object) -> None:
        if value.__class__ is not default.__class__:
            notice = default_of_another_type(value, default)
            if notice is not None:
                self.events.notice(notice)

    def _is_present(self, state: State, returned: str) -> bool:
        if not state.loaded:
            self.events.log(
                NOT_PRESENT, ERROR, "Config JSON is not present. Returning %s.", returned
            )
        return state.loaded

    def _plain_values(self, state: State) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Return the values that are the same for everybody, and the keys of all others.

        They are kept for as long as the settings stay: most configs hold little else. In the dict
        the others have None, so that the order is that of the file.
        """
        evaluators, plain, others = self._plain
        if evaluators is not state.evaluators:
            evaluators = state.evaluators
            plain = {}
            for key in state.settings:
                constant = evaluators.constant(key)
                plain[key] = None if constant is None else constant.value
            others = tuple([key for key, value in plain.items() if value is None])
            self._plain = evaluators, plain, others
        return plain, others
