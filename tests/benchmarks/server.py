"""The store both sides talk to: our emulator, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from azure.appconfiguration import AzureAppConfigurationClient, ConfigurationSetting

from .process import ROOT


@dataclass(frozen=True)
class Store:
    """A running store, its settings but the sentinel, and the official SDK to write with."""

    connection: str
    writer: AzureAppConfigurationClient
    keys: tuple[str, ...]

    def write(self, key: str, value: str) -> None:
        """Set a value."""
        self.writer.set_configuration_setting(ConfigurationSetting(key=key, value=value))


@contextmanager
def running_store(settings: int) -> Iterator[Store]:
    """Start an emulator with so many plain settings and a sentinel; end it with the block."""
    content = {
        f"app/section-{number % 97:02}/key-{number:05}": f"value {number} of the benchmark"
        for number in range(settings)
    }
    with tempfile.TemporaryDirectory() as folder:
        seed = Path(folder, "seed.json")
        seed.write_text(json.dumps({**content, "sentinel": "0"}), encoding="utf-8")
        command = [sys.executable, "-m", "appconfig_provider.emulator", "--port", "0"]
        with subprocess.Popen(
            [*command, "--seed", str(seed)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                connection = _announced(process)
                with AzureAppConfigurationClient.from_connection_string(connection) as writer:
                    yield Store(connection, writer, tuple(content))
            finally:
                process.terminate()


def _announced(process: subprocess.Popen[str]) -> str:
    """Return the connection string, which the emulator prints once it answers."""
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line.startswith("Endpoint="):
        raise RuntimeError(f"the emulator did not start; it said {line!r}")
    return line
