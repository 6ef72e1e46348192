"""ConfigCat's page is whole here: every line of code is retyped, every statement has its test."""

from __future__ import annotations

import pytest

from .configcat_page import BLOCKS
from .statements import HEADINGS, NAVIGATION, page_lines, proved, statements


def follows(lines: list[str], wanted: list[str]) -> bool:
    """Tell whether lines come one after the other, whatever stands between them."""
    left = iter(lines)
    return all(line in left for line in wanted)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_stands_on_the_page(block: str) -> None:
    """The lines that a block shares with the page have the page's order; the others were lost."""
    page = page_lines()
    kept = [line.strip() for line in BLOCKS[block].splitlines() if line.strip() in page]
    assert len(kept) >= 2
    assert follows(page, kept)


def test_every_line_has_its_test() -> None:
    """What is no line of a retyped block is a statement, and some test names it as proved."""
    named = (*proved(), *NAVIGATION)
    assert [one for one in statements() if not one.startswith(named)] == []


def test_no_test_names_what_is_not_there() -> None:
    """A statement that a test names stands on the page, and a heading does, too."""
    stated = statements()
    for opening in (*proved(), *NAVIGATION):
        assert any(one.startswith(opening) for one in stated), opening
    page = " ".join(page_lines())
    assert [heading for heading in HEADINGS if heading not in page] == []
