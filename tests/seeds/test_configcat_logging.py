"""ConfigCat's page on logging: every statement is a test."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider import configcat as configcatclient
from appconfig_provider.configcat import User
from appconfig_provider.testing import ConfigCatEmulator

from .configcat_page import LOG, LOGGING
from .running import KEY
from .statements import EMAIL, says

ROOT = Path(__file__).parents[2]
UUID = "435170f4-8a8b-4b67-a723-505ac7cdea92"
PROGRAM = """
from appconfig_provider.configcat import (
    ConfigCatClient, LocalDictionaryDataSource, OverrideBehaviour, User
)

local = LocalDictionaryDataSource({"flag": True}, OverrideBehaviour.LocalOnly)
client = ConfigCatClient("key", flag_overrides=local)
client.get_value("flag", False)
client.get_value("absent", False)
client.stop()
"""
"""Something at INFO, and one error."""
EMAIL_RULES = {
    "f": {
        "isPOCFeatureEnabled": {
            "v": False,
            "i": "off",
            "t": 0,
            "p": [],
            "r": [
                {"o": 0, "a": "Email", "t": 2, "c": "@something.com", "v": True, "i": "on"},
                {"o": 1, "a": "Email", "t": 2, "c": "@example.com", "v": True, "i": "on"},
            ],
        }
    }
}


def shown(program: str) -> str:
    """Return what a program writes to the terminal that is run by itself."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout + done.stderr


def levels(caplog: pytest.LogCaptureFixture, level: int, cdn: ConfigCatEmulator) -> set[str]:
    """Return the levels of what a program logs, an error, a warning and a value, at a level."""
    cdn.load(EMAIL_RULES)
    caplog.clear()
    with caplog.at_level(level, logger="configcat"):
        client = configcatclient.create_client_with_manual_poll(KEY)
        client.force_refresh()
        client.get_value("isPOCFeatureEnabled", None, User(UUID, EMAIL))
        client.get_value("isPOCFeatureEnabled", None)  # a rule, and no user
        client.get_value("absent", None)
        client.stop()
    return {one.levelname for one in caplog.records if one.name == "configcat"}


@says("In the ConfigCat SDK there is a default logger writes logs to the standard output.")
def test_a_program_that_sets_nothing_up_sees_warnings_and_errors() -> None:
    """The logger is Python's own: without a word it writes what matters to the terminal."""
    text = shown(PROGRAM)
    assert "absent" in text
    assert "Evaluating" not in text
    assert logging.getLogger("configcat").handlers == []


@says("The following example shows how to configure the Log Level of the default logger.")
def test_the_block_about_the_level() -> None:
    """After the two lines of the block each evaluation is logged, beside warnings and errors."""
    text = shown(LOGGING + PROGRAM)
    assert "INFO:configcat:" in text
    assert "ERROR:configcat:" in text


@says("ERROROnly error level events are logged.")
def test_level_error(caplog: pytest.LogCaptureFixture, cdn: ConfigCatEmulator) -> None:
    """At this level errors are logged, and nothing else."""
    assert levels(caplog, logging.ERROR, cdn) == {"ERROR"}


@says("WARNDefault.", "Errors and Warnings are logged.")
def test_level_warning(caplog: pytest.LogCaptureFixture, cdn: ConfigCatEmulator) -> None:
    """At this level, which is the default, errors and warnings are logged, and nothing else."""
    assert levels(caplog, logging.WARNING, cdn) == {"ERROR", "WARNING"}
    assert logging.getLogger("configcat").level == logging.NOTSET  # so the root's default counts


@says("INFOErrors, Warnings and feature flag evaluation is logged.")
def test_level_info(caplog: pytest.LogCaptureFixture, cdn: ConfigCatEmulator) -> None:
    """At this level evaluations are logged as well."""
    assert levels(caplog, logging.INFO, cdn) == {"ERROR", "WARNING", "INFO"}
    assert any("Evaluating get_value('absent')" in text for text in caplog.messages) or any(
        "Evaluating get_value('isPOCFeatureEnabled')" in text for text in caplog.messages
    )


@says("DEBUGAll of the above plus debug info is logged.")
def test_level_debug(caplog: pytest.LogCaptureFixture, cdn: ConfigCatEmulator) -> None:
    """At this level there is more, and nothing of the others is missing."""
    assert levels(caplog, logging.DEBUG, cdn) == {"ERROR", "WARNING", "INFO", "DEBUG"}


@says("Info level logging helps to inspect the feature flag evaluation process:")
def test_the_log_of_an_evaluation(caplog: pytest.LogCaptureFixture, cdn: ConfigCatEmulator) -> None:
    """Rule by rule it is said what was compared and what came of it, in the page's words."""
    cdn.load(EMAIL_RULES)
    client = configcatclient.create_client(KEY)
    client.get_all_keys()
    with caplog.at_level(logging.INFO, logger="configcat"):
        value = client.get_value("isPOCFeatureEnabled", None, User(UUID, EMAIL))
    assert value is True
    (text,) = [one for one in caplog.messages if "Evaluating get_value" in one]
    expected = [line.strip() for line in LOG.removeprefix("\nINFO -- : ").splitlines()]
    assert [line.strip() for line in text.splitlines()][: len(expected)] == expected


def test_the_log_without_the_user(caplog: pytest.LogCaptureFixture, cdn: ConfigCatEmulator) -> None:
    """Who keeps users out of the log sees the rules all the same."""
    cdn.load(EMAIL_RULES)
    client = configcatclient.create_client_with_lazy_load(KEY, log_user=False)
    options: dict[str, Any] = {"user": User(UUID, EMAIL)}
    with caplog.at_level(logging.DEBUG, logger="configcat"):
        client.get_value("isPOCFeatureEnabled", None, **options)
    text = "\n".join(caplog.messages)
    assert re.search(r"\[Email\] \[CONTAINS\] \[@example.com\] => match", text)
    assert UUID not in text
    assert EMAIL not in text
