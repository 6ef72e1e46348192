"""Files of overrides: how they are read from the disk, and how their text is understood."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider import OverrideBehaviour
from appconfig_provider._io import files
from appconfig_provider._io.files import read_file
from appconfig_provider._plan import FileIdentity, ReadFile
from appconfig_provider.overrides.files import File
from appconfig_provider.overrides.layers import Layer
from appconfig_provider.overrides.values import BadOverride

OVER = OverrideBehaviour.LOCAL_OVER_REMOTE
LIMIT = 1000
OLD = 1_000_000_000


def effect(path: Path, known: FileIdentity | None = None) -> ReadFile:
    """Return what wants a file to be read."""
    return ReadFile(str(path), known, LIMIT)


def write(path: Path, text: str, age: int = 60) -> None:
    """Write a file that was last changed some time ago."""
    path.write_text(text, encoding="utf-8")
    about = path.stat()
    os.utime(path, (about.st_atime, about.st_mtime - age))


def layer(data: bytes | str, name: str = "dev.json", **more: Any) -> Layer:
    """Return the layer of a file's content."""
    given = data.encode() if isinstance(data, str) else data
    return File(name, **more).layer(given, OVER)


# The disk


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """While its identity is the same, only its folder is asked."""
    path = tmp_path / "dev.json"
    write(path, "{}")
    first = read_file(effect(path))
    assert first is not None
    assert first.data == b"{}"
    assert read_file(effect(path, first.identity)) is None


def test_a_new_content_is_found(tmp_path: Path) -> None:
    """So is one of the same size with the old time of change, and one that took its place."""
    path, other = tmp_path / "dev.json", tmp_path / "other"
    write(path, "[1]")
    first = read_file(effect(path))
    assert first is not None
    assert first.identity is not None
    path.write_text("[2]", encoding="utf-8")
    os.utime(path, ns=(first.identity[0], first.identity[0]))
    second = read_file(effect(path, first.identity))
    assert second is not None
    assert second.data == b"[2]"
    write(other, "[3]")
    other.replace(path)
    third = read_file(effect(path, second.identity))
    assert third is not None
    assert third.data == b"[3]"


def test_a_file_that_is_too_new_is_read_again(tmp_path: Path) -> None:
    """Its time of change may be that of the next change, too, so that nothing is known of it."""
    path = tmp_path / "dev.json"
    write(path, "{}", age=0)
    found = read_file(effect(path))
    assert found is not None
    assert found.identity is None


def test_a_change_while_it_is_read_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read while somebody wrote has no identity, and is read again."""
    path = tmp_path / "dev.json"
    write(path, "[1]")
    whole = files.read_whole

    def and_somebody_writes(descriptor: int, limit: int) -> bytes:
        data = whole(descriptor, limit)
        write(path, "[1, 2]")
        return data

    monkeypatch.setattr(files, "read_whole", and_somebody_writes)
    found = read_file(effect(path))
    assert found is not None
    assert found.identity is None


def test_links_are_followed(tmp_path: Path) -> None:
    """A mounted configuration is a chain of links, whose first one stays the same."""
    one, two, link = tmp_path / "one", tmp_path / "two", tmp_path / "dev.json"
    write(one, "[1]")
    write(two, "[2]")
    link.symlink_to(one)
    first = read_file(effect(link))
    assert first is not None
    link.unlink()
    link.symlink_to(two)
    second = read_file(effect(link, first.identity))
    assert second is not None
    assert second.data == b"[2]"


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A FIFO would block for ever, and a device has no end."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path in (fifo, tmp_path, Path("/dev/zero")):
        with pytest.raises(OSError, match="it is not a regular file"):
            read_file(effect(path))


def test_a_fifo_that_takes_the_place_of_a_file_blocks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the opening it may come, and is refused all the same."""
    path, fifo = tmp_path / "dev.json", tmp_path / "fifo"
    write(path, "{}")
    os.mkfifo(fifo)
    stat = os.stat

    def and_a_fifo_comes(place: str) -> os.stat_result:
        about = stat(place)
        fifo.replace(path)
        return about

    monkeypatch.setattr(os, "stat", and_a_fifo_comes)
    errors: list[str] = []

    def read() -> None:
        try:
            read_file(effect(path))
        except OSError as error:
            errors.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert errors == ["[Errno 22] it is not a regular file"]


def test_a_file_has_a_size_it_may_have(tmp_path: Path) -> None:
    """One byte more is refused, and no more than that is read."""
    path = tmp_path / "dev.json"
    path.write_bytes(b"x" * LIMIT)
    assert read_file(effect(path)) is not None
    path.write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(OSError, match="it has more than 1000 bytes"):
        read_file(effect(path))


# The text


def test_json_may_have_comments() -> None:
    """Comments of both kinds are left out, but not from texts."""
    text = '{ // one\n "a": "//x", /* two\n */ "b": {"c": [1, null]} }'
    assert layer(text).values == {"a": "//x", "b": {"c": [1, None]}}


def test_toml_is_read_by_its_name() -> None:
    """Tables are objects; dates and times, which JSON has not, become text."""
    text = 'a = 1\nd = 2026-11-21T22:00:00Z\nday = 2026-11-21\nat = 10:00:00\n[db]\nhost = "h"\n'
    expected = {
        "a": 1,
        "d": "2026-11-21T22:00:00+00:00",
        "day": "2026-11-21",
        "at": "10:00:00",
        "db": {"host": "h"},
    }
    assert layer(text, "dev.toml").values == expected
    assert layer(text, "DEV.TOML", separator=":").values["db:host"] == "h"


@pytest.mark.parametrize(
    ("name", "text"), [("dev.json", '{"a": "\u00e9"}'), ("dev.toml", 'a = "\u00e9"')]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_editors_on_windows_are_understood(name: str, text: str, encoding: str) -> None:
    """A byte order mark is no part of the text, in UTF-8 or in UTF-16."""
    if (name, encoding) == ("dev.toml", "utf-16"):
        text = f"# comment\n{text}"
    assert layer(text.encode(encoding), name).values == {"a": "\u00e9"}


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.json", b'{"a": planted}', "is no JSON (Expecting value, line 1 column 7)"),
        ("a.json", b'{ /* c\n */ "a": 1,\n planted}', "line 3 column 2)"),
        ("a.json", b"", "is no JSON (Expecting value, line 1 column 1)"),
        ("a.json", b'{"a": "\xff planted"}', "is no JSON (bytes that are no text)"),
        ("a.json", b"[" * 5000 + b"]" * 5000, "is no JSON (nested deeper than 100 levels)"),
        ("a.json", b'{"a": ' + b"9" * 5000 + b"}", "a number has more than 4300 digits"),
        ("a.json", b'["planted"]', "keys and values are wanted, not a list"),
        ("a.toml", b"a = planted", "is no TOML (line 1, column 5)"),
        ("a.toml", b'a = 1\nplanted = "x', "is no TOML (at end of document)"),
        ("a.toml", b"a = " + b"[" * 100_000, "is no TOML (nested too deeply)"),
        ("a.toml", b"a = " + b"9" * 5000, "is no TOML"),
        ("a.toml", b"a = " + b"[" * 150 + b"]" * 150, "'a' is nested deeper than 100 levels"),
        ("a.toml", b".".join([b"a"] * 500) + b" = 1", "is no TOML (nested deeper than 100 levels)"),
        ("a.toml", b"[" + b'."a"' * 100_000 + b"]", "is no TOML (nested deeper than 100 levels)"),
        ("a.toml", b"a = {" + b"'a' . " * 100_000 + b"=1}", "(nested deeper than 100 levels)"),
        ("a.toml", b"planted = 1\nplanted = 2\n", "is no TOML (line 2, column 12)"),
    ],
)
def test_broken_text_is_told_by_its_place(name: str, data: bytes, said: str) -> None:
    """File, line and column are named where they are known, and no text of the file is quoted."""
    with pytest.raises(BadOverride) as caught:
        layer(data, name)
    assert str(caught.value).startswith(f"the override file '{name}'")
    assert said in str(caught.value)
    assert "planted" not in str(caught.value)
    assert caught.value.__context__ is None


@given(st.binary(max_size=200), st.sampled_from(["a.json", "a.toml"]))
def test_no_bytes_are_too_strange(data: bytes, name: str) -> None:
    """Whatever a file holds is a layer, or one kind of error."""
    with contextlib.suppress(BadOverride):
        assert isinstance(layer(data, name), Layer)


def test_dots_that_join_no_names_are_no_depth() -> None:
    """Numbers in a list, texts and comments may have as many as they like."""
    dots = ".".join(["a"] * 300)
    text = f"""
numbers = [{", ".join(["1.5"] * 300)}] # {dots}
one = "{dots}\\"{dots}"
two = '{dots}'
three = '''
{dots}
'''
{".".join(["k"] * 100)} = 1
"""
    found = layer(text, "a.toml").values
    assert found["two"] == dots
    assert found["one"] == f'{dots}"{dots}'


PIECES = ["a.", '"a".', "[", "{", "[[a]]\n", "# x\n", "a", "/*", "//\n", '\\"', "'''", '"""']


@pytest.mark.parametrize("name", ["a.json", "a.toml"])
@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long(name: str, piece: str) -> None:
    """The time to read a hostile file grows with its length, and not with the square of it."""
    began = time.process_time()
    with contextlib.suppress(BadOverride):
        layer(piece * 100_000, name)
    assert time.process_time() - began < 10
