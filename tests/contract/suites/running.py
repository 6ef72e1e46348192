"""Running a client's own tests in a process of their own, against a store and a vault."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree as ET

from appconfig_provider.testing import Emulator, Vault

from .archives import folder_of

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
_PATIENCE = 300.0  # seconds for a whole suite
_NOT_PASSED = {"failure", "error", "skipped"}
_SECRETS = ("Very secret value", "Very secret value 2")


@dataclass(frozen=True)
class Suite:
    """A client's own tests, or a part of them.

    ``chosen`` are arguments for pytest, ``left_out`` says why a test is not run.
    """

    name: str
    package: str
    chosen: Sequence[str] = (".",)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What came of a suite: names of tests, pytest's words, requests that the store got."""

    passed: frozenset[str] = field(repr=False)
    others: frozenset[str]
    output: str = field(repr=False)
    requests: int


def run(suite: Suite) -> Result:
    """Run the tests against a store of their own, over TLS.

    Raises:
        Unavailable: the tests are not on this machine.
    """
    folder = folder_of(suite.package)
    with Emulator(tls=True) as store, Vault() as vault, TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        options = ["-q", "--tb=short", "-c", os.devnull, f"--rootdir={folder}"]
        plugins = ["-p", "no:cacheprovider", "-p", "devtools_testutils.running"]
        not_awaited = ["-W", "error:It is deprecated to return a value:DeprecationWarning"]
        pytest = [sys.executable, "-m", "pytest", *options, *plugins, *not_awaited]
        done = subprocess.run(
            [*pytest, f"--junit-xml={report}", *suite.chosen],
            cwd=folder,
            env=_environment(store, vault, suite),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        passed, others = outcomes(report)
        return Result(passed, others, done.stdout, len(store.requests))


def _environment(store: Emulator, vault: Vault, suite: Suite) -> dict[str, str]:
    references = [vault.id(f"secret{number}") for number in range(len(_SECRETS))]
    for number, value in enumerate(_SECRETS):
        vault.set(f"secret{number}", value)
    first, second = references
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{HERE}{os.pathsep}{ROOT}",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "LEFT_OUT": " ".join(suite.left_out),
        "REQUESTS_CA_BUNDLE": store.ca_file or "",
        "SSL_CERT_FILE": store.ca_file or "",
        "APPCONFIGURATION_ENDPOINT_STRING": store.endpoint,
        "APPCONFIGURATION_CONNECTION_STRING": store.connection_string,
        "APPCONFIGURATION_KEY_VAULT_REFERENCE": first,
        "APPCONFIGURATION_KEY_VAULT_REFERENCE2": second,
        "APPCONFIGURATION_KEYVAULT_SECRET_URL": first,
        "APPCONFIGURATION_KEYVAULT_SECRET_URL2": second,
        "KEYVAULT_SECRET_URL": first,  # two names of older versions
        "KEYVAULT_SECRET_URL2": second,
    }


def outcomes(report: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The names of tests that passed, and of the others; none where pytest could not begin."""
    if not report.exists():
        return frozenset(), frozenset()
    cases = ET.parse(report).getroot().iter("testcase")
    found = [
        (f"{case.get('classname')}.{case.get('name')}", {child.tag for child in case})
        for case in cases
    ]
    others = frozenset(name for name, tags in found if tags & _NOT_PASSED)
    return frozenset(name for name, _ in found) - others, others
