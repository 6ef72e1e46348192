"""Every link inside the documents leads somewhere."""

from __future__ import annotations

import pytest

from tests.docs.pages import OTHERS, PAGES, ROOT, Page

MAX_README = 9_000
"""Bytes: who opens the README wants to know what it is and to try it."""


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=lambda page: page.name)
def test_every_relative_link_resolves(page: Page) -> None:
    """A link leads to a file that is there, and to a heading that stands in it."""
    for link in page.links:
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        if anchor:
            assert anchor in Page(target).anchors, link


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.name)
def test_the_site_is_closed(page: Page) -> None:
    """A page of docs/ links to pages of docs/ only, for these alone are built as a site."""
    for link in page.links:
        assert link.startswith("https://") or "/" not in link, link


def test_the_readme_and_the_site_name_every_page() -> None:
    """A page that nothing leads to is not read."""
    readme = set(PAGES[0].links)
    overview = set(Page(ROOT / "docs" / "index.md").links)
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        name = page.path.name
        assert f": {name}\n" in menu, name
        if name != "index.md":
            assert f"docs/{name}" in readme, name
            assert name in overview, name


def test_the_readme_is_short() -> None:
    """The README ends at 9,000 bytes; what else there is to say stands in docs/."""
    assert len((ROOT / "README.md").read_bytes()) <= MAX_README
