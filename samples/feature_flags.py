"""Feature flags on a store of this machine: python samples/feature_flags.py.

A flag that targets people, a variant with a value, an explanation, and a switch that is turned off
while the program runs.
"""

from __future__ import annotations

import json

from appconfig_provider import load
from appconfig_provider.flags import TargetingContext
from appconfig_provider.testing import Emulator, FakeClock

FLAG_TYPE = "application/vnd.microsoft.appconfig.ff+json;charset=utf-8"

BETA = {
    "id": "Beta",
    "enabled": True,
    "conditions": {
        "client_filters": [
            {
                "name": "Microsoft.Targeting",
                "parameters": {
                    "Audience": {
                        "Users": ["adam"],
                        "Groups": [{"Name": "testers", "RolloutPercentage": 100}],
                        "DefaultRolloutPercentage": 25,
                    }
                },
            }
        ]
    },
}
THEME = {
    "id": "Theme",
    "enabled": True,
    "variants": [
        {"name": "Light", "configuration_value": {"background": "white"}},
        {"name": "Dark", "configuration_value": {"background": "black"}},
    ],
    "allocation": {
        "default_when_enabled": "Light",
        "percentile": [{"variant": "Dark", "from": 0, "to": 40}],
    },
}
PEOPLE = (TargetingContext("adam"), TargetingContext("eve", ["testers"]), TargetingContext("mia"))


def publish(store: Emulator, flag: dict[str, object]) -> None:
    """Write a flag into the store, as the portal does."""
    store.set(f".appconfig.featureflag/{flag['id']}", json.dumps(flag), content_type=FLAG_TYPE)


def main() -> None:
    """Ask for two flags, and explain one; the clock is moved instead of waiting."""
    with FakeClock() as clock, Emulator(clock=clock) as store:
        publish(store, BETA)
        publish(store, THEME)
        with load(
            connection_string=store.connection_string,
            feature_flag_enabled=True,
            feature_flag_refresh_enabled=True,
        ) as config:
            flags = config.feature_flags
            for person in PEOPLE:
                theme: dict[str, str] = flags.get_value("Theme", {}, person)
                beta = "on" if flags.is_enabled("Beta", person) else "off"
                print(f"{person.user_id}: Beta is {beta}, the background is {theme['background']}")
            print(flags.explain("Beta", PEOPLE[-1]))
            publish(store, {**BETA, "enabled": False})
            clock.advance(30)
            config.refresh()
            print("Beta for adam, switched off:", flags.is_enabled("Beta", "adam"))


if __name__ == "__main__":
    main()
