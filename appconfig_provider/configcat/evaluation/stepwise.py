"""Evaluates settings step by step, with their warnings and their log."""

from __future__ import annotations

from dataclasses import replace

from appconfig_provider.configcat.evaluation import notices, stepwise5
from appconfig_provider.configcat.evaluation.compiled import Broken, Setting
from appconfig_provider.configcat.evaluation.decisions import (
    InvalidSetting,
    SettingDecision,
    failed,
)
from appconfig_provider.configcat.evaluation.notices import shown
from appconfig_provider.configcat.evaluation.stepwise6 import Stepwise
from appconfig_provider.configcat.evaluation.tracing import Run
from appconfig_provider.flags.evaluation import Match


def evaluate(run: Run, key: str, setting: Setting | Broken) -> SettingDecision:
    """Return the value of a setting and what is to be told; the log is that of the run.

    It never raises: what goes wrong is told by the decision.
    """
    if run.user_told:
        run.tell(notices.user_of_another_type(key))
    try:
        if isinstance(setting, Broken):
            raise setting.error()
        decision = _logged(run, setting)
    except InvalidSetting as error:
        why = str(error)
    except Exception as error:  # a program's own user; the text may quote it
        why = f"{type(error).__name__} of the program's own User Object"
    else:
        return replace(decision, notices=tuple(run.notices)) if run.notices else decision
    return failed(Match.ERROR, notices.evaluation_failed(key, why), tuple(run.notices))


def _logged(run: Run, setting: Setting) -> SettingDecision:
    log, key = run.log, shown(setting.key)
    if setting.version == 5:
        log.add(f"Evaluating get_value('{key}').")
        if run.user is not None:
            log.line("User object:")
            log.line(run.shown_user_indented())
        return stepwise5.evaluate(run, setting)
    log.add(f"Evaluating '{key}'")
    if run.user is not None:
        log.add(f" for User '{run.shown_user()}'")
    log.indent()
    decision = Stepwise(run, setting, _any_version).evaluate()
    log.line(f"Returning '{shown(decision.value)}'.")
    return decision


def _any_version(run: Run, setting: Setting) -> SettingDecision:
    if setting.version == 5:
        return stepwise5.evaluate(run, setting)
    return Stepwise(run, setting, _any_version).evaluate()
