"""Files in memory, for the drivers in virtual time."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

from appconfig_provider._plan import FileContent, ReadFile


@dataclass
class Files:
    """What lies at each path; every write gives it another identity."""

    contents: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    writes: int = 0
    settled: bool = True
    """False when every file may change without changing its identity."""
    checked: list[str] = field(default_factory=list)
    """The paths that were asked for; with a `!` where the content was read."""

    def write(self, path: str, data: bytes | str) -> None:
        """Write a file as a whole."""
        self.writes += 1
        self.contents[path] = (self.writes, data.encode() if isinstance(data, str) else data)

    def delete(self, path: str) -> None:
        """Take a file away."""
        del self.contents[path]

    def text(self, path: str) -> str | None:
        """Return what a file holds; None when it is not there."""
        return self.contents[path][1].decode() if path in self.contents else None

    def perform(self, effect: ReadFile) -> FileContent | None:
        """Do what the effect wants."""
        self.checked.append(effect.path)
        if effect.path not in self.contents:
            raise OSError(errno.ENOENT, "No such file or directory")
        number, data = self.contents[effect.path]
        if effect.known == (number,):
            return None
        self.checked[-1] += "!"
        return FileContent(data, (number,) if self.settled else None)
