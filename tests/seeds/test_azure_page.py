"""The Azure tutorial's code blocks run with nothing changed but their import line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appconfig_provider.testing import Emulator
from tests.samples.pages import address, page, page_that_shows
from tests.samples.processes import CONSOLE_VARIABLE, FLASK_VARIABLE, HURRIED, ROOT, Running

from .azure_page import CONSOLE, EXISTING, FLASK, IMPORT, TEMPLATE

PAGE = ROOT.parent / "shared" / "seeds" / "000_44f1b4fa85f7287b.txt"
THEIR_IMPORT = "from azure.appconfiguration.provider import load, WatchKey"
BLOCKS = {
    "console": ("Create a new Python file named app.py", "Run your script:", CONSOLE),
    "flask": ("Then update your endpoints to check", "Update your template index.html", FLASK),
    "template": ("Update your template index.html", "You can find a full sample", TEMPLATE),
}
SAMPLES = {
    "console": ROOT / "samples" / "console_app.py",
    "flask": ROOT / "samples" / "flask_app" / "app.py",
    "template": ROOT / "samples" / "flask_app" / "templates" / "index.html",
}


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a store with the tutorial's key-values."""
    with Emulator() as emulator:
        emulator.set_many({"message": "Hello World!", "sentinel": "1"})
        yield emulator


def surviving_lines(block: str) -> list[str]:
    """Return the lines of a code block as they stand on the tutorial's page."""
    if not PAGE.exists():
        pytest.skip("the tutorial's page is not here")
    first, last, _ = BLOCKS[block]
    text = PAGE.read_text(encoding="utf-8").partition(first)[2].partition(last)[0]
    # Before the first blank line stands the rest of the sentence that introduces the block.
    lines = [line.strip() for line in text.partition("\n\n")[2].splitlines()]
    code = [line for line in lines if line and line not in {THEIR_IMPORT, "2."}]
    assert len(code) > 1
    return code


@pytest.mark.parametrize("block", BLOCKS)
def test_every_line_is_kept(block: str) -> None:
    """Each line of the page is in the retyped block, in its order, and in the sample."""
    retyped = BLOCKS[block][2]
    sample = SAMPLES[block].read_text(encoding="utf-8")
    place = 0
    for line in surviving_lines(block):
        assert line in sample
        place = retyped.index(line, place) + len(line)
    assert block == "template" or IMPORT in sample


def test_console_block(store: Emulator, tmp_path: Path) -> None:
    """The console block prints the refreshed message after the sentinel moved, and not before."""
    app = tmp_path / "app.py"
    app.write_text(CONSOLE, encoding="utf-8")
    variables = {CONSOLE_VARIABLE: store.connection_string}
    with Running(HURRIED, str(app), cwd=tmp_path, store=variables) as program:
        assert program.next_line().startswith("Update the `message`")
        assert program.next_line().startswith("First, update the `message`")
        assert program.next_line() == "Hello World!"
        store.set("message", "Hello World Refreshed!")
        assert {program.next_line() for _ in range(3)} == {"Hello World!"}
        store.set("sentinel", "2")
        program.wait_for("Hello World Refreshed!")


def test_flask_block(store: Emulator, tmp_path: Path) -> None:
    """The Flask block shows the refreshed message after the sentinel moved, and not before."""
    (tmp_path / "app.py").write_text(EXISTING + FLASK, encoding="utf-8")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "index.html").write_text(TEMPLATE, encoding="utf-8")
    variables = {FLASK_VARIABLE: store.connection_string}
    command = (HURRIED, "-m", "flask", "--app", "app", "run", "--port", "0")
    with Running(*command, cwd=tmp_path, store=variables) as server:
        url = address(server)
        assert "<h1>Hello World!</h1>" in page(url)
        store.set("message", "Hello World Refreshed!")
        assert "<h1>Hello World!</h1>" in page(url)
        store.set("sentinel", "2")
        assert "<h1>Hello World Refreshed!</h1>" in page_that_shows(url, "Refreshed")
        assert "Request for index page received" in server.output
