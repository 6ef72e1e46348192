"""Shows all that happens in one schedule: `python -m tests.simulation SEED`."""

from __future__ import annotations

import logging
import sys

from tests.simulation.schedules import trace

if __name__ == "__main__":
    logging.getLogger("appconfig_provider").disabled = True
    print(*trace(int(sys.argv[1])), sep="\n")
