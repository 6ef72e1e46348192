"""The samples and the demo do what they say, without an account."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from appconfig_provider.testing import Emulator

from .pages import address, page, page_that_shows
from .processes import CONSOLE_VARIABLE, FLASK_VARIABLE, HURRIED, ROOT, Running

CONSOLE = str(ROOT / "samples" / "console_app.py")
FLASK = str(ROOT / "samples" / "flask_app" / "app.py")
WITHOUT_STORE = ROOT / "samples" / "without_store.py"
DEMO = ROOT / "samples" / "demo.py"


@pytest.fixture(scope="module", autouse=True)
def demo() -> Iterator[Running]:
    """Start the demo, which takes its time, next to the other tests."""
    with Running(str(DEMO)) as running:
        yield running


@pytest.fixture
def store() -> Iterator[Emulator]:
    """Give a store with the tutorial's key-values."""
    with Emulator() as emulator:
        emulator.set_many({"message": "Hello World!", "sentinel": "1"})
        yield emulator


def set_value(connection_string: str, key: str, value: str) -> None:
    """Run `appconfig set` as the samples tell the user to."""
    arguments = ("-m", "appconfig_provider.cli", "set", key, value)
    with Running(*arguments, store={CONSOLE_VARIABLE: connection_string}) as command:
        assert command.exit_code() == 0, command.output


def test_console_sample(store: Emulator) -> None:
    """The console sample prints the new message and the changed keys once the sentinel moved."""
    with Running(HURRIED, CONSOLE, store={CONSOLE_VARIABLE: store.connection_string}) as program:
        program.wait_for("First, update")
        assert program.next_line() == "Hello World!"
        store.set("message", "Hello World Refreshed!")
        assert {program.next_line() for _ in range(2)} == {"Hello World!"}
        store.set("sentinel", "2")
        program.wait_for("Changed: message, sentinel")
        assert program.next_line() == "Hello World Refreshed!"


@pytest.mark.skipif(os.name == "nt", reason="the shell lines of PowerShell are others")
def test_console_sample_without_account() -> None:
    """Without a store the sample brings one, and the lines it tells the user to copy work."""
    with Running(HURRIED, CONSOLE) as program:
        export = program.wait_for("export ")
        assert program.next_line().strip() == "appconfig set message 'Hello World Refreshed!'"
        assert program.next_line().strip() == "appconfig set sentinel 2"
        found = re.fullmatch(rf"\s*export {CONSOLE_VARIABLE}='(.+)'", export)
        assert found is not None
        program.wait_for("Hello World!")
        set_value(found[1], "message", "Hello World Refreshed!")
        set_value(found[1], "sentinel", "2")
        program.wait_for("Hello World Refreshed!")


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to the tests as well")
def test_console_sample_ends_quietly(store: Emulator) -> None:
    """Ctrl-C ends the console sample with exit code 0 and without a traceback."""
    with Running(CONSOLE, store={CONSOLE_VARIABLE: store.connection_string}) as program:
        program.wait_for("Hello World!")
        assert program.interrupt() == 0
        assert program.output.endswith("Hello World!\n")


def test_flask_sample(store: Emulator) -> None:
    """The web sample's page shows the new message once the sentinel moved."""
    variables = {FLASK_VARIABLE: store.connection_string, "PORT": "0"}
    with Running(HURRIED, FLASK, store=variables) as server:
        url = address(server)
        assert "<h1>Hello World!</h1>" in page(url)
        store.set("message", "Hello World Refreshed!")
        store.set("sentinel", "2")
        assert "<h1>Hello World Refreshed!</h1>" in page_that_shows(url, "Refreshed")


def test_flask_sample_without_account() -> None:
    """`flask --app ... run` finds the sample, which brings its own store."""
    command = ("-m", "flask", "--app", "samples/flask_app/app", "run", "--port", "0")
    with Running(*command) as server:
        server.wait_for(f"export {FLASK_VARIABLE}=")
        assert "<h1>Hello World!</h1>" in page(address(server))


def load_demo() -> ModuleType:
    """Import the demo, which is a program and no module of a package."""
    spec = importlib.util.spec_from_file_location("demo", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["Hello World!", "Hello World Refreshed!"], "printed 'Hello World Refreshed!', not"),
        (["Hello World!"], "the sample ended before it printed 'Hello World!'"),
        (["Hello World!"] * 2, "the sample ended before it printed 'Hello World Refreshed!'"),
        (["Hello World!"] * 2 + ["Hello World Refreshed!"], "did not name what changed"),
    ],
)
def test_demo_notices_broken_promises(
    lines: list[str],
    complaint: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A sample that does not do what was told makes the demo fail and say why."""
    module = load_demo()
    impostor = tmp_path / "impostor.py"
    impostor.write_text(f"print({chr(10).join(lines)!r})", encoding="utf-8")
    monkeypatch.setattr(module, "SAMPLE", impostor)
    assert module.main() == 1
    assert complaint in capsys.readouterr().err


def test_demo_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sample that stays silent makes the demo fail when its time is up."""
    module = load_demo()
    silent = tmp_path / "silent.py"
    silent.write_text("import time; time.sleep(60)", encoding="utf-8")
    monkeypatch.setattr(module, "SAMPLE", silent)
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    assert module.main() == 1
    assert "time is up" in capsys.readouterr().err


def test_demo(demo: Running) -> None:
    """The demo ends well within 20 seconds, having shown the old value, the change, the new one."""
    assert demo.exit_code() == 0, demo.output
    assert demo.seconds < 20
    shown = [line.strip() for line in demo.output.splitlines() if line.startswith("    ")]
    assert shown[-4:] == [
        "Hello World!",
        "Hello World!",
        "Changed: message, sentinel",
        "Hello World Refreshed!",
    ]


def test_sample_without_store(tmp_path: Path) -> None:
    """The sample without a store prints what its file says, and again when that was edited."""
    program, dev = tmp_path / "without_store.py", tmp_path / "dev.json"
    program.write_text(WITHOUT_STORE.read_text(encoding="utf-8"), encoding="utf-8")
    text = WITHOUT_STORE.with_name("dev.json").read_text(encoding="utf-8")
    dev.write_text(text, encoding="utf-8")
    with Running(HURRIED, str(program)) as running:
        assert running.next_line() == "Hello Developer! localhost"
        edited = tmp_path / "edited"
        edited.write_text(text.replace("localhost", "example.com"), encoding="utf-8")
        edited.replace(dev)
        assert running.next_line() == "Hello Developer! example.com"


def test_configcat_sample() -> None:
    """The sample follows changes in three modes, targets, overrides, and logs an evaluation."""
    with Running(str(ROOT / "samples" / "configcat_app.py")) as program:
        assert program.exit_code() == 0, program.output
    lines = program.output.splitlines()
    shown = [line for line in lines if not line.startswith("  ERROR")]
    assert shown[:6] == [
        "auto: Hello!",
        "auto, a minute later: Good evening!",
        "  the callback saw: Hello! Good evening!",
        "lazy: Good evening!",
        "lazy, at once: Good evening!",
        "lazy, ten minutes later: Good night!",
    ]
    assert shown[6:8] == ["manual: nothing", "manual, refreshed: Good night!"]
    assert "  the new search is on for user 1" in lines
    assert any("Evaluating get_value('isNewSearchEnabled')" in line for line in lines)
    assert "Evaluating rule: [Email] [CONTAINS] [@example.com] => match, returning: True" in lines
    assert lines[-1] == (
        "overridden: {'isNewSearchEnabled': True, 'greeting': 'Hello, developer!'}"
    )


def test_feature_flags_sample() -> None:
    """The sample targets people, shows a variant's value, explains, and follows a refresh."""
    with Running(str(ROOT / "samples" / "feature_flags.py")) as program:
        assert program.exit_code() == 0, program.output
    lines = program.output.splitlines()
    assert [line.partition(":")[0] for line in lines[:3]] == ["adam", "eve", "mia"]
    assert [line.split("Beta is ")[1][:3].strip(",") for line in lines[:3]] == ["on", "on", "off"]
    assert {line.rpartition(" ")[2] for line in lines[:3]} == {"black", "white"}
    assert lines[3].startswith("'Beta' is off for user 'mia'")
    assert lines[-1] == "Beta for adam, switched off: False"
