"""The page about clients names the versions that the full run uses."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.contract.azure_cli import PROGRAM
from tests.contract.node.packages import FOLDER
from tests.contract.test_official_suites import SUITES, TESTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("### In every full run")[2].partition("\n### ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in SECTION.splitlines()
    if re.match(r"\| [@a-z]", line)
]


def used(client: str) -> str:
    """The version that the tests use."""
    if client == "azure-cli":
        pinned = re.search(r'"azure-cli==(.*?)"', (ROOT / "pyproject.toml").read_text())
        assert pinned is not None
        return pinned[1]
    if client.startswith("@"):
        pins: dict[str, str] = json.loads((FOLDER / "package.json").read_text())["dependencies"]
        return pins[client]
    return version(client)


@pytest.mark.parametrize(("client", "named"), sorted({(row[0], row[1]) for row in ROWS}))
def test_names_the_versions_that_are_tested(client: str, named: str) -> None:
    """The version in a row is the one that the tests are pinned to, or that is installed."""
    assert named == used(client)


def test_the_cli_is_the_one_that_is_named() -> None:
    """The Azure CLI that is installed is of the version on the page."""
    if not PROGRAM.exists():
        pytest.skip("the Azure CLI is not installed; `make clients` does it")
    (found,) = PROGRAM.parents[1].glob("lib/python3*/site-packages/azure_cli-[0-9]*.dist-info")
    assert ["azure-cli", found.name.removeprefix("azure_cli-").removesuffix(".dist-info")] in [
        row[:2] for row in ROWS
    ]


@pytest.mark.parametrize("client", sorted({suite.package for suite in SUITES}))
def test_counts_the_own_tests(client: str) -> None:
    """The page says how many of a client's own tests are run, and of how many."""
    suites = [suite for suite in SUITES if suite.package == client]
    run = sum(TESTS[suite.name] for suite in suites)
    left_out = sum(len(suite.left_out) for suite in suites)
    results = [row[4] for row in ROWS if row[0] == client and row[2].startswith("own tests")]
    assert results == [f"{run} of {run + left_out}"]
