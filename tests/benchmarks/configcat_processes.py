"""What ConfigCat's clients take beside a CDN of another process: a refresh, and a start."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

from tests.support.configcat603 import FOLDER

from .configcat_content import config
from .measure import Effort, Figure, net
from .process import FLOOR, ROOT, Python
from .rows import OURS, figure

PEER, OLD = "10.0.1", "6.0.3"
SETTINGS = 100
REFRESHES = 20
"""Refreshes in one run."""
VARIABLE = "APPCONFIG_PROVIDER_CONFIGCAT_BASE_URL="

_NEWER = """
from $package import get
from $package.configcatoptions import ConfigCatOptions
client = get('configcat-sdk-1/$key', ConfigCatOptions(base_url='$base_url'))
if client.get_value('flag7', False) is not True:
    raise SystemExit('no such setting')
client.close()
"""
_OLDER = """
from $package import create_client_with_auto_poll
client = create_client_with_auto_poll('$key', base_url='$base_url')
if client.get_value('flag7', False) is not True:
    raise SystemExit('no such setting')
client.stop()
"""
_OF_OLD = f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n"
KEY = "A" * 22 + "/" + "B" * 22


@contextmanager
def running_cdn(content: str) -> Iterator[str]:
    """Serve a config from a process of its own; yield the address for `base_url`."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(content, encoding="utf-8")
        command = [sys.executable, "-m", "appconfig_provider.emulator", "--port", "0"]
        with subprocess.Popen(
            [*command, "--configcat", str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                lines = process.stdout or ()
                told = next(line for line in lines if line.startswith(VARIABLE))
                yield told.strip().removeprefix(VARIABLE)
            finally:
                process.terminate()


def measure_refresh(effort: Effort, sides: Callable[[str, int], Any]) -> Figure:
    """Return the CPU milliseconds of a refresh that is answered with 304; `sides` makes clients."""
    best: dict[str, float] = {}
    with running_cdn(config(SETTINGS)) as base_url:
        clients: dict[str, Any] = sides(base_url, 5).clients
        for _ in range(effort.rounds * max(effort.repeats // 5, 1)):
            for side, client in clients.items():
                begin = time.process_time()
                for _ in range(REFRESHES):
                    client.force_refresh()
                taken = (time.process_time() - begin) * 1e3 / REFRESHES
                best[side] = min(taken, best.get(side, taken))
    return figure("a refresh that is answered with 304, CPU", "ms", best, 0.4)


def measure_start(effort: Effort) -> list[Figure]:
    """Return what import, client and first value take in a fresh process, net of an empty one."""
    empty: list[float] = []
    with Python() as python, running_cdn(config(SETTINGS)) as base_url:
        programs = _programs(base_url)
        times: dict[str, list[float]] = {name: [] for name in programs}
        for program in programs.values():  # once for the byte code and the disk cache
            python.milliseconds(program)
        for _ in range(effort.rounds * effort.starts):
            empty.append(python.milliseconds("pass"))
            for name, program in programs.items():
                times[name].append(python.milliseconds(program))
    best = {name: net(taken, empty, FLOOR) for name, taken in times.items()}
    return [_start("get()", best), _start("create_client_with_auto_poll()", best)]


def _programs(base_url: str) -> dict[str, str]:
    def written(source: str, package: str) -> str:
        return Template(source).substitute(package=package, key=KEY, base_url=base_url)

    own = "appconfig_provider.configcat"
    return {
        "get() ours": written(_NEWER, own),
        f"get() {PEER}": written(_NEWER, "configcatclient"),
        "create_client_with_auto_poll() ours": written(_OLDER, own),
        f"create_client_with_auto_poll() {OLD}": _OF_OLD + written(_OLDER, "configcatclient"),
    }


def _start(call: str, best: dict[str, float]) -> Figure:
    found = {
        name.removeprefix(f"{call} "): taken
        for name, taken in best.items()
        if name.startswith(f"{call} ")
    }
    at_most = min(taken for side, taken in found.items() if side != OURS)
    return figure(f"import, {call}, first value", "ms", found, round(at_most, 1))
