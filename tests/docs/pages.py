"""The documents as data: their blocks of code, their headings, their links, their tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ANY_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A block of code, and what the page says that it prints: a `text` block right behind it."""

    name: str
    language: str
    code: str
    output: str | None


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Where it is, for the names of tests."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        """Everything in it."""
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """What is left without blocks of code."""
        return _ANY_BLOCK.sub("", self.text)

    def blocks(self, language: str) -> list[Block]:
        """Return the blocks of one language, in order."""
        text = self.text
        found = list(_BLOCK.finditer(text))
        blocks = []
        for place, block in enumerate(found):
            behind = found[place + 1] if place + 1 < len(found) else None
            shown = (
                behind is not None
                and behind[1] == "text"
                and not text[block.end() : behind.start()].strip()
            )
            line = text.count("\n", 0, block.start()) + 1
            output = behind[2] if behind is not None and shown else None
            blocks.append(Block(f"{self.name}:{line}", block[1], block[2], output))
        return [block for block in blocks if block.language == language]

    @property
    def links(self) -> list[str]:
        """What it links to."""
        return _LINK.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """The anchors of its headings, as GitHub and the site make them."""
        return {_slug(heading) for heading in _HEADING.findall(self.prose)}

    @property
    def rows(self) -> list[list[str]]:
        """The cells of every line of its tables, without the lines below their heads."""
        lines = [line for line in self.prose.splitlines() if line.startswith("|")]
        cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
        return [row for row in cells if not set("".join(row)) <= set("-: ")]


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


#: What users read. The README is the first page of it.
PAGES = [Page(ROOT / "README.md"), *map(Page, sorted((ROOT / "docs").glob("*.md")))]
#: What else is linked, in the root.
OTHERS = [Page(path) for path in sorted(ROOT.glob("*.md")) if path.name != "README.md"]
