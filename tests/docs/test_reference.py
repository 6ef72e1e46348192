"""What the pages say of the code is what the code says."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

from appconfig_provider import aio, provider
from tests.docs.pages import OTHERS, PAGES, ROOT, Page

CONFIGURATION = Page(ROOT / "docs" / "configuration.md")
TROUBLESHOOTING = Page(ROOT / "docs" / "troubleshooting.md")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def defaults(function: object) -> dict[str, str]:
    """Return the keywords of a function and their defaults as they are written."""
    (definition,) = ast.parse(inspect.getsource(function)).body  # type: ignore[arg-type]
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    arguments = definition.args
    values = [*arguments.defaults, *arguments.kw_defaults]
    names = [argument.arg for argument in arguments.args + arguments.kwonlyargs]
    return {
        name: ast.unparse(value)
        for name, value in zip(names, values, strict=True)
        if value is not None
    }


@pytest.mark.parametrize("load", [provider.load, aio.load], ids=["sync", "aio"])
def test_the_reference_has_every_keyword_with_its_default(load: object) -> None:
    """Each keyword has one row, with the default of the signature and a meaning."""
    rows = [row for row in CONFIGURATION.rows if len(row) == 3 and row[0].startswith("`")]
    reported = [(keyword.strip("`"), default.strip("`")) for keyword, default, _ in rows]
    assert sorted(reported) == sorted(defaults(load).items())
    assert all(meaning for *_, meaning in rows)


def messages() -> str:
    """Return every text in the package, the parts of an f-string that are fixed included."""
    return "\n".join(
        node.value
        for path in (ROOT / "appconfig_provider").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_the_messages_are_those_of_the_code() -> None:
    """A message that somebody searches for stands on the page as the code writes it."""
    known = messages()
    named = [text for row in TROUBLESHOOTING.rows for text in re.findall(r"`([^`]+)`", row[0])]
    assert len(named) > 25
    for message in named:
        if "(config)" in message:  # what somebody wrote, not what was answered
            continue
        for part in message.split("..."):
            assert part.strip() in known, message


def test_every_extra_is_explained() -> None:
    """The page about installing has a row for each extra of the package."""
    extras = re.search(r"optional-dependencies\]\n(.*?)\n\n", PROJECT, re.DOTALL)
    assert extras is not None
    rows = [row for row in Page(ROOT / "docs" / "get-started.md").rows if len(row) == 2]
    names = re.findall(r"^(\w+) =", extras[1], re.MULTILINE)
    assert {name.strip("`") for name, _ in rows} - {"Extra"} == set(names)


@pytest.mark.parametrize(
    ("page", "heading"), [("speed", "metric"), ("feature-flags", "ours alone")]
)
def test_the_tables_can_be_measured_anew(page: str, heading: str) -> None:
    """A page about speed has the marks between which the benchmarks put their tables."""
    text = Page(ROOT / "docs" / f"{page}.md").text
    assert text.count(f"<!-- bench -->\n| {heading} |") == 1
    assert text.count("<!-- /bench -->") == 1


def test_the_make_targets_are_there() -> None:
    """A target that a document names stands in the Makefile, which names no other."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for page in [*PAGES, *OTHERS]:
        for target in re.findall(r"`make ([a-z-]+)`", page.text):
            assert target in targets, f"{page.name}: make {target}"
    reported = set(re.findall(r"`make ([a-z-]+)`", (ROOT / "CONTRIBUTING.md").read_text()))
    assert reported == targets - {"clean"}
