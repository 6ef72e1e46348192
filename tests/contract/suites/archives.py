"""Getting the clients' source archives from PyPI: their tests are in no wheel.

``python -m tests.contract.suites.archives`` unpacks those of the installed versions beside the
virtual environment's packages.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGES = ("azure-appconfiguration", "azure-appconfiguration-provider", "featuremanagement")
FOLDER = Path(sys.prefix) / "suites"


class Unavailable(Exception):
    """A client's own tests are not on this machine; the message says how to get them."""


def folder_of(package: str) -> Path:
    """The folder with a client's own tests, of the installed version.

    Raises:
        Unavailable: nobody got them.
    """
    folder = _unpacked(package) / "tests"
    if not folder.is_dir():
        raise Unavailable(f"{folder} is missing; `make clients` gets it")
    return folder


def fetch(package: str) -> None:
    """Unpack the source archive of the installed version, unless it is there.

    Raises:
        subprocess.CalledProcessError: pip could not get it, and has said why.
    """
    unpacked = _unpacked(package)
    if unpacked.is_dir():
        return
    FOLDER.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as scratch:
        asked = ["--no-deps", "--no-binary", package, f"{package}=={version(package)}"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", scratch]
        subprocess.run([*pip, *asked], check=True)
        (archive,) = Path(scratch).glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(scratch, filter="data")
        shutil.move(Path(scratch) / unpacked.name, unpacked)


def _unpacked(package: str) -> Path:
    return FOLDER / f"{package.replace('-', '_')}-{version(package)}"


if __name__ == "__main__":
    for each in PACKAGES:
        fetch(each)
