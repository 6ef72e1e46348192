"""The Azure CLI as a process, and a store that another process serves for it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from azure.appconfiguration import AzureAppConfigurationClient
from azure.core.rest import HttpRequest

from tests.emulator.test_process import running, stop

PROGRAM = Path(sys.prefix) / "az" / "bin" / "az"
_PATIENCE = 60.0  # seconds for one command
_NOWHERE = "http://127.0.0.1:9"  # a proxy that nobody runs, so that only this machine is reached
WAYS = ("TLS, connection string", "http, anonymous")


class Refused(Exception):
    """The CLI ended with another code than 0; the message is what it said."""


@dataclass
class Served:
    """A store that a process serves: how the CLI reaches it, and what it holds."""

    where: Mapping[str, str]
    """The options that name the store, without their dashes."""
    client: AzureAppConfigurationClient
    ca_file: str | None
    _skew: int = 0

    def options(self, prefix: str = "") -> list[str]:
        """The options that name the store, as source or destination with a prefix."""
        return [part for name, value in self.where.items() for part in (f"--{prefix}{name}", value)]

    def get(self, key: str, label: str | None = None) -> Any:
        """The setting with this key and label."""
        return self.client.get_configuration_setting(key, label)

    def keys(self, label: str = "*") -> list[str]:
        """The keys of the settings with a label."""
        found = self.client.list_configuration_settings(label_filter=label)
        return sorted(setting.key for setting in found)

    def values(self, label: str = "\0") -> dict[str, str | None]:
        """The values of the settings with a label, none if nothing else is said."""
        found = self.client.list_configuration_settings(label_filter=label)
        return {setting.key: setting.value for setting in found}

    def clear(self) -> None:
        """Delete every setting, and let the time of a test go by; revisions and snapshots stay."""
        for setting in self.client.list_configuration_settings():
            if setting.read_only:
                self.client.set_read_only(setting, read_only=False)
            self.client.delete_configuration_setting(setting.key, setting.label)
        self.wait(10)

    def wait(self, seconds: int) -> None:
        """Let the store's time go on."""
        self._skew += seconds
        request = HttpRequest("PUT", "/_control", json={"skew": self._skew})
        self.client.send_request(request).raise_for_status()


class Az:
    """The CLI for a store, with a home of its own, without telemetry and without a network.

    ``folder`` is for files. ``trusted`` is another store whose CA it trusts.
    """

    def __init__(self, home: Path, store: Served, trusted: Served | None = None) -> None:
        home.mkdir(exist_ok=True)
        self.folder = Path(mkdtemp(dir=home))
        self.store = store
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AZURE_CONFIG_DIR": str(home / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "no",
            "AZURE_CORE_NO_COLOR": "yes",
            "HTTP_PROXY": _NOWHERE,
            "HTTPS_PROXY": _NOWHERE,
            "NO_PROXY": "127.0.0.1",
        }
        if ca_file := (trusted or store).ca_file:
            self._environment["REQUESTS_CA_BUNDLE"] = ca_file

    def __call__(self, command: str) -> Any:
        """Run ``az appconfig`` with arguments as a shell has them; gives the JSON it prints.

        Raises:
            Refused: it failed.
        """
        arguments = [*shlex.split(command), *self.store.options()]
        done = subprocess.run(
            [PROGRAM, "appconfig", *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stderr)
        return json.loads(done.stdout) if done.stdout.startswith(("{", "[")) else done.stdout


@contextmanager
def served(way: str) -> Iterator[Served]:
    """A store that is reached in one of the WAYS, for the length of a ``with`` block."""
    tls = way == WAYS[0]
    how = ("--tls",) if tls else ("--anonymous", "owner")
    with running(*how, "--control") as (process, parts):
        assert process.stdout is not None
        ca_file = process.stdout.readline().split()[-1] if tls else None
        signed = ";".join(f"{name}={parts[name]}" for name in ("Endpoint", "Id", "Secret"))
        anonymous = {"auth-mode": "anonymous", "endpoint": parts["Endpoint"]}
        with AzureAppConfigurationClient.from_connection_string(
            signed, connection_verify=ca_file or True, retry_total=0
        ) as client:
            yield Served({"connection-string": signed} if tls else anonymous, client, ca_file)
        stop(process)  # a process that is killed leaves its certificate behind
