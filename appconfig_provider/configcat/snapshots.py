"""One state of a client, for several reads that must agree; also as a Mapping for one user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from appconfig_provider.configcat.evaluating import Evaluation
from appconfig_provider.configcat.evaluation.evaluators import KeyValue
from appconfig_provider.configcat.evaluationdetails import EvaluationDetails
from appconfig_provider.configcat.fetching.state import State
from appconfig_provider.configcat.user import User


class ConfigCatSnapshot:
    """The settings as they were at one time; reads of it agree, and never wait."""

    __slots__ = ("_evaluation", "_state")

    def __init__(self, state: State, evaluation: Evaluation) -> None:
        self._state = state
        self._evaluation = evaluation

    @property
    def version(self) -> int:
        """The number of this generation; it grows with each change, and is 0 before the first."""
        return self._state.snapshot.version

    @property
    def has_config(self) -> bool:
        """True when there is a config, or local settings."""
        return self._state.loaded

    @property
    def fetch_time(self) -> datetime:
        """When a server last confirmed the config (UTC); the year 1970 without one."""
        return self._state.fetched_at

    def get_value(self, key: str, default_value: Any, user: User | None = None) -> Any:
        """Return the value of a setting; `default_value` where it cannot be evaluated."""
        return self._evaluation.value(self._state, key, default_value, user)

    def get_value_details(
        self, key: str, default_value: Any, user: User | None = None
    ) -> EvaluationDetails:
        """Return the value of a setting with everything about its evaluation."""
        return self._evaluation.details(self._state, key, default_value, user)

    def get_all_keys(self) -> list[str]:
        """Return the keys of all settings."""
        return self._evaluation.keys(self._state)

    def get_all_values(self, user: User | None = None) -> dict[str, Any]:
        """Return the values of all settings by key."""
        return self._evaluation.values(self._state, user)

    def get_all_value_details(self, user: User | None = None) -> list[EvaluationDetails]:
        """Return the values of all settings with everything about their evaluations."""
        return self._evaluation.all_details(self._state, user)

    def get_key_and_value(self, variation_id: str) -> KeyValue | None:
        """Return which setting has a variation id, and which value that is; None if none has it."""
        return self._evaluation.key_and_value(self._state, variation_id)

    def for_user(self, user: User | None) -> UserSettings:
        """Return a Mapping of the values for one user."""
        return UserSettings(self._state, self._evaluation, user)

    def __repr__(self) -> str:
        return f"<ConfigCatSnapshot version={self.version} settings={len(self._state.settings)}>"


class UserSettings(Mapping[str, Any]):
    """The values of all settings for one user, as a read-only Mapping that never changes.

    A setting that cannot be evaluated is missing: a look-up raises KeyError, and its error is
    logged.
    """

    __slots__ = ("_all", "_evaluation", "_state", "_user")

    def __init__(self, state: State, evaluation: Evaluation, user: User | None) -> None:
        self._state = state
        self._evaluation = evaluation
        self._user = user
        self._all: dict[str, Any] | None = None
        """All values, once they have been asked for."""

    def __getitem__(self, key: str) -> Any:
        if self._all is not None:
            return self._all[key]
        if key in self._state.settings:
            value = self._evaluation.value(self._state, key, None, self._user)
            if value is not None:
                return value
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return key in self._values()

    def __iter__(self) -> Iterator[str]:
        return iter(self._values())

    def __len__(self) -> int:
        return len(self._values())

    def __repr__(self) -> str:
        """Show no value: a repr is logged by accident."""
        return f"<UserSettings of {len(self._state.settings)} settings>"

    def _values(self) -> dict[str, Any]:
        if self._all is None:
            self._all = self._evaluation.values(self._state, self._user)
        return self._all
