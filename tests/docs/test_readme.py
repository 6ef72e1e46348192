"""The README's code is code: every block compiles, and those that can run on their own do."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from appconfig_provider.testing import Emulator

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS: list[str] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_python_block_compiles(block: str) -> None:
    """A reader can paste each block; `async with` needs a coroutine around it."""
    wrapped = "async def main():\n" + textwrap.indent(block, "    ")
    compile(wrapped if "async with" in block else block, "README.md", "exec")


def block_with(text: str) -> str:
    """Return the one block that holds a text."""
    (block,) = [block for block in BLOCKS if text in block]
    return block


@pytest.mark.parametrize(
    "name", ["test_my_program_follows_the_store", "test_my_program_is_kept_up_to_date"]
)
def test_the_tests_of_the_readme_pass(name: str) -> None:
    """The example tests for users run as they stand."""
    space: dict[str, object] = {}
    exec(compile(block_with(name), "README.md", "exec"), space)
    example = space[name]
    assert callable(example)
    example()


def test_the_first_example_prints_the_message() -> None:
    """The loop at the top of the README prints the message of a store."""
    program = block_with("while True").replace("time.sleep(5)", "raise SystemExit(0)")
    with Emulator() as store:
        store.set("message", "Hello World!")
        shown = subprocess.run(
            [sys.executable, "-c", program],
            env={"APPCONFIGURATION_CONNECTION_STRING": store.connection_string},
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=True,
        )
    assert shown.stdout == "Hello World!\n"


def test_the_loading_example_layers_labels() -> None:
    """The example of selectors and trimming gives the labelled value."""
    with Emulator() as store:
        store.set("app/host", "plain")
        store.set("app/host", "labelled", label="prod")
        space: dict[str, object] = {"connection_string": store.connection_string}
        program = block_with("trim_prefixes=").split('config["host"]')[0]
        exec(compile(program, "README.md", "exec"), space)
        config = space["config"]
        assert config["host"] == "labelled"  # type: ignore[index]  # a provider
        config.close()  # type: ignore[attr-defined]  # as above


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("store.down()", "still here True\n"),
        ("config.notify(store", "True pushed\n"),
        ("Vault() as vault", "first\n"),
        ("Polling.auto(interval=60)", "hello\n"),
    ],
)
def test_the_examples_of_replicas_push_and_polling_show_what_they_promise(
    text: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They bring a store of their own and run as they stand."""
    exec(compile(block_with(text), "README.md", "exec"), {})
    assert capsys.readouterr().out == shown
