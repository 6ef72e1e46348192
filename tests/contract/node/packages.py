"""Getting node and the packages that ``package.json`` pins."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).parent
OLDEST_NODE = 18
_INSTALL = (
    "install",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--ignore-scripts",
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
)
_PATIENCE = 180.0  # seconds for some 60 MB


class Unavailable(Exception):
    """The JavaScript client cannot be run on this machine; the message says why."""


def ready(folder: Path = FOLDER) -> str:
    """Install the packages where they are not yet, and return the path of node.

    Raises:
        Unavailable: node or npm is missing or too old, or the packages cannot be had.
    """
    node = _program("node")
    shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(shown.stdout.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        raise Unavailable(f"node {OLDEST_NODE} or later is needed, not {shown.stdout.strip()}")
    if not installed(folder):
        install(folder, _program("npm"))
    return node


def installed(folder: Path) -> bool:
    """Whether the pinned version of each package is there."""
    pinned = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    return all(_version(folder / "node_modules" / name) == pinned[name] for name in pinned)


def install(folder: Path, npm: str) -> None:
    """Install beside, then move into place: another run sees all of it or nothing.

    Raises:
        Unavailable: npm failed, or took too long.
    """
    with TemporaryDirectory(prefix=".installing-", dir=folder) as beside:
        scratch = Path(beside)
        shutil.copy(folder / "package.json", scratch)
        _run_npm(npm, scratch)
        if installed(folder):
            return  # another run was faster
        with contextlib.suppress(FileNotFoundError):
            (folder / "node_modules").rename(scratch / "outdated")
        try:
            (scratch / "node_modules").rename(folder / "node_modules")
        except OSError:
            if not installed(folder):
                raise


def _run_npm(npm: str, folder: Path) -> None:
    command = [npm, *_INSTALL]
    try:
        subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=True, timeout=_PATIENCE
        )
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().partition("\n")[0]
        raise Unavailable(f"npm could not install the packages: {reason}") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(f"npm took longer than {_PATIENCE:.0f} seconds") from None


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise Unavailable(f"{name} is not installed")
    return path


def _version(package: Path) -> str | None:
    try:
        found: str = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    except FileNotFoundError:
        return None
    return found
