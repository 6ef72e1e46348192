"""Whatever a text from outside holds, what is shown of it is one bounded, printable line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appconfig_provider.texts import MAX_SHOWN, printable, printable_lines, quoted

# Surrogates, too, which no file can be written with.
TEXTS = st.text(st.characters(), max_size=2 * MAX_SHOWN)


@given(TEXTS, st.integers(3, MAX_SHOWN))
def test_a_text_is_one_line(text: str, most: int) -> None:
    """A shown text can be printed and written, and is not longer than it may be."""
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= most
    shown.encode("utf-8")


@given(TEXTS)
def test_a_plain_text_stays_as_it_is(text: str) -> None:
    """What is printable and short enough is not touched."""
    if text.isprintable() and len(text) <= MAX_SHOWN:
        assert printable(text) == text
    if text.isprintable():
        assert printable(text, None) == text


@given(TEXTS, st.integers(1, MAX_SHOWN))
def test_a_quoted_text_is_one_line(text: str, most: int) -> None:
    """A key in quotation marks can be printed and written, and tells its beginning."""
    shown = quoted(text, most)
    assert shown.isprintable()
    assert len(shown) <= 10 * most + 5
    shown.encode("utf-8")
    assert (shown == repr(text)) is (len(text) <= most)


@given(TEXTS)
def test_a_value_on_a_terminal_keeps_its_lines(text: str) -> None:
    """Of a value only line breaks and tabs are left to do anything on a terminal."""
    shown = printable_lines(text)
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert (shown.count("\n"), shown.count("\t")) == (text.count("\n"), text.count("\t"))
