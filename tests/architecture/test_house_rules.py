"""The house rules that no linter knows: sizes, docstrings of tests, documents that stay true."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import appconfig_provider

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "appconfig_provider"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

MAX_MODULE = 350
MAX_FUNCTION = 40
MAX_PARAMETERS = 6
#: What users call by keywords: functions, and classes by what makes them.
PUBLIC = {
    "load",
    "serve",
    "Emulator",
    "ConfigCatClient",
    "create_client_with_auto_poll",
    "create_client_with_lazy_load",
    "create_client_with_manual_poll",
}
#: Feature filters of programs take keywords of their own: who passes them on, and who gets them.
PASS_KEYWORDS_ON = {"is_enabled", "get_variant", "get_value", "evaluate"}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def scope_of(path: Path, function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """Return the name users call a function by: for ``__init__`` it is that of its class."""
    if function.name != "__init__":
        return function.name
    classes = [
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and node.lineno < function.lineno <= (node.end_lineno or 0)
    ]
    return classes[-1]


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Count a function's lines without its docstring and its parameter list."""
    body = function.body
    if ast.get_docstring(function) is not None and len(body) > 1:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_stay_small(path: Path) -> None:
    """Modules end at 350 lines, functions at 40, parameter lists at 6 but of public functions."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_MODULE
    for function in functions(path):
        assert lines_of_code(function) <= MAX_FUNCTION, function.name
        arguments = function.args
        count = len(arguments.posonlyargs + arguments.args + arguments.kwonlyargs)
        own = {"self", "cls"} & {argument.arg for argument in arguments.args[:1]}
        if scope_of(path, function) not in PUBLIC:
            assert count - len(own) <= MAX_PARAMETERS, function.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_signature_takes_any_keyword(path: Path) -> None:
    """A signature tells the truth: no **kwargs, but where a decorator or filters get them."""
    for function in functions(path):
        keywords = function.args.kwarg
        if keywords is not None:
            annotation = ast.unparse(keywords.annotation) if keywords.annotation else ""
            passed_on = "flags" in path.parts and function.name in PASS_KEYWORDS_ON
            unseen = annotation == "P.kwargs" or keywords.arg.startswith("_")
            assert unseen or passed_on, function.name


def test_only_the_runtime_loops_and_waits() -> None:
    """A source has no loop of its own, and awaits nothing but the runtime and the program's hooks.

    What threads, timers and clocks are made of it cannot even import (see `pyproject.toml`).
    """
    awaited: set[str] = set()
    for path in (PACKAGE / "configcat").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, ast.While | ast.AsyncFor), f"{path}:{node.lineno}"
            if isinstance(node, ast.Await):
                awaited.add(ast.unparse(node.value).partition("(")[0])
    own = {name for name in awaited if name.startswith("self.") and name.count(".") == 1}
    of_the_runtime = {"refresh_or_join_async", "wait_async", "live.refresh", "self._live.close"}
    of_hooks = {"answer", "client._tell_ready", "client.close"}
    of_hooks |= {"self._events.call_async", "client._events.call_async"}
    assert awaited - own <= of_the_runtime | of_hooks


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_states_its_rule(path: Path) -> None:
    """Each test has a docstring: one sentence that says what must hold."""
    for function in functions(path):
        if function.name.startswith("test_"):
            assert ast.get_docstring(function), f"{function.name} has no docstring"


def test_the_public_names_are_importable() -> None:
    """Every public name can be fetched once, and nothing else (their order is ruff's to check)."""
    assert len(appconfig_provider.__all__) == len(set(appconfig_provider.__all__))
    for name in appconfig_provider.__all__:
        assert getattr(appconfig_provider, name) is not None
    assert set(appconfig_provider.__all__) <= set(dir(appconfig_provider))
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        appconfig_provider.lod  # noqa: B018 - fetching it is the test


def test_public_classes_name_a_public_module() -> None:
    """What a traceback or a repr says of a public class can be imported from there for good."""
    for name in appconfig_provider.__all__:
        kind = getattr(appconfig_provider, name)
        if isinstance(kind, type):
            assert "._" not in kind.__module__, name
            home = importlib.import_module(kind.__module__)
            assert getattr(home, name) is kind


def test_importing_the_package_imports_no_dependency() -> None:
    """`import appconfig_provider` is free: neither httpcore nor azure-core comes with it."""
    heavy = "{'anyio', 'certifi', 'httpcore', 'httpx', 'azure', 'asyncio', 'ssl', 'starlette'}"
    program = f"import sys, appconfig_provider; print(sorted({heavy} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert shown.stdout.strip() == "[]"


def test_the_architecture_document_names_every_module() -> None:
    """Each module is named by its path, so that nobody has to search for its place."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = {*re.findall(r"`([\w/]+)`", text), *re.findall(r"\w+", _drawing(text))}
    for path in MODULES:
        name = path.relative_to(PACKAGE).with_suffix("").as_posix()
        if path.name.startswith("__") or name == "_version":
            continue
        alone = name.startswith(("emulator/", "testing/", "cli/")) and path.stem in named
        assert alone or name in named, f"{name} is missing"


def test_the_architecture_document_names_nothing_that_is_not_there() -> None:
    """A path in the table of changes leads to a module or a folder of the package."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.partition("## Where a change goes")[2].partition("## ")[0]
    paths = re.findall(r"`(_?[a-z]\w*(?:/\w+)+)`", table)
    assert len(paths) > 40
    for path in paths:
        home = ROOT if path.startswith(("tests/", "docs/")) else PACKAGE
        named = [home / path, home / f"{path}.py", home / f"{path}.md"]
        assert any(each.exists() for each in named), path


def test_every_room_of_the_house_is_in_the_drawing() -> None:
    """The drawing fits one screen and shows each folder and each module beside them."""
    drawing = _drawing((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert len(drawing.splitlines()) <= 45
    rooms = {path.relative_to(PACKAGE).parts[0] for path in PACKAGE.rglob("*.py")}
    for room in {room.removesuffix(".py") for room in rooms} - {"__init__", "_version"}:
        assert re.search(rf"\b{room}\b", drawing), f"{room} is missing"


def _drawing(text: str) -> str:
    return text.split("```")[1]


def test_the_reference_documents_every_keyword() -> None:
    """Every keyword of load() stands in the reference (its default: tests/docs)."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    load = next(
        function for function in functions(PACKAGE / "provider.py") if function.name == "load"
    )
    for argument in load.args.args + load.args.kwonlyargs:
        assert f"\n| `{argument.arg}` |" in text, f"{argument.arg} is missing"


def test_the_documents_name_every_public_name() -> None:
    """Every public name stands in the README or on a page of docs/."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    for name in appconfig_provider.__all__:
        if not name.startswith("__"):
            assert re.search(rf"\b{name}\b", text), f"{name} is missing"


def test_the_changelog_names_the_version() -> None:
    """The newest heading of the changelog is this version or what comes after it."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text or f"## [{appconfig_provider.__version__}]" in text
