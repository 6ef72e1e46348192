"""The disk on which copies are kept: it may be full, it may hang, and a late write still lands."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from appconfig_provider._azure.stored.document import from_text
from appconfig_provider.protocols import Stored
from tests.simulation.world import World


class Disk:
    """A cache in memory, shared by all processes of a world."""

    name = "disk"

    def __init__(self, world: World) -> None:
        self._world = world
        self.kept: Stored | None = None
        self.digests: set[str] = set()
        """Of everything that was ever kept."""

    def read(self, now: float) -> Stored | None:
        """Return what is kept."""
        del now
        return self.kept

    def write(
        self, text: Callable[[], bytes], loaded: float, confirmed: float, digest: str = ""
    ) -> str:
        """Keep a text, or only the time of its confirmation."""
        if digest and self.kept is not None and self.kept.digest == digest:
            self._world.counts["copy confirmed"] += 1
            self.kept = self.kept._replace(confirmed=confirmed)
            return digest
        content = text()
        new = hashlib.sha256(content).hexdigest()
        self._world.counts["copy written"] += 1
        self.digests.add(new)
        self.kept = Stored(content, new, loaded, confirmed)
        return new

    def settings(self) -> dict[str, str | None]:
        """Return the settings that are kept; they are neither trimmed nor mapped."""
        if self.kept is None:
            return {}
        content = from_text(self.kept.text).content
        pages = (page for listing in content.settings for page in listing)
        return {one.key: one.value for page in pages for one in page.settings}
