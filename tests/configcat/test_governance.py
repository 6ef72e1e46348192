"""Data governance: which server is asked, and which redirects are followed."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from appconfig_provider.configcat.connecting import BASE_URL
from appconfig_provider.configcat.datagovernance import DataGovernance
from tests.support.configcat_source import (
    EU,
    GLOBAL,
    KEY,
    V5,
    V6,
    Cdn,
    Played,
    Shared,
    leading,
    v5,
    v6,
)
from tests.support.vectors import VECTORS

SHARED = VECTORS.parent / "configcat"
SCENARIOS = SHARED / "inline" / "data_governance.json"
OTHER = "https://other.example"


def scenarios() -> list[Any]:
    """Return the published scenarios; none where they are not here."""
    if not SCENARIOS.exists():
        return []
    loaded: list[Any] = json.loads(SCENARIOS.read_text(encoding="utf-8"))["scenarios"]
    return loaded


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda one: one["name"])
def test_published_scenarios(scenario: dict[str, Any]) -> None:
    """Each published scenario asks the servers that it names, in its order, with its warnings."""
    hosts = json.loads(SCENARIOS.read_text(encoding="utf-8"))["hosts"]
    cdn = Cdn()
    for name, (to, mode) in scenario["servers"].items():
        cdn.serve(leading(v6(color=name), hosts[to], mode), "", at=hosts[name])
    base_url = hosts.get(scenario["base_url"])
    governance = DataGovernance[scenario["governance"]]
    client = Played(cdn, data_governance=governance, base_url=base_url)
    client.refresh(force=True)
    first = len(cdn.asked)
    ids = list(client.ids)
    client.refresh(force=True)
    names = {url: name for name, url in hosts.items()}
    asked = [names[host] for host in cdn.hosts]
    assert [asked[:first], asked[first:]] == scenario["calls"]
    assert ids == [scenario[kind] for kind in ("warn", "error") if kind in scenario]
    assert client.state.result.is_success
    assert client.texts == {"color": asked[-1]}


@pytest.mark.heavy
def test_the_published_runner() -> None:
    """The published runner counts 13 checks over real HTTP, and none that failed."""
    path = SHARED / "run_protocol.py"
    if not path.exists():
        pytest.skip(f"the runner is not here: {path}")
    command = [sys.executable, str(path), "tests.support.configcat_protocol"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip().endswith("13 protocol checks, 0 failed"), done.stderr
    assert "FAIL" not in done.stdout


def test_https_never_leads_to_http() -> None:
    """A redirect from https to http is not followed; the answer is used as it is."""
    cdn = Cdn()
    cdn.serve(leading(v6(color="red"), "http://other.example", 2))
    client = Played(cdn)
    client.refresh()
    client.refresh(force=True)
    assert cdn.hosts == [GLOBAL, GLOBAL]
    assert client.texts == {"color": "red"}


@pytest.mark.parametrize("base", ["http://127.0.0.1:1", "http://cdn.intern"])
def test_http_leads_to_http_and_https(base: str) -> None:
    """Who began at an http address, however it was given, may be led to another."""
    cdn = Cdn()
    cdn.serve(leading(v6(), "http://other.example", 2), at=base)
    cdn.serve(leading(v6(), OTHER, 2), at="http://other.example")
    cdn.serve(v6(color="red"), at=OTHER)
    client = Played(cdn, base_url=base)
    client.refresh()
    assert cdn.hosts == [base, "http://other.example", OTHER]
    assert client.texts == {"color": "red"}


NO_ADDRESSES: list[object] = [
    *("", "ftp://a.example", "https://", "//a.example", "https://u:p@a.example", "x" * 5000),
    *("https://a.example/?q=1", "https://a.example/#x", "https://a.example:99999", "https://a b"),
    *(7, None, ["https://a.example"]),
]


@pytest.mark.parametrize("named", NO_ADDRESSES, ids=lambda one: repr(one)[:30])
def test_an_address_that_is_none_is_not_followed(named: object) -> None:
    """What is no address of a server leads nowhere; the answer is used as it is."""
    cdn = Cdn()
    cdn.serve({"p": {"u": named, "r": 2}, **v6(color="red")})
    client = Played(cdn)
    client.refresh()
    assert cdn.hosts == [GLOBAL]
    assert client.texts == {"color": "red"}


def test_a_base_may_have_a_path_and_slashes() -> None:
    """A base URL may have a path; slashes at its end do not count."""
    cdn = Cdn()
    cdn.serve(leading(v6(color="red"), "https://proxy.example/flags/", 2), at=GLOBAL)
    cdn.serve(v6(color="red"), at="https://proxy.example/flags")
    client = Played(cdn, base_url="https://proxy.example/flags//")
    client.refresh()
    assert cdn.asked[0].origin == "https://proxy.example"
    assert cdn.asked[0].target == f"/flags/configuration-files/{KEY}/config_v6.json"
    assert client.texts == {"color": "red"}


def test_at_most_three_requests_for_each_file() -> None:
    """Both files may be asked for, each with its redirects: six requests, and no more."""
    cdn = Cdn()
    for at, to in ((GLOBAL, EU), (EU, GLOBAL)):
        cdn.serve(leading(v5(color="red"), to, 1), file=V5, at=at)
    client = Played(cdn)
    client.refresh()
    assert cdn.named == [V6, V5, V5, V5]
    assert client.ids == [3002, 1104]


def test_after_a_failure_the_client_begins_where_it_began() -> None:
    """A server that a client was led to may go; then the first one is asked again."""
    cdn = Cdn()
    cdn.serve(leading(v6(color="red"), OTHER, 2))
    cdn.serve(v6(color="red"), at=OTHER)
    client = Played(cdn)
    client.refresh()
    cdn.break_down(at=OTHER)
    client.refresh_when_due()
    cdn.serve(v6(color="blue"), '"2"')
    client.refresh_when_due()
    assert cdn.hosts == [GLOBAL, OTHER, OTHER, GLOBAL]
    assert client.texts == {"color": "blue"}


def test_a_redirect_does_not_end_the_back_off_of_a_failure() -> None:
    """Where the first server answers and the second fails, each attempt is one failure more."""
    cdn = Cdn()
    cdn.serve(leading(v6(color="red"), OTHER, 2))
    cdn.break_down(503, at=OTHER)
    client = Played(cdn)
    client.refresh()
    pauses = [client.due]
    client.refresh_when_due()
    pauses.append(client.due)
    assert pauses == [30, 60]
    assert not client.state.loaded


def test_the_variable_stands_for_the_cdn(caplog: pytest.LogCaptureFixture) -> None:
    """The variable's addresses stand for ConfigCat's, also where a config names those."""
    caplog.set_level(logging.INFO)
    cdn = Cdn()
    here, there = "http://localhost:8001", "http://127.0.0.1:8002"
    cdn.serve(leading(v6(color="red"), EU, 1), at=here)
    cdn.serve(leading(v6(color="blue"), EU, 0), at=there)
    client = Played(cdn, environment={BASE_URL: f" {here}/ , {there}"})
    client.refresh()
    assert cdn.hosts == [here, there]
    assert client.ids == [3002]
    (line,) = caplog.records
    assert line.name == "configcat"
    assert line.levelno == logging.INFO
    assert BASE_URL in line.getMessage()
    eu = Played(
        cdn, environment={BASE_URL: f"{here},{there}"}, data_governance=DataGovernance.EuOnly
    )
    assert eu.source.name == there


def test_one_address_stands_for_both() -> None:
    """Where the variable has one address, that is asked for both, without a redirect."""
    cdn = Cdn()
    cdn.serve(leading(v6(color="red"), EU, 1), at="https://cdn.intern")
    client = Played(cdn, environment={BASE_URL: "https://cdn.intern"})
    client.refresh()
    assert cdn.hosts == ["https://cdn.intern"]
    assert client.told == []


def test_base_url_counts_before_the_variable(caplog: pytest.LogCaptureFixture) -> None:
    """A base URL of the program is asked, whatever the variable says, and nothing is logged."""
    caplog.set_level(logging.INFO)
    client = Played(Cdn(), base_url=OTHER, environment={BASE_URL: "https://cdn.intern"})
    assert client.source.name == OTHER
    assert not caplog.records


@pytest.mark.parametrize(
    "value", ["http://cdn.intern", "cdn.intern", "https://a,https://b,https://c", "https://u:p@a"]
)
def test_a_wrong_variable_is_refused(value: str) -> None:
    """Http leads to this machine alone; the error names the variable and does not quote it."""
    with pytest.raises(ValueError, match=BASE_URL) as caught:
        Played(Cdn(), environment={BASE_URL: value})
    assert value not in str(caught.value)


def test_what_a_cache_or_a_file_says_of_servers_is_not_followed() -> None:
    """Only the answer of a server leads to another one."""
    cdn = Cdn()
    cdn.serve(v6(color="red"))
    cache = Shared()
    Played(cdn, config_cache=cache).refresh()
    (key,) = cache
    time, etag, _ = cache[key].split("\n")
    cache[key] = f"{time}\n{etag}\n" + json.dumps(leading(v6(color="blue"), OTHER, 2))
    reader = Played(cdn, config_cache=cache)
    reader.refresh()
    assert reader.texts == {"color": "blue"}
    reader.refresh(force=True)
    assert set(cdn.hosts) == {GLOBAL}
    assert reader.state.server.base == GLOBAL
    assert cdn.named[-1] == V6


def test_a_scheme_may_be_written_in_capitals() -> None:
    """Schemes and hosts have no case, in the variable as in `base_url`."""
    named = Played(Cdn(), environment={BASE_URL: "HTTP://LocalHost:8050/Path/"})
    assert named.source.name == "http://localhost:8050/Path"
    assert Played(Cdn(), base_url="HTTPS://Other.example").source.name == OTHER


def test_a_password_in_an_address_is_refused() -> None:
    """The error names the argument, and does not quote the address."""
    with pytest.raises(ValueError, match=r"^base_url: an address must read ") as caught:
        Played(Cdn(), base_url="https://user:hunter2@a.example")
    assert "hunter2" not in str(caught.value)
