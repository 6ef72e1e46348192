"""One node process that does operations of the official packages, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from .packages import FOLDER

_PATIENCE = 30.0  # seconds for one operation


class Refused(Exception):
    """What a JavaScript method threw: its message, and the answer's status and problem."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(error["message"])
        self.status: int | None = error["status"]
        self.problem: Mapping[str, Any] = error["problem"]


class Node:
    """The process; it ends with its input. ``ca_file`` is trusted besides the usual ones."""

    def __init__(self, program: str, ca_file: str | None = None) -> None:
        self.program = program
        self._process = subprocess.Popen(
            [program, str(FOLDER / "client.mjs")],
            env={**os.environ, **({} if ca_file is None else {"NODE_EXTRA_CA_CERTS": ca_file})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def do(self, operation: str, *arguments: Any) -> Any:
        """Do one operation of ``client.mjs`` and return its result.

        Raises:
            Refused: the package threw an error.
        """
        answer = json.loads(self._exchange(json.dumps([operation, *arguments])))
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """End the process."""
        with self._process:
            pass

    def _exchange(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        guard = threading.Timer(_PATIENCE, self._process.kill)
        guard.start()
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        finally:
            guard.cancel()
        assert answer, f"node ended, or was silent for {_PATIENCE:.0f} seconds, at {line}"
        return answer


class Named:
    """A client or a provider that lives in the process under a name."""

    def __init__(self, node: Node, name: str) -> None:
        self._node = node
        self._name = name

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method and return what it gives; a listing gives its pages.

        Raises:
            Refused: the method threw an error.
        """
        return self._node.do("call", self._name, method, *arguments)

    def items(self, method: str, *arguments: Any) -> list[Any]:
        """Everything on the pages of a listing."""
        return [item for page in self.call(method, *arguments) for item in page["items"]]

    def methods(self) -> set[str]:
        """The names of its methods, internal ones too."""
        return set(self._node.do("methods", self._name))


def date(seconds: float) -> dict[str, str]:
    """A Date for an argument, from seconds since 1970."""
    return {"date": iso(seconds)}


def iso(seconds: float) -> str:
    """The text JavaScript makes of a Date; it has milliseconds."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
