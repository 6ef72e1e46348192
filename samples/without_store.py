"""A program without a store: its configuration is a file, which it follows like a store.

Start it, change `samples/dev.json` in an editor, and see what it prints.
"""

import time
from pathlib import Path

from appconfig_provider import OverrideBehaviour, Overrides, load

DEV = Path(__file__).with_name("dev.json")

config = load(
    overrides=Overrides.from_file(DEV, separator=":", behaviour=OverrideBehaviour.LOCAL_ONLY)
)


def main() -> None:
    """Print the message whenever the file has changed."""
    print(config["message"], config["database:host"], flush=True)
    while True:
        time.sleep(1)
        if config.refresh():
            print(config["message"], config["database:host"], flush=True)


if __name__ == "__main__":
    main()
