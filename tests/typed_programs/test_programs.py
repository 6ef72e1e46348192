"""Small programs are clean under `mypy --strict` and pyright; mistakes in them are found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT

PROGRAMS = Path(__file__).with_name("programs")
LOADED = """from appconfig_provider import load
config = load(connection_string="Endpoint=https://contoso.azconfig.io;Id=i;Secret=cw==")
"""
NEEDED = ("django", "fastapi", "flask", "mypy", "pyright")

pytestmark = [pytest.mark.heavy, pytest.mark.unmeasured]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Give the programs, and the blocks of the README; skip where a checker is not installed."""
    for name in NEEDED:
        pytest.importorskip(name)
    folder = tmp_path_factory.mktemp("readme")
    found = sorted(PROGRAMS.glob("*.py"))
    for number, block in enumerate(PAGES[0].blocks("python")):
        path = folder / f"readme_{number}.py"
        before = LOADED if "load(" not in block.code else ""
        path.write_text(before + block.code.replace("():\n", "() -> None:\n"), encoding="utf-8")
        found.append(path)
    assert len(found) >= 6
    return found


def test_mypy_agrees(programs: list[Path]) -> None:
    """Strict, so that an `ignore` in `wrong.py` that hides nothing is an error, too."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, programs)]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (shown.stdout, shown.returncode) == ("", 0)


def test_pyright_agrees(programs: list[Path]) -> None:
    """In the project's mode; `wrong.py` asks for the strict one, which needs each comment."""
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable]
    command += [str(path) for path in programs]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stdout
    assert "0 errors" in shown.stdout
