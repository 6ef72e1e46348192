"""Local settings of a ConfigCat client: from a dict, a file that is watched, or a function."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider.configcat.fetching.state import NEVER
from appconfig_provider.configcat.localdictionarydatasource import (
    LocalDictionaryDataSource,
    LocalDictionaryFlagOverrides,
)
from appconfig_provider.configcat.localfiledatasource import (
    LocalFileDataSource,
    LocalFileFlagOverrides,
)
from appconfig_provider.configcat.overridedatasource import (
    FlagOverrides,
    OverrideBehaviour,
    OverrideDataSource,
)
from appconfig_provider.configcat.pollingmode import PollingMode
from tests.support.configcat_source import Cdn, Played, v5, v6

MANUAL = PollingMode.manual_poll()
ONLY, LOCAL_WINS, REMOTE_WINS = OverrideBehaviour
PATH = str(Path(__file__).parent / "flags.json")


@pytest.fixture
def cdn() -> Cdn:
    """Return a CDN with two settings."""
    cdn = Cdn()
    cdn.serve(v6(color="red", size="big"))
    return cdn


def watching(cdn: Cdn, behaviour: OverrideBehaviour, mode: PollingMode = MANUAL) -> Played:
    """Return a client with a file of local settings."""
    return Played(cdn, mode, flag_overrides=LocalFileDataSource(PATH, behaviour))


@pytest.mark.parametrize("kind", [LocalDictionaryDataSource, LocalDictionaryFlagOverrides])
@pytest.mark.parametrize("log", [(), (None,)])
def test_a_dict_is_copied(cdn: Cdn, kind: Any, log: tuple[None, ...]) -> None:
    """What happens to the dict after the client was made does not count."""
    given = {"color": "blue", "on": True, "whole": 3, "part": 0.5}
    client = Played(cdn, flag_overrides=kind(given, ONLY, *log))
    given["color"] = "green"
    client.refresh()
    decided = {key: client.state.evaluators.decide(key).value for key in given}
    assert decided == {"color": "blue", "on": True, "whole": 3, "part": 0.5}


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (ONLY, {"color": "blue", "shape": "round"}),
        (LOCAL_WINS, {"color": "blue", "size": "big", "shape": "round"}),
        (REMOTE_WINS, {"color": "red", "size": "big", "shape": "round"}),
    ],
)
def test_who_wins(cdn: Cdn, behaviour: OverrideBehaviour, expected: dict[str, str]) -> None:
    """The behaviour says which settings count; whole settings are replaced."""
    local = LocalDictionaryDataSource({"color": "blue", "shape": "round"}, behaviour)
    client = Played(cdn, flag_overrides=local)
    client.refresh()
    assert client.texts == expected


@pytest.mark.parametrize("behaviour", [LOCAL_WINS, REMOTE_WINS])
def test_without_a_config_the_local_settings_count(cdn: Cdn, behaviour: OverrideBehaviour) -> None:
    """Until the server has answered, local settings serve alone."""
    cdn.break_down()
    client = Played(cdn, flag_overrides=LocalDictionaryDataSource({"color": "blue"}, behaviour))
    client.refresh()
    assert client.state.loaded
    assert client.texts == {"color": "blue"}


def test_local_only_sends_nothing(cdn: Cdn) -> None:
    """With LocalOnly no request is ever sent; who forces a refresh gets a text that says so."""
    client = Played(cdn, flag_overrides=LocalDictionaryDataSource({"color": "blue"}, ONLY))
    client.refresh()
    client.refresh(force=True)
    assert cdn.asked == []
    assert client.state.standing.due == NEVER
    assert not client.state.result.is_success
    assert client.state.result.error
    assert "LocalOnly" in client.state.result.error
    assert client.state.standing.local


def test_local_only_takes_any_key(cdn: Cdn) -> None:
    """Without a server the form of the SDK key does not matter, and no cache is asked."""

    class Cache:
        def get(self, key: str) -> str:
            raise AssertionError(key)

        set = get

    local = LocalDictionaryDataSource({"color": "blue"}, ONLY)
    client = Played(cdn, key="x", flag_overrides=local, config_cache=Cache())
    client.refresh()
    assert client.texts == {"color": "blue"}


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"flags": {"color": "blue"}}),
        '{\n  // mine\n  "flags": {"color": "blue",},\n}',
        json.dumps(v6(color="blue")),
        json.dumps(v5(color="blue")),
    ],
)
def test_forms_of_a_file(cdn: Cdn, content: str) -> None:
    """A file has simple flags, or a config of either version; comments and commas are allowed."""
    client = watching(cdn, ONLY)
    client.files.write(PATH, content)
    client.refresh()
    assert client.state.evaluators.decide("color").value == "blue"
    assert client.told == []


@pytest.mark.parametrize("behaviour", [ONLY, LOCAL_WINS])
def test_a_changed_file_is_noticed_within_a_second(cdn: Cdn, behaviour: OverrideBehaviour) -> None:
    """One comparison with the clock tells that a file is to be checked; no request comes of it."""
    client = watching(cdn, behaviour)
    client.files.write(PATH, '{"flags": {"color": "blue"}}')
    client.refresh()
    assert client.due == 1
    assert client.refresh_when_due().changes is None
    client.files.write(PATH, '{"flags": {"color": "green"}}')
    client.clock.advance(0.5)
    assert client.refresh().changes is None
    outcome = client.refresh_when_due()
    assert outcome.changes is not None
    assert (outcome.changes.changed, outcome.changes.reason) == (("color",), "override")
    assert client.texts == {"color": "green"}
    assert cdn.asked == []


def test_a_file_that_did_not_change_is_not_read(cdn: Cdn) -> None:
    """A check of an unchanged file asks its folder, and no more."""
    client = watching(cdn, ONLY)
    client.files.write(PATH, '{"flags": {"color": "blue"}}')
    for _ in range(3):
        client.refresh_when_due()
    assert client.files.checked == [PATH + "!", PATH, PATH]


def test_files_do_not_move_the_time_of_the_server(cdn: Cdn) -> None:
    """A client that polls asks the server at its interval, however often files are checked."""
    client = watching(cdn, LOCAL_WINS, PollingMode.auto_poll(60))
    client.files.write(PATH, '{"flags": {}}')
    for _ in range(60):
        client.refresh_when_due()
    assert len(cdn.asked) == 1
    client.refresh_when_due()
    assert len(cdn.asked) == 2


def test_a_missing_file_is_told_once_and_the_client_starts(cdn: Cdn) -> None:
    """No file is 1300; the settings of the server serve, and the file counts when it comes."""
    client = watching(cdn, LOCAL_WINS, PollingMode.auto_poll())
    client.refresh()
    for _ in range(5):
        client.refresh_when_due()
    assert client.ids == [1300]
    assert "flags.json" in client.told[0].text
    assert client.texts == {"color": "red", "size": "big"}
    client.files.write(PATH, '{"flags": {"color": "blue"}}')
    client.refresh_when_due()
    assert client.texts == {"color": "blue", "size": "big"}


def test_only_a_missing_file_is_nothing_loaded(cdn: Cdn) -> None:
    """With LocalOnly and no file there is nothing to evaluate."""
    client = watching(cdn, ONLY)
    client.refresh()
    assert not client.state.loaded
    assert client.state.attempt.error is not None


def test_a_broken_file_keeps_its_last_good_content(cdn: Cdn) -> None:
    """What is no JSON is 2302, once for each change, and quotes nothing; the old content stays."""
    client = watching(cdn, ONLY)
    client.files.write(PATH, '{"flags": {"color": "blue"}}')
    client.refresh()
    client.files.settled = False
    for content in ('{"flags": {"password": "hunter2"', '{"flags": ["hunter2"]}'):
        client.files.write(PATH, content)
        for _ in range(3):
            client.refresh_when_due()
    assert client.ids == [2302, 2302]
    assert "hunter2" not in "".join(one.text for one in client.told)
    assert client.texts == {"color": "blue"}
    client.files.delete(PATH)
    for _ in range(3):
        client.refresh_when_due()
    assert client.ids == [2302, 2302, 1300]
    assert client.texts == {"color": "blue"}


def test_a_folder_cannot_be_read(tmp_path: Path, cdn: Cdn) -> None:
    """What is there and cannot be read is 1302."""
    from appconfig_provider._io.sync import SyncDriver

    client = Played(cdn, MANUAL, flag_overrides=LocalFileFlagOverrides(tmp_path, ONLY))
    driver = SyncDriver(lambda: pytest.fail("no request is sent"), client.clock, None)
    state = driver.run(client.source.next(client.state, force=False, in_background=False)).state
    assert [one.event_id for one in state.reports] == [1302]


def test_a_source_of_the_programs_own(cdn: Cdn) -> None:
    """A source that a program derived is asked at most once a second; what it raises is 1302."""

    class Own(OverrideDataSource):
        settings: Any = None
        asked = 0

        def get_overrides(self) -> Mapping[str, Any] | None:
            self.asked += 1
            if isinstance(self.settings, Exception):
                raise self.settings
            return None if self.settings is None else dict(self.settings)

    class Making(FlagOverrides):
        def create_data_source(self, log: object) -> OverrideDataSource:
            return own

    own = Own(OverrideBehaviour.LocalOverRemote)
    client = Played(cdn, MANUAL, flag_overrides=Making())
    client.refresh()
    client.refresh()
    assert own.asked == 1
    own.settings = {"f": v5(color="blue")["f"]}
    client.refresh_when_due()
    assert client.texts == {"color": "blue"}
    own.settings = RuntimeError("hunter2")
    client.refresh_when_due()
    assert client.ids == [1302]
    assert "hunter2" not in client.told[0].text
    assert client.texts == {"color": "blue"}


@pytest.mark.parametrize("wrong", [7, "flags.json", {"color": "blue"}])
def test_what_is_no_source_is_refused(cdn: Cdn, wrong: object) -> None:
    """Local settings of another kind are a mistake that is told when the client is made."""
    with pytest.raises(TypeError, match="flag_overrides"):
        Played(cdn, flag_overrides=wrong)


def test_a_behaviour_that_is_none_is_refused() -> None:
    """A behaviour is one of three."""
    with pytest.raises(ValueError, match="7"):
        LocalDictionaryDataSource({}, 7)  # type: ignore[arg-type]


def test_the_folder_of_now_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is meant from the folder in which the source was made."""
    monkeypatch.chdir(tmp_path)
    made = LocalFileDataSource("flags.json", ONLY)
    assert made.path == os.path.join(os.getcwd(), "flags.json")  # noqa: PTH109, PTH118
    assert made.get_behaviour() is ONLY


PROGRAM = """
import sys
from appconfig_provider._io.clock import SystemClock
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
from appconfig_provider.configcat.connecting import Surroundings, network_of, source_of
from appconfig_provider.configcat.localdictionarydatasource import LocalDictionaryDataSource
from appconfig_provider.configcat.overridedatasource import OverrideBehaviour
options = ConfigCatOptions(
    flag_overrides=LocalDictionaryDataSource({"on": True}, OverrideBehaviour.LocalOnly)
)
source = source_of("any", options, Surroundings(clock=SystemClock()), newest=True)
driver = SyncDriver(network_of(options), source.given.live.clock, None)
state = driver.run(source.next(source.first(), force=True, in_background=False)).state
assert state.evaluators.decide("on").value is True
print(sorted({"httpcore", "httpx", "ssl", "azure"} & set(sys.modules)))
"""


def test_local_only_imports_no_http() -> None:
    """A program with local settings alone is spared what sends requests."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("name", ["flags", "of a/long-name_123456/without.ending"])
def test_an_error_shows_the_path_of_a_file(cdn: Cdn, tmp_path: Path, name: str) -> None:
    """Whatever it looks like, and also where the program gave it as bytes: a path is no secret."""
    path = bytes(tmp_path / name)
    client = Played(cdn, flag_overrides=LocalFileDataSource(path, ONLY))
    client.refresh()
    assert repr(str(tmp_path / name)) in client.told[0].text
