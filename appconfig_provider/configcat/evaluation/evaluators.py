"""The evaluators of settings: which value a setting has for a user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from appconfig_provider.configcat.evaluation import direct, stepwise, version5, version6
from appconfig_provider.configcat.evaluation.compiled import Broken, Options, Rule, Served, Setting
from appconfig_provider.configcat.evaluation.decisions import (
    InvalidSetting,
    SettingDecision,
    failed,
)
from appconfig_provider.configcat.evaluation.direct import Others
from appconfig_provider.configcat.evaluation.notices import evaluation_failed, key_not_found
from appconfig_provider.configcat.evaluation.prerequisites import Prerequisites
from appconfig_provider.configcat.evaluation.settings import NO_SETTINGS, Settings
from appconfig_provider.configcat.evaluation.shapes import item
from appconfig_provider.configcat.evaluation.tracing import Run
from appconfig_provider.configcat.user import User, attributes_of
from appconfig_provider.flags.evaluation import Match
from appconfig_provider.flags.index import Entry, Index


class KeyValue(NamedTuple):
    """A setting's key, and one of the values that it can have."""

    key: str
    value: object


class OneCall:
    """What the evaluations of one call have in common, all of one user: prerequisite flags.

    They are evaluated once for all settings, so that a call takes no longer than its config is
    long.
    """

    __slots__ = ("direct", "logged", "stepwise")

    def __init__(self, find: Callable[[str], Entry | None]) -> None:
        known: dict[str, object] = {}
        self.direct = Others(find, Others(find, None, known), known)
        self.stepwise = Prerequisites()
        self.logged = Prerequisites()


class EvaluationLog:
    """The text of one evaluation log, made when somebody reads it: a handler that formats records.

    What makes it is the evaluation once more, which comes to the same.
    """

    __slots__ = ("_evaluators", "_key", "_prerequisites", "_text", "_user", "version")

    def __init__(
        self, evaluators: Evaluators, key: str, user: object, prerequisites: Prerequisites | None
    ) -> None:
        self.version = evaluators.version(key)
        """The form of the setting, 5 or 6: the words are those of the SDK that it belongs to."""
        self._evaluators = evaluators
        self._prerequisites = prerequisites
        self._key = key
        self._user = user
        self._text: str | None = None

    def __str__(self) -> str:
        if self._text is None:
            traced = self._evaluators.traced(self._key, self._user, self._prerequisites)
            self._text = traced[1]
        return self._text

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)  # for handlers that send records to other processes


class Evaluators:
    """Evaluates the settings of one generation, each compiled when it is first asked for.

    It needs no lock, and whatever it is asked, it does not raise.
    """

    __slots__ = ("_by_variation", "_index", "_others", "constants", "log_user", "settings")

    def __init__(self, settings: Settings = NO_SETTINGS, *, log_user: bool = True) -> None:
        self.settings = settings
        self.log_user = log_user
        """False keeps what users' attributes are out of notices and logs."""
        self._use(Index(settings, settings, partial(_entry, settings), {}))

    def _use(self, index: Index) -> None:
        self._index = index
        self._others = Others(self._entry, Others(self._entry, None))
        self._by_variation: dict[str, KeyValue] | None = None
        self.constants: dict[str, SettingDecision] = index.details
        """Decisions of settings that have been asked for, and that are the same for every `User`
        and for none. So they may be taken from here."""

    def following(self, settings: Settings) -> Evaluators:
        """Return the evaluators of the next settings; unchanged ones are not compiled again."""
        kept = settings.keeping(self.settings)
        index = self._index.following(kept, kept, partial(_entry, kept))
        following = Evaluators.__new__(Evaluators)
        following.settings, following.log_user = kept, self.log_user
        following._use(index)
        return following

    def constant(self, key: str) -> SettingDecision | None:
        """Return the decision of a setting that is the same for all; None where there is none."""
        entry = self.entry(key)
        return None if entry is None else entry.constant  # type: ignore[return-value]

    def one_call(self) -> OneCall:
        """Return what all evaluations of one call and one user are to be given."""
        return OneCall(self._entry)

    def decide(self, key: str, user: object = None, call: OneCall | None = None) -> SettingDecision:
        """Return the value of a setting for a user.

        The key may be unknown, and the user of a wrong type: the decision tells it.
        """
        entry = self.entry(key)
        if entry is None:
            return self._unknown(key)
        if type(user) is User:
            try:
                others = self._others if call is None else call.direct
                return entry.evaluate(attributes_of(user), others)  # type: ignore[return-value]
            except Exception:  # noqa: S110 - whatever it was, the other way finds it and tells it
                pass
        elif user is None and entry.constant is not None:
            return entry.constant  # type: ignore[return-value]
        run = self._run(user, None if call is None else call.stepwise)
        return stepwise.evaluate(run, key, entry.flag)

    def traced(
        self, key: str, user: object = None, prerequisites: Prerequisites | None = None
    ) -> tuple[SettingDecision, str]:
        """Return the same with the text of the evaluation log, to be logged at INFO as 5000.

        The text is empty where there is no such setting.
        """
        entry = self.entry(key)
        if entry is None:
            return self._unknown(key), ""
        run = self._run(user, prerequisites)
        decision = stepwise.evaluate(run, key, entry.flag)
        return decision, str(run.log)

    def log(self, key: str, user: object = None, call: OneCall | None = None) -> EvaluationLog:
        """Return the text of the evaluation log; it takes no time until it is read."""
        return EvaluationLog(self, key, user, None if call is None else call.logged)

    def version(self, key: str) -> int:
        """Return the form of a setting, 5 or 6."""
        entry = self.entry(key)
        return entry.flag.version if entry and isinstance(entry.flag, Setting) else 6

    def key_and_value(self, variation_id: str) -> KeyValue | None:
        """Return which setting has a variation id, and the value; None if none has it."""
        if self._by_variation is None:
            found: dict[str, KeyValue] = {}
            for key in self.settings:
                entry = self._entry(key)
                for served in () if entry is None else _all_served(entry.flag):
                    if isinstance(served, SettingDecision) and served.variation_id is not None:
                        found.setdefault(served.variation_id, KeyValue(key, served.value))
            self._by_variation = found
        try:
            return self._by_variation.get(variation_id)
        except TypeError:  # what cannot be looked up
            return None

    def entry(self, key: str) -> Entry | None:
        """Return a setting, compiled; None when there is none of that key."""
        try:
            return self._index.entries.get(key) or self._entry(key)
        except TypeError:  # a key that cannot be looked up
            return None

    def _entry(self, key: str) -> Entry | None:
        entry = self._index.entry(key)
        if entry is not None and entry.constant is not None:
            self._index.details[key] = entry.constant
        return entry

    def _unknown(self, key: str) -> SettingDecision:
        if _is_among(key, self.settings):  # it is `null`
            return failed(Match.ERROR, evaluation_failed(key, "The setting is missing or invalid."))
        return failed(Match.UNKNOWN, key_not_found(key, self.settings))

    def _run(self, user: object, prerequisites: Prerequisites | None = None) -> Run:
        run = Run(
            user if isinstance(user, User) else None,
            self._find,
            prerequisites or Prerequisites(),
            log_user=self.log_user,
        )
        run.user_told = user is not None and run.user is None
        return run

    def _find(self, key: str) -> Setting | None:
        entry = self._entry(key)
        if entry is not None and isinstance(entry.flag, Broken):
            raise entry.flag.error()
        return None if entry is None else entry.flag


def _entry(settings: Settings, key: str, raw: Any) -> Entry:
    """Return a setting, compiled; one that cannot be read is broken, and harms no other."""
    setting: Setting | Broken
    origin = settings.origin(key)
    try:
        holder = item(raw, "The setting")
        value = holder.get("v")
        version = origin.version if value is None else 6 if isinstance(value, dict) else 5
        setting = version5.read(key, holder) if version == 5 else version6.read(key, holder, origin)
    except InvalidSetting as error:
        setting = Broken(str(error))
    targets = isinstance(setting, Setting) and setting.targets
    served = None if isinstance(setting, Broken) or targets else setting.served
    constant = served if isinstance(served, SettingDecision) else None
    evaluate = direct.compiled(setting)
    return Entry(key, raw, setting, evaluate, constant, targets, telemetry=False)


def _is_among(key: object, settings: Settings) -> bool:
    return isinstance(key, str) and key in settings


def _all_served(setting: Setting | Broken) -> Iterator[Served]:
    """Yield everything that a setting can serve, in the order of ConfigCat's SDKs."""
    if isinstance(setting, Broken):
        return
    yield setting.served
    for rule in setting.rules:
        if isinstance(rule, Rule):
            yield from _of_options(rule.options) if rule.served is None else (rule.served,)
    yield from _of_options(setting.options)


def _of_options(options: object) -> Iterator[Served]:
    if isinstance(options, Options):
        yield from (option.served for option in options.options)
