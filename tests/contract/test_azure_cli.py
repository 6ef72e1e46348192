"""The Azure CLI, over TLS with a connection string and over http without any credentials.

``make clients`` installs it. Each test looks into the store afterwards: the CLI's own words prove
little.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest
from azure.appconfiguration import ConfigurationSetting

from tests.contract.azure_cli import PROGRAM, WAYS, Az, Refused, Served, served
from tests.support.content import FLAG_TYPE, VAULT_TYPE

pytestmark = pytest.mark.heavy

Script = Callable[[Az, Served], None]
Play = Callable[[Script], None]

FLAG = ".appconfig.featureflag/"
SNAPSHOT_TYPE = 'application/json; profile="https://azconfig.io/mime-profiles/snapshot-ref";'


@pytest.fixture(scope="module")
def served_both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Az, Az]]:
    """The CLI for a store that is reached over TLS, and for one over http."""
    if not PROGRAM.exists():
        give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        give_up("the Azure CLI is not installed; `make clients` does it")
    home = tmp_path_factory.mktemp("home")
    with served(WAYS[0]) as secure, served(WAYS[1]) as plain:
        yield Az(home / "secure", secure), Az(home / "plain", plain, secure)


@pytest.fixture
def both(served_both: tuple[Az, Az]) -> tuple[Az, Az]:
    """The same, with stores that hold no settings and whose clocks have gone on."""
    for az in served_both:
        az.store.clear()
    return served_both


@pytest.fixture
def play(both: tuple[Az, Az]) -> Play:
    """Play a script in both ways at once."""

    def play_script(script: Script) -> None:
        with ThreadPoolExecutor(len(both)) as pool:
            played = [pool.submit(script, az, az.store) for az in both]
        for way, each in zip(WAYS, played, strict=True):
            if each.exception() is not None:
                raise AssertionError(f"over {way}") from each.exception()

    return play_script


def test_sets_and_shows(play: Play) -> None:
    """``kv set`` writes every field, ``kv show`` and ``kv list`` read them."""

    def script(az: Az, store: Served) -> None:
        az("kv set --key 'a/b c' --label l --value 'v\"1' --content-type t --tags x=y z= -y")
        az("kv set --key 'a/b c' --value none --description d -y")
        kept = store.get("a/b c", "l")
        assert (kept.value, kept.content_type, kept.tags) == ('v"1', "t", {"x": "y", "z": ""})
        assert store.get("a/b c").description == "d"
        shown = az("kv show --key 'a/b c' --label l")
        assert (shown["value"], shown["etag"], shown["locked"]) == ('v"1', kept.etag, False)
        assert len(az("kv list")) == 2
        assert [each["label"] for each in az("kv list --key a/* --label l --tags x=y")] == ["l"]
        assert az("kv list --label '\\0' --fields key value") == [{"key": "a/b c", "value": "none"}]

    play(script)


def test_updates_and_deletes(play: Play) -> None:
    """``kv set`` of a setting that exists keeps what is not given; ``kv delete`` takes filters."""

    def script(az: Az, store: Served) -> None:
        az("kv set --key a1 --value 1 --tags x=y --content-type t -y")
        az("kv set --key a1 --value 2 -y")
        changed = store.get("a1")
        assert (changed.value, changed.tags, changed.content_type) == ("2", {"x": "y"}, "t")
        for key in ("a2", "b"):
            az(f"kv set --key {key} --value 1 -y")
        assert len(az("kv delete --key a* -y")) == 2
        assert store.keys() == ["b"]

    play(script)


def test_locks(play: Play) -> None:
    """A locked setting is neither set nor deleted, an unlocked one is."""

    def script(az: Az, store: Served) -> None:
        az("kv set --key k --value 1 -y")
        assert az("kv lock --key k -y")["locked"] is True
        assert store.get("k").read_only
        with pytest.raises(Refused, match="read only"):
            az("kv set --key k --value 2 -y")
        with pytest.raises(Refused, match="read-only"):
            az("kv delete --key k -y")
        assert store.values() == {"k": "1"}
        az("kv unlock --key k -y")
        az("kv delete --key k -y")
        assert store.keys() == []

    play(script)


def test_references(play: Play) -> None:
    """``set-keyvault`` and ``set-snapshot-reference`` write what providers follow."""

    def script(az: Az, store: Served) -> None:
        secret = "https://v.vault.azure.net/secrets/s"
        az(f"kv set-keyvault --key secret --secret-identifier {secret} -y")
        az("kv set-snapshot-reference --key part --snapshot-name s -y")
        kept = store.get("secret")
        assert (kept.content_type, json.loads(kept.value)) == (VAULT_TYPE, {"uri": secret})
        part = store.get("part")
        assert part.content_type.startswith(SNAPSHOT_TYPE)
        assert json.loads(part.value) == {"snapshot_name": "s"}

    play(script)


def test_lists_revisions(play: Play) -> None:
    """``revision list`` gives them newest first, and those of a date with ``--datetime``."""

    def script(az: Az, store: Served) -> None:
        first = store.client.set_configuration_setting(_setting("r-b", "1"))
        store.wait(10)
        for key, value in (("r-a", "1"), ("r-b", "2")):
            store.client.set_configuration_setting(_setting(key, value))
            store.wait(10)
        found = [(each["key"], each["value"]) for each in az("revision list --key r-*")]
        assert found == [("r-b", "2"), ("r-a", "1"), ("r-b", "1")]
        assert [each["value"] for each in az("revision list --key r-b --top 1")] == ["2"]
        then = az(f"revision list --key r-* --datetime {_second(first)}")
        assert [(each["key"], each["value"]) for each in then] == [("r-b", "1")]

    play(script)


def test_restores(play: Play) -> None:
    """``kv restore`` to the second of a revision makes the store what it was in that second."""

    def script(az: Az, store: Served) -> None:
        store.client.set_configuration_setting(_setting("gone", "1"))
        first = store.client.set_configuration_setting(_setting("kept", "1"))
        store.wait(10)
        store.client.set_configuration_setting(_setting("kept", "2"))
        store.client.set_configuration_setting(_setting("new", "1"))
        store.client.delete_configuration_setting("gone")
        store.wait(10)
        when = _second(first)
        assert az(f"kv list --datetime {when} --query length(@)") == "2\n"
        assert az(f"kv show --key kept --datetime {when} --query value -o tsv") == "1\n"
        az(f"kv restore --datetime {when} -y")
        assert store.values() == {"gone": "1", "kept": "1"}

    play(script)


def test_sets_features(play: Play) -> None:
    """``feature`` sets, shows, lists, switches, locks and deletes flags."""

    def script(az: Az, store: Served) -> None:
        az("feature set --feature beta --label l --description d -y")
        az("feature set --feature other -y")
        az("feature enable --feature beta --label l -y")
        kept = store.get(f"{FLAG}beta", "l")
        assert (kept.enabled, kept.description, kept.content_type) == (True, "d", FLAG_TYPE)
        assert az("feature show --feature beta --label l")["state"] == "on"
        assert sorted(each["name"] for each in az("feature list")) == ["beta", "other"]
        az("feature disable --feature beta --label l -y")
        assert not store.get(f"{FLAG}beta", "l").enabled
        az("feature lock --feature beta --label l -y")
        with pytest.raises(Refused, match="read-only"):
            az("feature delete --feature beta --label l -y")
        az("feature unlock --feature beta --label l -y")
        az("feature delete --feature beta --label l -y")
        assert store.keys() == [f"{FLAG}other"]

    play(script)


def test_sets_filters_of_features(play: Play) -> None:
    """``feature filter`` adds, updates, shows, lists and deletes the filters of a flag."""

    def script(az: Az, store: Served) -> None:
        az("feature set --feature f -y")
        filters = "--feature f --filter-name"
        az(f"feature filter add {filters} Microsoft.Percentage --filter-parameters Value=50 -y")
        az(f"feature filter add {filters} Mine --filter-parameters a=[1,2] -y")
        az(f"feature filter update {filters} Mine --filter-parameters a=3 -y")
        kept = [(each["name"], each["parameters"]) for each in store.get(f"{FLAG}f").filters]
        assert kept == [("Microsoft.Percentage", {"Value": 50}), ("Mine", {"a": 3})]
        assert az(f"feature filter show {filters} Mine")[0]["parameters"] == {"a": 3}
        assert len(az("feature filter list --feature f")) == 2
        az(f"feature filter delete {filters} Mine -y")
        assert [each["name"] for each in store.get(f"{FLAG}f").filters] == ["Microsoft.Percentage"]

    play(script)


def test_takes_snapshots(play: Play) -> None:
    """``snapshot`` creates, shows, lists, archives and recovers; ``kv list`` reads one."""

    def script(az: Az, store: Served) -> None:
        for key in ("a1", "a2", "b"):
            store.client.set_configuration_setting(_setting(key, "1"))
        only = """--filters '{"key": "a*", "label": ""}'"""
        made = az(f"snapshot create -s s {only} --retention-period 3600 --tags x=y --description d")
        kept = store.client.get_snapshot("s")
        assert (kept.items_count, kept.status, kept.tags) == (2, "ready", {"x": "y"})
        assert made["etag"] == az("snapshot show -s s")["etag"] == kept.etag
        assert len(az("kv list --snapshot s")) == 2
        az("snapshot archive -s s")
        assert store.client.get_snapshot("s").status == "archived"
        assert [each["name"] for each in az("snapshot list --status archived")] == ["s"]
        az("snapshot recover -s s")
        assert store.client.get_snapshot("s").status == "ready"

    play(script)


FILES = {
    "json": '{"app": {"colour": "blue", "size": "1"}}',
    "yaml": "app:\n  colour: blue\n  size: '1'\n",
    "properties": "app.colour=blue\napp.size=1\n",
}


@pytest.mark.parametrize("form", FILES)
def test_files(play: Play, form: str) -> None:
    """What ``kv export`` writes to a file is what ``kv import`` reads from one."""

    def script(az: Az, store: Served) -> None:
        path, back = az.folder / "in", az.folder / "out"
        path.write_text(FILES[form])
        how = f"--format {form} --label l -y" + ("" if form == "properties" else " --separator .")
        az(f"kv import -s file --path {path} {how}")
        assert store.values("l") == {"app.colour": "blue", "app.size": "1"}
        az(f"kv export -d file --path {back} {how}")
        assert _words(back.read_text()) == _words(FILES[form])

    play(script)


def test_set_of_settings(play: Play) -> None:
    """The kvset profile keeps labels, tags, content types and flags."""

    def script(az: Az, store: Served) -> None:
        az("kv set --key k --label l --value 1 --content-type t --tags x=y -y")
        az("feature set --feature f --label l -y")
        path = az.folder / "kvset.json"
        how = f"--path {path} --format json --profile appconfig/kvset -y"
        az(f"kv export -d file --label * {how}")
        az("kv delete --key * --label * -y")
        assert store.keys() == []
        az(f"kv import -s file {how}")
        assert store.keys() == [f"{FLAG}f", "k"]
        kept = store.get("k", "l")
        assert (kept.value, kept.content_type, kept.tags) == ("1", "t", {"x": "y"})

    play(script)


def test_imports_strictly(play: Play) -> None:
    """A strict import deletes what the file does not have."""

    def script(az: Az, store: Served) -> None:
        az("kv set --key old --value 1 -y")
        path = az.folder / "in.json"
        path.write_text(json.dumps({"new": "1"}))
        az(f"kv import -s file --path {path} --format json --strict -y")
        assert store.values() == {"new": "1"}

    play(script)


def test_from_store_to_store(both: tuple[Az, Az]) -> None:
    """``kv export`` writes into another store, ``kv import`` reads from one, in both ways."""
    for az, other in permutations(both):
        one, two = az.store, other.store
        az("kv set --key k --label l --value 1 --tags x=y -y")
        az("feature set --feature f --label l -y")
        other(f"kv import -s appconfig --src-label l --label m -y {_named(one, 'src')}")
        assert two.keys() == two.keys("m") == [f"{FLAG}f", "k"]
        az("kv delete --key * --label * -y")
        other(f"kv export -d appconfig --label m --preserve-labels -y {_named(one, 'dest')}")
        assert one.keys() == one.keys("m") == [f"{FLAG}f", "k"]
        assert (one.get("k", "m").value, one.get("k", "m").tags) == ("1", {"x": "y"})
        other("kv delete --key * --label * -y")


def _named(store: Served, prefix: str) -> str:
    return shlex.join(store.options(f"{prefix}-"))


def _words(text: str) -> list[str]:
    """What is in a file, without its layout."""
    return re.findall(r"[\w.=]+", text)


def _setting(key: str, value: str) -> ConfigurationSetting:
    return ConfigurationSetting(key=key, value=value)


def _second(setting: ConfigurationSetting) -> str:
    assert setting.last_modified is not None
    return setting.last_modified.strftime("%Y-%m-%dT%H:%M:%SZ")
