"""`appconfig set`, `get` and `list` against a store over HTTP."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from appconfig_provider.cli.commands import VARIABLES
from appconfig_provider.emulator import Draft, Store
from appconfig_provider.emulator.seeds import plant, read_seed
from appconfig_provider.testing import JSON_NULL, Emulator, RequestRecord, Scripted

from .conftest import Run

ESCAPE = "\x1b[31m"


def test_set_then_get(run: Run, store: Emulator) -> None:
    """What `set` writes is in the store, and `get` prints it with nothing around it."""
    assert (
        run("set", "message", "Hello World!").output
        == f"Created setting 'message' without label at {store.endpoint}.\n"
    )
    written = store.get("message")
    assert written is not None
    assert written.value == "Hello World!"
    assert run("get", "message").stdout == "Hello World!\n"


def test_labels_are_kept_apart(run: Run, store: Emulator) -> None:
    """A label makes another setting of the same key."""
    run("set", "message", "plain")
    run("set", "message", "labelled", "--label", "prod")
    assert store.get("message", "prod") is not None
    assert run("get", "message").stdout == "plain\n"
    assert run("get", "message", "--label", "prod").stdout == "labelled\n"


@pytest.mark.parametrize("key", ["a/b", "a b+c&d=e?f#g", "ключ", "*", "a,b\\c"])
def test_any_key_can_be_named(run: Run, store: Emulator, key: str) -> None:
    """Characters that mean something in addresses and filters are letters of a key here."""
    assert run("set", key, "früh ☀").exit_code == 0
    assert store.get(key) is not None
    assert run("get", key).stdout == "früh ☀\n"


def test_what_is_not_given_stays(run: Run, store: Emulator) -> None:
    """Writing a value keeps the tags and the content type, unless a new one is given."""
    store.set("flag", "{}", content_type="application/json", tags={"team": "a"})
    assert (
        run("set", "flag", "[]").output
        == f"Updated setting 'flag' without label at {store.endpoint}.\n"
    )
    written = store.get("flag")
    assert written is not None
    assert (written.value, written.content_type) == ("[]", "application/json")
    assert written.tags == {"team": "a"}
    run("set", "flag", "text", "--content-type", "text/plain")
    written = store.get("flag")
    assert written is not None
    assert (written.content_type, dict(written.tags)) == ("text/plain", {"team": "a"})


def test_a_write_in_between_is_seen(run: Run, store: Emulator) -> None:
    """Tags that somebody adds between our reading and our writing are not lost."""
    store.set("message", "old")

    def interfere(request: RequestRecord) -> None:
        if request.method == "GET" and len(store.requests) == 1:
            store.set("message", "theirs", tags={"by": "them"})

    with store.after_answer(interfere):
        assert run("set", "message", "ours").exit_code == 0
    written = store.get("message")
    assert written is not None
    assert (written.value, dict(written.tags)) == ("ours", {"by": "them"})
    assert [record.status for record in store.requests] == [200, 412, 200, 200]


def test_giving_up_against_constant_writers(run: Run, store: Emulator) -> None:
    """Somebody who always writes first makes the command give up, not run for ever."""
    with store.respond(lambda request: Scripted(412) if request.method == "PUT" else None):
        result = run("set", "message", "ours")
    assert result.exit_code == 1
    assert "others write 'message' all the time" in result.stderr


def test_absent(run: Run) -> None:
    """A setting that is not there leaves stdout empty and ends with 1."""
    result = run("get", "nothing", "--label", "x")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: The store has no setting 'nothing' with label 'x'.\n"


def test_list_in_lines(run: Run, store: Emulator) -> None:
    """For programs each setting is a line with tabs between, and every page is there."""
    store.set_many({f"k{number}": "v" for number in range(10)})
    store.set("k0", "w", "dev", "text/plain")
    lines = run("list").stdout.splitlines()
    assert len(lines) == 11
    assert lines[:2] == ["k0\t\tv\t", "k0\tdev\tw\ttext/plain"]


def test_list_as_table(run: Run, store: Emulator) -> None:
    """On a terminal settings are a table that neither cuts values nor reads markup in them."""
    store.set("key", "[bold]" + "x" * 300)
    shown = run("list", env={"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "80"}).stdout
    assert "Content type" in shown
    assert "[bold]" in shown
    assert shown.count("x") == 300


def test_empty_table(run: Run) -> None:
    """On a terminal an empty store says so; in a pipe it is no line at all."""
    assert "No settings." in run("list", env={"FORCE_COLOR": "1"}).stdout
    assert not run("list").stdout


def test_values_cannot_order_the_terminal_about(run: Run, store: Emulator) -> None:
    """Control characters of a value are shown as text."""
    store.set("key", f"{ESCAPE}a\nb\tc")
    for env in ({}, {"FORCE_COLOR": "1", "NO_COLOR": "1"}):
        shown = run("list", env=env).stdout
        assert ESCAPE not in shown
        assert "\\x1b[31ma\\nb\\tc" in shown


def test_list_as_json(run: Run, store: Emulator) -> None:
    """JSON has every setting of every page with its tags."""
    store.set_many({f"k{number}": "v" for number in range(7)})
    store.set("k9", None, "dev", tags={"a": "b", "c": None})
    items = json.loads(run("list", "--json").stdout)["items"]
    assert [item["key"] for item in items] == [*(f"k{number}" for number in range(7)), "k9"]
    assert items[-1] == {
        "key": "k9",
        "label": "dev",
        "value": None,
        "content_type": None,
        "tags": {"a": "b", "c": None},
        "description": None,
        "locked": False,
    }


def test_a_listing_is_a_seed(run: Run, store: Emulator, tmp_path: Path) -> None:
    """What `list --json` prints makes the same store again: values, tags, descriptions, locks."""
    described = Draft("d", "l", "v", "text/plain", {"t": None, "u": "x"}, "What it is for")
    store.set_many(
        [described, ("n", 5), ("o", {"a": [1, None]}), ("none", None), ("null", JSON_NULL)]
    )
    store.lock("d", "l")
    store.lock("n")
    printed = run("list", "--json").stdout
    assert [item["locked"] for item in json.loads(printed)["items"]] == [True, True, *[False] * 3]
    path = tmp_path / "seed.json"
    path.write_text(printed, encoding="utf-8")
    with closing(Store()) as copy:
        plant(copy, read_seed(path))
        for key, label in (("d", "l"), ("n", None), ("o", None), ("none", None), ("null", None)):
            kept, found = store.get(key, label), copy.get(key, label)
            assert kept is not None
            assert found is not None
            assert replace(found, etag=kept.etag, last_modified=kept.last_modified) == kept


def test_a_description_stays(run: Run, store: Emulator) -> None:
    """Writing a value keeps the description."""
    store.set_many([Draft("k", value="old", description="What it is for")])
    run("set", "k", "new")
    written = store.get("k")
    assert written is not None
    assert (written.value, written.description) == ("new", "What it is for")


def test_a_store_of_an_older_api_version(run: Run, store: Emulator) -> None:
    """A store that refuses the newest API version is asked in an older one."""
    problem = '{"title":"Unsupported API version","name":"api-version","status":400}'
    store.respond(
        lambda request: Scripted(400, body=problem) if "=2026-04-01" in request.target else None
    )
    assert run("set", "k", "v").exit_code == 0
    assert run("get", "k").stdout == "v\n"
    assert json.loads(run("list", "--json").stdout)["items"][0]["value"] == "v"


@pytest.mark.parametrize(
    ("filters", "values"),
    [
        ((), {"1", "2", "3"}),
        (("--key", "app:*"), {"1", "2"}),
        (("--key", "app:a,other"), {"1", "2", "3"}),
        (("--label", "dev"), {"2"}),
        (("--label", r"\0"), {"1", "3"}),
        (("--label", ""), {"1", "3"}),
        (("--label", r"\0,dev", "--key", "app:a"), {"1", "2"}),
        (("--label", "d*"), {"2"}),
    ],
)
def test_filters(run: Run, store: Emulator, filters: tuple[str, ...], values: set[str]) -> None:
    """Filters for key and label follow the service's grammar; without one everything is listed."""
    store.set("app:a", "1")
    store.set("app:a", "2", "dev")
    store.set("other", "3")
    listed = json.loads(run("list", "--json", *filters).stdout)["items"]
    assert {item["value"] for item in listed} == values


def test_bad_filter(run: Run) -> None:
    """A filter outside the grammar is refused before anything is asked."""
    result = run("list", "--key", "*a")
    assert result.exit_code == 2
    assert "'*' may stand only at the end" in result.stderr


@pytest.mark.parametrize("variable", VARIABLES)
def test_environment(bare: Run, store: Emulator, variable: str) -> None:
    """Each of the two variables names the store."""
    store.set("message", "x")
    assert bare("get", "message", env={variable: store.connection_string}).stdout == "x\n"


def test_option_comes_first(bare: Run, store: Emulator) -> None:
    """--connection-string counts more than the environment."""
    store.set("message", "x")
    result = bare(
        "get",
        "message",
        "--connection-string",
        store.connection_string,
        env={VARIABLES[0]: "nonsense"},
    )
    assert result.stdout == "x\n"


def test_delete_removes_a_setting_once(run: Run, store: Emulator) -> None:
    """`delete` says what it removed; a second time there is nothing, and the exit code is 1."""
    store.set("key", "value", label="dev")
    gone = run("delete", "key", "--label", "dev")
    assert gone.output == f"Deleted setting 'key' with label 'dev' at {store.endpoint}.\n"
    assert store.get("key", "dev") is None
    again = run("delete", "key", "--label", "dev")
    assert again.exit_code == 1
    assert "has no setting 'key'" in again.stderr


VALUE = "a\n\x1b[2J\x1b]0;title\x07b\tc\u202ed\r"


def test_get_into_a_pipe_is_the_value_as_it_is(run: Run, store: Emulator) -> None:
    """A program that reads `get` from a pipe gets every character."""
    store.set("key", VALUE)
    assert run("get", "key").stdout_bytes.decode() == VALUE + "\n"


def test_get_on_a_terminal_gives_no_orders(store: Emulator) -> None:
    """On a terminal the lines and tabs of a value stay, and all else is shown as escapes."""
    pty = pytest.importorskip("pty")
    store.set("key", VALUE)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "appconfig_provider.cli", "get", "key"]
    environment = {**os.environ, VARIABLES[0]: store.connection_string, "PYTHONUTF8": "1"}
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        subprocess.run(command, stdout=theirs, env=environment, check=True, timeout=30)
        shown = terminal.read(10_000).decode()
        os.close(theirs)
    expected = "a\r\n\\x1b[2J\\x1b]0;title\\x07b\tc\\u202ed\\r\r\n"
    assert shown.expandtabs() == expected.expandtabs()


def test_a_store_with_a_certificate_of_its_own(bare: Run) -> None:
    """Every command reaches a store whose CA file is named, and says how to name it."""
    with Emulator(tls=True) as store:
        env = {VARIABLES[0]: store.connection_string}
        refused = bare("list", env=env)
        assert refused.exit_code == 1
        assert "--ca-file" in refused.stderr
        assert "emulator running" not in refused.stderr
        trust = ("--ca-file", str(store.ca_file))
        for arguments in (("set", "k", "v"), ("get", "k"), ("list",), ("delete", "k")):
            assert bare(*arguments, *trust, env=env).exit_code == 0
    assert bare("list", "--ca-file", "/nowhere.pem", env=env).exit_code == 2
