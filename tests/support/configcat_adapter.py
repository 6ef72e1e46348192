"""ConfigCat's rules for the runner of the published vectors; see the docstring of `run_vectors`."""

from __future__ import annotations

import json
import logging
from typing import Any

from appconfig_provider.configcat.evaluation.document import read_config, read_overrides
from appconfig_provider.configcat.evaluation.evaluators import Evaluators
from appconfig_provider.configcat.evaluation.notices import Notice, default_of_another_type
from appconfig_provider.configcat.evaluation.settings import NO_SETTINGS, merged
from appconfig_provider.configcat.keys import valid_key as is_valid_key
from appconfig_provider.configcat.overridedatasource import OverrideBehaviour
from appconfig_provider.configcat.user import User

__all__ = ["FORMATS", "User", "evaluate", "logs", "valid_key"]

FORMATS = {"v5", "v6"}

_made: dict[tuple[int, str, str | None], tuple[Any, Evaluators]] = {}


def evaluators(config: Any, overrides: Any = None, behaviour: str | None = None) -> Evaluators:
    """Return the evaluators of a config; they are made once for each."""
    name = (id(config), "" if overrides is None else json.dumps(overrides), behaviour)
    if name not in _made:
        settings = read_config(json.dumps(config)).settings
        if behaviour is not None:
            local = NO_SETTINGS
            if overrides is not None:
                local = read_overrides(json.dumps(overrides)).settings
            settings = merged(settings, local, OverrideBehaviour[behaviour])
        _made[name] = config, Evaluators(settings)  # the config is kept, so that its id is its own
    return _made[name][1]


def evaluate(
    config: Any,
    key: str,
    default: object,
    user: User | None,
    overrides: Any = None,
    behaviour: str | None = None,
) -> dict[str, Any]:
    """Return what an evaluation comes to; with and without a log it must be the same."""
    made = evaluators(config, overrides, behaviour)
    decision = made.decide(key, user)
    assert made.traced(key, user)[0] == decision
    return {
        "value": default if decision.failure else decision.value,
        "variation_id": decision.variation_id,
        "rule": decision.rule is not None,
        "option": decision.option is not None,
    }


def logs(config: Any, key: str, default: object, user: User | None) -> tuple[object, str]:
    """Return the value, and all that is logged at INFO."""
    decision, text = evaluators(config).traced(key, user)
    notices = list(decision.notices)
    if decision.failure:
        notices.append(decision.failure.notice(default))
    value = default if decision.failure else decision.value
    mismatch = default_of_another_type(value, default)
    if mismatch is not None:
        notices.append(mismatch)
    notices.append(Notice(5000, logging.INFO, "%s", (text,)))
    return value, "".join(
        f"{logging.getLevelName(one.level)} [{one.event_id}] {one.text}\n" for one in notices
    )


def valid_key(sdk_key: str, has_base_url: bool) -> bool:
    """Tell whether a key has one of ConfigCat's forms."""
    return is_valid_key(sdk_key, has_base_url=has_base_url)
