"""ConfigCat's feature flags without an account: python samples/configcat_app.py.

The three polling modes, targeting, local overrides and the log of an evaluation, on a CDN of this
machine. In a program with an account the import and the SDK key are all there is to change: without
`base_url` the client asks ConfigCat's servers.
"""

from __future__ import annotations

import logging

from appconfig_provider import configcat as configcatclient
from appconfig_provider.configcat import LocalDictionaryDataSource, OverrideBehaviour, User
from appconfig_provider.testing import ConfigCatEmulator, FakeClock

CONFIG = {
    "f": {
        "isNewSearchEnabled": {
            "t": 0,
            "v": False,
            "i": "everybody",
            "r": [{"o": 0, "a": "Email", "t": 2, "c": "@example.com", "v": True, "i": "staff"}],
            "p": [
                {"o": 0, "v": True, "p": 20, "i": "lucky"},
                {"o": 1, "v": False, "p": 80, "i": "others"},
            ],
        },
        "greeting": {"t": 1, "v": "Hello!", "i": "hello", "r": [], "p": []},
    }
}
"""A flag for the staff and a fifth of all others, and a text, as in a config_v5.json."""
PEOPLE = (User("1", "jane@example.com"), User("2", "joe@example.org"), User("13"))


def automatic(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """Poll in the background, and be called back when something has changed."""
    seen: list[str] = []
    client = configcatclient.create_client_with_auto_poll(
        cdn.sdk_key,
        poll_interval_seconds=60,
        on_configuration_changed_callback=lambda settings: seen.append(settings["greeting"]["v"]),
        base_url=cdn.base_url,
    )
    print("auto:", client.get_value("greeting", "nothing"))
    cdn.set("greeting", "Good evening!")
    clock.advance(70)
    client.force_refresh()  # only so that the sample need not wait for the background
    print("auto, a minute later:", client.get_value("greeting", "nothing"))
    print("  the callback saw:", *seen)
    client.stop()


def lazy(cdn: ConfigCatEmulator, clock: FakeClock) -> None:
    """Download when a value is read and the config is older than ten minutes."""
    client = configcatclient.create_client_with_lazy_load(
        cdn.sdk_key, cache_time_to_live_seconds=600, base_url=cdn.base_url
    )
    print("lazy:", client.get_value("greeting", "nothing"))
    cdn.set("greeting", "Good night!")
    print("lazy, at once:", client.get_value("greeting", "nothing"))
    clock.advance(600)
    print("lazy, ten minutes later:", client.get_value("greeting", "nothing"))
    client.stop()


def manual(cdn: ConfigCatEmulator) -> None:
    """Download when the program says so; evaluate a flag for people, with the log of one."""
    with configcatclient.create_client_with_manual_poll(
        cdn.sdk_key, base_url=cdn.base_url
    ) as client:
        print("manual:", client.get_value("greeting", "nothing"))
        client.force_refresh()
        print("manual, refreshed:", client.get_value("greeting", "nothing"))
        for person in PEOPLE:
            found = "on" if client.get_value("isNewSearchEnabled", False, person) else "off"
            print(f"  the new search is {found} for user {person.get_identifier()}")
        logging.getLogger("configcat").setLevel(logging.INFO)
        client.get_value("isNewSearchEnabled", False, PEOPLE[0])
        logging.getLogger("configcat").setLevel(logging.WARNING)


def overridden(cdn: ConfigCatEmulator) -> None:
    """Let a developer have other values than everybody else."""
    local = LocalDictionaryDataSource(
        {"isNewSearchEnabled": True, "greeting": "Hello, developer!"},
        OverrideBehaviour.LocalOverRemote,
    )
    with configcatclient.create_client_with_lazy_load(
        cdn.sdk_key, base_url=cdn.base_url, flag_overrides=local
    ) as client:
        print("overridden:", client.get_all_values())


def main() -> None:
    """Show one after the other; the clock is moved instead of waiting."""
    logging.basicConfig(format="  %(levelname)s %(message)s")
    with FakeClock() as clock, ConfigCatEmulator(clock=clock) as cdn:
        cdn.load(CONFIG)
        automatic(cdn, clock)
        lazy(cdn, clock)
        manual(cdn)
        overridden(cdn)


if __name__ == "__main__":
    main()
