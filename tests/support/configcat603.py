"""ConfigCat's SDK 6.0.3, the last line that reads config_v5.json as its page describes it.

It has the same package name as the 10.x that is installed, so it lies in a folder of its own:
``python -m tests.support.configcat603`` gets it from PyPI, `configcat603()` and `import_603()` give
it as a module under another name, and `FOLDER` is for ``PYTHONPATH`` of a process that wants it by
its own name.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

FOLDER = Path(sys.prefix) / "suites" / "configcat-client-6.0.3"
NAME = "configcatclient603"


class Unavailable(Exception):
    """The SDK is not on this machine; the message says how to get it."""


def configcat603() -> Any:
    """Return the package of 6.0.3 for a test; skip where nobody got it.

    It uses what newer Pythons and a newer `semver` warn of, so the test is marked `OUTDATED`.
    """
    try:
        return import_603()
    except Unavailable as error:
        pytest.skip(str(error))


def import_603() -> Any:
    """Return the package of 6.0.3 with its modules below; its loggers have the name `NAME`, too.

    Raises:
        Unavailable: nobody got it.
    """
    if NAME in sys.modules:
        return sys.modules[NAME]
    entry = FOLDER / "configcatclient" / "__init__.py"
    spec = importlib.util.spec_from_file_location(NAME, entry) if entry.is_file() else None
    if spec is None or spec.loader is None:
        raise Unavailable(f"{FOLDER} is missing; `make clients` gets it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    return module


OUTDATED = pytest.mark.filterwarnings(
    "ignore:datetime.datetime.utcnow:DeprecationWarning",
    "ignore:.*semver:DeprecationWarning",
)
"""For tests by 6.0.3."""


def fetch() -> None:
    """Put the package into its folder, unless it is there.

    Raises:
        subprocess.CalledProcessError: pip could not get it, and has said why.
    """
    if FOLDER.is_dir():
        return
    FOLDER.parent.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=FOLDER.parent) as scratch:
        # Its dependencies are those of 10.x, which are installed; `enum-compat` is for Python 2.
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        unpacked = Path(scratch) / FOLDER.name
        subprocess.run([*pip, "--target", unpacked, "configcat-client==6.0.3"], check=True)
        unpacked.rename(FOLDER)


if __name__ == "__main__":
    fetch()
