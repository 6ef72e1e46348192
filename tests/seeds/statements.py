"""What ConfigCat's page says, sentence by sentence, and which test proves it.

A test names its sentences and table rows by their first words: `@says("Use the poll_interval")`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from .configcat_page import BLOCKS

PAGE = Path(__file__).parents[2].parent / "shared" / "seeds" / "001_012bf34b4295b3e7.txt"
PROTECTED = "[email\N{NO-BREAK SPACE}protected]"
"""What the page has where an e-mail address was."""
EMAIL = "someone@example.com"
CHANGED_LINES = {"import configcatclient", "from configcatclient.interfaces import ConfigCache"}
"""The lines of code that the retyped blocks have in another form."""

NAVIGATION = (
    "Skip to main content",
    "Star on GitHub Python CI",
    "ConfigCat Python SDK on GitHub",
    "Get it from ConfigCat Dashboard.",
    "Set on ConfigCat Dashboard for each setting.",
    "More about Data Governance.",
    "More about polling modes.",
    "Read more about Targeting.",
    "See below for details.",
    "Debug logs can be different for other SDKs.",
    "Look under the hood",
)
"""How statements begin that are about the page itself, the dashboard or other SDKs."""
HEADINGS = {
    "Python SDK Reference",
    "Getting started",
    "Install ConfigCat SDK",
    "pip install configcat-client",
    "Import the package",
    "Create the ConfigCat client with your SDK Key",
    "Get your setting value",
    "Stop ConfigCat client",
    "Creating the ConfigCat Client",
    "ConfigCat Client is responsible for:",
    "caution",
    "Anatomy of get_value()",
    "User Object",
    "Polling Modes",
    "Auto polling (default)",
    "Lazy loading",
    "Manual polling",
    "Available options:",
    "Flag Overrides",
    "JSON File",
    "File",
    "JSON File Structure",
    "Simple (key-value) structure",
    "Dictionary",
    "Logging",
    "Available log levels:",
    "get_all_keys()",
    "get_all_values()",
    "Using ConfigCat behind a proxy",
    "Sample Applications",
    "PropertiesDescription",
    "ParametersDescription",
    "Option ParameterDescriptionDefault",
    "LevelDescription",
}
"""Lines that state nothing."""

Test = TypeVar("Test", bound=Callable[..., object])


def says(*openings: str) -> Callable[[Test], Test]:
    """Mark a test as the proof of sentences and rows of the page that begin so."""
    assert openings

    def unchanged(test: Test) -> Test:
        return test

    return unchanged


def page_lines() -> list[str]:
    """Return the lines of the page, its e-mail addresses restored."""
    if not PAGE.exists():
        pytest.skip("ConfigCat's page is not here")
    text = PAGE.read_text(encoding="utf-8").replace(PROTECTED, EMAIL)
    return [line.strip() for line in text.splitlines() if line.strip()]


def lines_of_blocks() -> set[str]:
    """Return every line of the retyped blocks."""
    return {line.strip() for block in BLOCKS.values() for line in block.splitlines()} - {""}


def statements() -> list[str]:
    """Return the sentences and rows of the page, in order: all that is no line of code."""
    code = lines_of_blocks() | CHANGED_LINES
    prose = [line.lstrip("• ") for line in page_lines() if line not in code]
    sentences = [one for line in prose for one in re.split(r"(?<=[.:])\s+(?=[A-Z])", line)]
    numbered = re.compile(r"\d\.")
    return [one for one in sentences if one not in HEADINGS and not numbered.fullmatch(one)]


def proved() -> dict[str, list[str]]:
    """Return the openings that tests name, with the names of those tests."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "says":
                    for opening in mark.args:
                        found.setdefault(ast.literal_eval(opening), []).append(node.name)
    return found
