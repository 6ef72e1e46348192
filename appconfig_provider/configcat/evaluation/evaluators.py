"""The evaluators of settings: which value a setting has for a user."""

from __future__ import annotations

from typing import NamedTuple

from appconfig_provider.configcat.evaluation.decisions import SettingDecision
from appconfig_provider.configcat.evaluation.settings import Settings


class KeyValue(NamedTuple):
    """A setting's key, and one of the values that it can have."""

    key: str
    value: object


class Evaluators:
    """Evaluates the settings of one generation, each compiled when it is first asked for.

    Reading it needs no lock; it never raises.
    """

    __slots__ = ("constants", "log_user", "settings")

    def __init__(self, settings: Settings, *, log_user: bool = True) -> None:
        self.settings = settings
        self.log_user = log_user
        """False keeps what users' attributes are out of notices and logs."""
        self.constants: dict[str, SettingDecision] = {}
        """Decisions that need no user and have no notices, of settings that were asked for."""

    def following(self, settings: Settings) -> Evaluators:
        """Return the evaluators of the next settings; unchanged ones are not compiled again."""
        raise NotImplementedError

    def decide(self, key: str, user: object = None) -> SettingDecision:
        """Return the value of a setting for a user, of any key and whatever is given as a user."""
        raise NotImplementedError

    def traced(self, key: str, user: object = None) -> tuple[SettingDecision, str]:
        """Return the same with the text of the evaluation log, to be logged at INFO as 5000."""
        raise NotImplementedError

    def key_and_value(self, variation_id: str) -> KeyValue | None:
        """Return which setting has a variation id, and the value; None if none has it."""
        raise NotImplementedError
