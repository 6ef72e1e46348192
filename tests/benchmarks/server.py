"""The store both sides talk to, in a process of its own, and the hand that changes it."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .process import PACKAGE, ROOT
from .serving import CONTROL, key_of


@dataclass(frozen=True)
class Store:
    """A running store and the keys of its settings but the sentinels, in the store's order."""

    connection: str
    keys: tuple[str, ...]

    def change(self, values: Mapping[str, str]) -> None:
        """Set values; when this returns every answer is ready."""
        self._control({"set": values})

    def delay(self, seconds: float) -> None:
        """Let every answer take so much longer from now on."""
        self._control({"delay": seconds})

    def reported(self) -> Mapping[str, Any]:
        """Return `served` requests, `known` targets and seconds of `cpu` so far."""
        return self._control({})

    def _control(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        address = urlsplit(self.connection.partition(";")[0].removeprefix("Endpoint="))
        with closing(http.client.HTTPConnection(address.netloc, timeout=60)) as client:
            client.request("PUT", CONTROL, json.dumps(asked))
            reported: Mapping[str, Any] = json.load(client.getresponse())
        return reported


@contextmanager
def running_store(settings: int) -> Iterator[Store]:
    """Start a server with so many plain settings and the sentinels; end it with the block."""
    command = [sys.executable, "-m", f"{PACKAGE}.serving", str(settings)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            keys = sorted(key_of(number) for number in range(settings))
            yield Store(_announced(process), tuple(keys))
        finally:
            process.terminate()


def _announced(process: subprocess.Popen[str]) -> str:
    """Return the connection string, which the server prints once it answers."""
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line.startswith("Endpoint="):
        raise RuntimeError(f"the server did not start; it said {line!r}")
    return line
