"""Loading Key Vault references: forty secrets, each answer fifty milliseconds away."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .measure import Effort, Measurement, Metric, Samples, sides_of
from .process import ROOT
from .server import Store

SECRETS = 40
DELAY = 0.05
"""Seconds added to every answer of the vault."""

_SERVE = """
import json, sys
from appconfig_provider.testing import Emulator, Scripted, Vault
with Vault() as vault, Emulator() as store:
    for number in range({secrets}):
        vault.set(f"secret-{{number}}", f"value {{number}}")
        store.set_secret(f"key-{{number:02}}", vault.id(f"secret-{{number}}"))
    vault.respond(lambda record: Scripted(delay={delay}))
    print(json.dumps([store.connection_string, vault.url, str(vault.ca_file)]), flush=True)
    sys.stdin.read()
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A running store whose settings point into a running vault."""

    connection: str
    vault: str
    ca_file: str


@contextmanager
def running_scene() -> Iterator[Scene]:
    """Start store and vault in a process of their own; end it with the block."""
    program = _SERVE.format(secrets=SECRETS, delay=DELAY)
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        yield Scene(*json.loads(line))
        if process.stdin:
            process.stdin.close()


def _load_official(scene: Scene) -> Any:
    from azure.appconfiguration.provider import load

    from appconfig_provider.testing import StaticCredential

    client = {
        "credential": StaticCredential(),
        "verify_challenge_resource": False,
        "connection_verify": scene.ca_file,
    }
    return load(
        connection_string=scene.connection, keyvault_client_configs={f"{scene.vault}/": client}
    )


def _load_ours(scene: Scene) -> Any:
    from appconfig_provider import load
    from appconfig_provider.testing import StaticCredential

    return load(
        connection_string=scene.connection,
        keyvault_client_configs={scene.vault: {"credential": StaticCredential()}},
        verify=scene.ca_file,
    )


LOADERS: Sequence[Callable[[Scene], Any]] = (_load_official, _load_ours)


def measure_secrets(effort: Effort, _store: Store) -> list[Measurement]:
    """Load on both sides, in turn."""
    samples = Samples()
    metric = Metric(f"load of {SECRETS} secrets at {DELAY * 1e3:.0f} ms, wall", "ms", 7.3)
    with running_scene() as scene:
        for number in range(effort.rounds + 1):
            taken = {side: _timed(LOADERS[side], scene) for side in sides_of(number)}
            if number:  # the first round is the warm-up
                samples.add(metric, taken[0], taken[1])
    return samples.measurements()


def _timed(load: Callable[[Scene], Any], scene: Scene) -> float:
    begin = time.perf_counter()
    config = load(scene)
    milliseconds = (time.perf_counter() - begin) * 1e3
    if config["key-07"] != "value 7":
        raise RuntimeError("a load brought other secrets; nothing to compare")
    config.close()
    return milliseconds
