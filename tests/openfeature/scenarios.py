"""OpenFeature's Gherkin files as scenarios: outlines filled in, the background in front.

They lie beside the repository and are no part of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler

FOLDER = Path(__file__).parents[2].parent / "shared" / "vectors" / "openfeature"
FILES = ("evaluation_v2.feature", "metadata.feature")
LEFT_OUT = "@reason-codes-cached"
"""Scenarios for providers that cache over a network; ours evaluates, and answers STATIC."""
STATES = frozenset({"@provider-status", "@hooks", "@immutability"})
"""Scenarios about the SDK and about states of a provider, and not about flags."""


class Step(NamedTuple):
    """One line of a scenario, with the rows of the table below it."""

    text: str
    table: list[list[str]]


class Scenario(NamedTuple):
    """One scenario with its steps."""

    name: str
    tags: frozenset[str]
    steps: list[Step]


def scenarios() -> list[Scenario]:
    """Return all scenarios of the files; none where there are no files."""
    found = []
    for file in FILES:
        path = FOLDER / file
        if path.exists():
            document: dict[str, Any] = dict(Parser().parse(path.read_text(encoding="utf-8")))
            document["uri"] = file
            found += [_scenario(dict(one)) for one in Compiler().compile(document)]  # type: ignore[arg-type]
    return found


def _scenario(pickle: dict[str, Any]) -> Scenario:
    return Scenario(
        pickle["name"],
        frozenset(tag["name"] for tag in pickle["tags"]),
        [Step(step["text"], _table(step)) for step in pickle["steps"]],
    )


def _table(step: dict[str, Any]) -> list[list[str]]:
    table = step.get("argument", {}).get("dataTable", {"rows": []})
    return [[cell["value"] for cell in row["cells"]] for row in table["rows"]]


def flags() -> dict[str, Any]:
    """Return the flags of the files in Microsoft's schema."""
    text = (FOLDER / "test-flags.featuremanagement.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


PARSERS: dict[str, Callable[[str], Any]] = {
    "Boolean": lambda text: text == "true",
    "String": str,
    "Integer": int,
    "Float": float,
    "Object": lambda text: json.loads(text.replace('\\"', '"')),
}
"""How the files write values, by type."""


class Steps:
    """Functions for steps, by the pattern of their text."""

    def __init__(self) -> None:
        self._functions: list[tuple[re.Pattern[str], Callable[..., None]]] = []

    def __call__(self, pattern: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Decorate the function for a pattern; it gets the world, the groups, and a table."""

        def add(function: Callable[..., None]) -> Callable[..., None]:
            self._functions.append((re.compile(pattern), function))
            return function

        return add

    def run(self, world: object, scenario: Scenario) -> None:
        """Run a scenario; a step that nobody knows fails."""
        for step in scenario.steps:
            fitting = [
                (match, run)
                for known, run in self._functions
                if (match := known.fullmatch(step.text))
            ]
            assert len(fitting) == 1, step.text
            (match, run), table = fitting[0], [step.table] if step.table else []
            run(world, *match.groups(), *table)
