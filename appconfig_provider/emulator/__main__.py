"""``python -m appconfig_provider.emulator``: a store on this machine."""

from __future__ import annotations

import sys

from appconfig_provider.emulator.command import main

if __name__ == "__main__":
    sys.exit(main())
