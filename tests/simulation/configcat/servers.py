"""ConfigCat's servers, and the cache that clients share."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar

from appconfig_provider._io.storage import CacheBlocked
from appconfig_provider._plan import Request, Response
from tests.simulation.configcat.scenario import Scenario
from tests.simulation.network import FAULTS, OUTAGES, Answer, Network
from tests.simulation.world import World
from tests.support.configcat_source import V5, leading, v5, v6

TROUBLES = ("gone", "no settings", "only preferences", "torn", "no text")
"""Ways in which all servers have nothing for their clients, until the next publish."""


@dataclass
class Servers(Network):
    """Servers that have the same config; each may name another one that is to be asked."""

    FAULTS: ClassVar[tuple[str, ...]] = (*FAULTS, "404", "torn", "no settings", "304")
    OUTAGES: ClassVar[tuple[str, ...]] = (*OUTAGES, "404", "no settings")

    scenario: Scenario
    number: int = 0
    """Of the newest publish."""
    keys: dict[int, frozenset[str]] = field(default_factory=dict)
    """By publish: the keys of its settings."""
    leads: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By server: which one it names, and how urgently."""
    trouble: str = ""
    numbers: dict[str, int] = field(default_factory=dict)
    """By text of a config: its publish."""

    def publish(self, trouble: str = "") -> None:
        """Have all servers give a new config, whose settings all have its number."""
        self.number += 1
        self.trouble = trouble
        count = self.world.random.choice((1, 2, 3))
        self.keys[self.number] = frozenset(f"k{number}" for number in range(count))

    def number_of(self, answer: Response) -> int | None:
        """Return which publish an answer shows; None where it shows none."""
        return self.numbers.get(answer.body.decode(errors="replace"))

    def _answer(self, request: Request) -> Answer:
        file = request.target.rpartition("/")[2]
        if self.trouble == "gone" or file not in self.scenario.files:
            return Answer(Response(404, {}))
        etag = f'W/"{self.number}-{self.trouble}-{request.origin[12:15]}-{file[8:9]}"'
        headers = {"etag": etag} if self.scenario.tagged else {}
        if headers and dict(request.headers).get("if-none-match") == etag:
            return Answer(Response(304, headers))
        return Answer(Response(200, headers, self._text(request.origin, file).encode()))

    def _text(self, origin: str, file: str) -> str:
        values = {key: str(self.number) for key in sorted(self.keys[self.number])}
        config = (v5 if file == V5 else v6)(**values)
        if origin in self.leads:
            config = leading(config, *self.leads[origin])
        if self.trouble == "only preferences":
            del config["f"]
        text = "{}" if self.trouble == "no settings" else json.dumps(config)
        if self.trouble in {"torn", "no text"}:
            return text[: len(text) // 2] if self.trouble == "torn" else ""
        if self.trouble == "":
            # Others may have the number of this publish, but never the same text.
            self.numbers[text] = self.number
        return text

    def _faulty(self, fault: str, request: Request) -> Answer:
        if fault in {"404", "304"}:
            conditional = "if-none-match" in dict(request.headers)
            return Answer(Response(404 if fault == "404" or conditional else 304, {}))
        if fault == "no settings":
            return Answer(Response(200, {"etag": '"nothing"'}, b"{}"))
        if fault == "torn":
            text = self._text(request.origin, request.target.rpartition("/")[2])
            return Answer(Response(200, {"etag": '"torn"'}, text[: len(text) // 2].encode()))
        return super()._faulty(fault, request)


@dataclass
class SharedCache:
    """A cache of the program: it may raise, hang, or hold what somebody else has written."""

    world: World
    servers: Servers
    held: dict[str, Any] = field(default_factory=dict)

    def get(self, key: str) -> Any:
        """Return what it holds."""
        faults = 0.0 if self.servers.calm else self.servers.scenario.cache_faults
        if faults and self.world.chance(faults):
            fault = self.world.random.choice(("raises", "hangs", "garbage", "torn"))
            self.world.counts[f"cache {fault}"] += 1
            if fault == "raises":
                raise ConnectionError("the cache is gone")
            if fault == "hangs":
                raise CacheBlocked("a read hangs")
            return "garbage" if fault == "garbage" else f'{10**15}\n"torn"\n{{"f": {{'
        return self.held.get(key)

    def set(self, key: str, value: Any) -> None:
        """Hold something."""
        self.held[key] = value
