"""gevent may patch after our modules were imported, as gunicorn does with `--preload`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from appconfig_provider.testing import Emulator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.mark.heavy
@pytest.mark.skipif(
    importlib.util.find_spec("gevent") is None, reason="no gevent: pip install --group prefork"
)
@pytest.mark.parametrize("polling", ["auto", "lazy"])
def test_polling_leaves_other_greenlets_running(store: Emulator, polling: str) -> None:
    """A poller follows the store from a greenlet, a read on its own; no wait stops the others."""
    store.set_many({"k": "v1", "sentinel": "1", "other": "1"})
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with subprocess.Popen(
        [sys.executable, str(HERE / "gevent_script.py"), store.connection_string, polling],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as run:
        assert run.stdout is not None
        # Where every greenlet stands still, nothing in there could end it.
        patience = threading.Timer(40, run.kill)
        patience.start()
        try:
            assert run.stdout.readline() == "loaded\n"
            store.set("k", "v2")
            store.set("sentinel", "2")
            reported = json.loads(run.stdout.readline())
        finally:
            patience.cancel()
            run.kill()
    assert reported["k"] == "v2"
    assert reported["ticks"] > 20
    assert reported["longest"] < 0.8, "the greenlets stood still"
