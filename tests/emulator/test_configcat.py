"""The local ConfigCat CDN: which files it serves to whom, and what goes wrong with them."""

from __future__ import annotations

import gzip
import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime

import httpx
import pytest

from appconfig_provider.testing import ConfigCatEmulator, Emulator, FakeClock, Scripted

from .raw import Raw, Reply

KEY = ConfigCatEmulator.sdk_key
V5 = {"f": {"old": {"v": True, "i": "a", "t": 0, "p": [], "r": []}}}
V6 = {"f": {"new": {"t": 0, "v": {"b": True}, "i": "a"}}}


@pytest.fixture
def cdn() -> Iterator[ConfigCatEmulator]:
    """A CDN without settings."""
    with ConfigCatEmulator() as emulator:
        yield emulator


@pytest.fixture
def raw(cdn: ConfigCatEmulator) -> Iterator[Raw]:
    """A connection to it."""
    with Raw(cdn.base_url) as connection:
        yield connection


def get(raw: Raw, version: str = "v6", key: str = KEY, **headers: str) -> Reply:
    """Ask for a file; ``if_none_match`` stands for the header ``if-none-match``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    target = f"/configuration-files/{key}/config_{version}.json"
    return raw.send_unsigned("GET", target, {"host": raw.host, **named}, b"")


def test_a_new_one_serves_no_settings(raw: Raw) -> None:
    """Before anything is set every SDK key gets both files, without settings."""
    for version in ("v5", "v6"):
        reply = get(raw, version, "any")
        assert (reply.status, reply.json) == (200, {"f": {}})
        assert reply.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("value", "number", "member"), [(True, 0, "b"), ("é", 1, "s"), (5, 2, "i"), (5.0, 3, "d")]
)
def test_a_value_is_in_both_files(
    cdn: ConfigCatEmulator, raw: Raw, value: bool | str | float, number: int, member: str
) -> None:
    """A simple value has its type and one variation id in both files."""
    cdn.set("k", value)
    v5, v6 = (get(raw, version).json["f"]["k"] for version in ("v5", "v6"))
    assert v5 == {"v": value, "i": v5["i"], "t": number, "p": [], "r": []}
    assert v6 == {"t": number, "v": {member: value}, "i": v5["i"]}
    assert type(v5["v"]) is type(value)


def test_settings_come_and_go(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """Setting one value leaves the others, removing takes away one, and a second time fails."""
    cdn.set("a", True)
    cdn.set("b", 1)
    cdn.set("a", False)
    assert {key: each["v"] for key, each in get(raw, "v5").json["f"].items()} == {
        "a": False,
        "b": 1,
    }
    cdn.remove("a")
    assert [*get(raw, "v5").json["f"], *get(raw, "v6").json["f"]] == ["b", "b"]
    with pytest.raises(KeyError, match="'a'"):
        cdn.remove("a")


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("a/b", "a/b"),
        ("a%2Fb", "a/b"),
        ("%23YOUR-SDK-KEY%23", "#YOUR-SDK-KEY#"),
        ("a%20b%C3%BC%3F", "a bü?"),
        ("a%252F", "a%2F"),
        ("configcat-proxy/x", "configcat-proxy/x"),
    ],
)
def test_any_text_is_a_key(cdn: ConfigCatEmulator, raw: Raw, sent: str, key: str) -> None:
    """The SDK key is all between the prefix and the file, with percent-encoding undone once."""
    cdn.unload()
    cdn.set("own", 1, sdk_key=key)
    assert list(get(raw, "v5", sent).json["f"]) == ["own"]
    assert get(raw, "v5", sent + "x").status == 404


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/configuration-files/config_v6.json", 404),
        ("/configuration-files//config_v6.json", 404),
        ("/configuration-files/k/config_v7.json", 404),
        ("/configuration-files/k", 404),
        ("/configuration-files", 404),
        ("/configuration-files/%FF/config_v6.json", 400),
        ("/other", 404),
    ],
)
def test_what_is_no_file(raw: Raw, target: str, status: int) -> None:
    """A path without a key or with another file is a 404, and one that is not UTF-8 a 400."""
    assert raw.send_unsigned("GET", target, {"host": raw.host}, b"").status == status


def test_files_are_only_read(raw: Raw) -> None:
    """HEAD gives the headers of GET alone, and other methods are refused."""
    target = f"/configuration-files/{KEY}/config_v6.json"
    head = raw.send_unsigned("HEAD", target, {"host": raw.host}, b"")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["etag"] == get(raw).headers["etag"]
    assert raw.send_unsigned("PUT", target, {"host": raw.host}, b"{}").status == 405


def test_an_unknown_key(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """After unload() a key without a config gets 404, and the answer does not repeat it."""
    cdn.load(V6, "known")
    cdn.unload()
    reply = get(raw, key="stranger")
    assert (reply.status, b"stranger" in reply.body) == (404, False)
    assert get(raw, key="known").status == 200
    cdn.unload("known")
    assert get(raw, key="known").status == 404
    cdn.set("k", 1, sdk_key="known")
    assert get(raw, "v5", "known").status == get(raw, "v6", "known").status == 200


def test_new_keys_read_v6(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """Keys that begin with configcat-sdk-1/ get a v5 file only where there is no other."""
    new = "configcat-sdk-1/x/y"
    assert (get(raw, "v5", new).status, get(raw, "v6", new).status) == (404, 200)
    cdn.load(V5)
    assert (get(raw, "v5", new).status, get(raw, "v6", new).status) == (200, 404)


def test_a_whole_file_is_served_as_it_is(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """A v5 or v6 file is served alone, and the answer for the other one names it."""
    cdn.load(json.dumps(V5))
    assert get(raw, "v5").json == V5
    assert (get(raw).status, get(raw).body) == (
        404,
        b"This SDK key has no config_v6.json, it has config_v5.json.",
    )
    cdn.load(V6)
    assert (get(raw, "v5").status, get(raw).json) == (404, V6)
    cdn.load({"config_v5.json": V5, "config_v6.json": V6})
    assert (get(raw, "v5").json, get(raw).json) == (V5, V6)
    cdn.load({"flags": {"x": 1}})
    assert [*get(raw, "v5").json["f"], *get(raw).json["f"]] == ["x", "x"]


def test_half_a_character(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """A text with half a character, which JSON can write as an escape, is served so."""
    cdn.load('{"flags": {"k": "\\ud800"}}')
    assert get(raw, "v5").json["f"]["k"]["v"] == "\ud800"


def test_what_was_loaded_is_a_copy(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """A later change of the object that was loaded changes nothing."""
    mine = {"flags": {"a": 1}}
    cdn.load(mine)
    mine["flags"]["b"] = 2
    assert list(get(raw).json["f"]) == ["a"]


def test_etags(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """An ETag is strong and of the body: it changes with a value, and comes back with it."""
    cdn.set("k", 1)
    first = get(raw).headers["etag"]
    assert first.startswith('"')
    assert get(raw, "v5").headers["etag"] != first
    cdn.set("k", 2)
    assert get(raw).headers["etag"] != first
    cdn.set("k", 1)
    assert get(raw).headers["etag"] == first


@pytest.mark.parametrize(
    ("condition", "status"),
    [("{}", 304), ("W/{}", 304), ('"x", {}', 304), ("*", 304), ('"x"', 200), ("empty", 200)],
)
def test_conditions(cdn: ConfigCatEmulator, raw: Raw, condition: str, status: int) -> None:
    """If-None-Match with the file's ETag, weak or among others, is answered by a bare 304."""
    etag = get(raw).headers["etag"]
    reply = get(raw, if_none_match=condition.format(etag))
    assert (reply.status, reply.headers["etag"]) == (status, etag)
    assert bool(reply.body) is (status == 200)


@pytest.mark.parametrize(
    ("accepted", "zips"),
    [("gzip, deflate", True), ("br;q=1, GZIP;q=0.5", True), ("*", True), ("gzip;q=0", False),
     ("gzip; q=0.000", False), ("deflate", False), ("", False)],
)  # fmt: skip
def test_gzip(cdn: ConfigCatEmulator, raw: Raw, accepted: str, zips: bool) -> None:
    """Who accepts gzip gets it with an ETag of its own, and either ETag is known in both."""
    cdn.set("k", "v" * 1000)
    plain, reply = get(raw), get(raw, accept_encoding=accepted)
    assert (reply.headers.get("content-encoding") == "gzip") is zips
    assert reply.headers["vary"] == "Accept-Encoding"
    body = gzip.decompress(reply.body) if zips else reply.body
    assert body == plain.body
    assert (reply.headers["etag"] != plain.headers["etag"]) is zips
    assert get(raw, if_none_match=reply.headers["etag"]).status == 304
    again = get(raw, accept_encoding=accepted, if_none_match=plain.headers["etag"])
    assert (again.status, again.headers["etag"]) == (304, reply.headers["etag"])


def test_redirects_stand_in_every_file(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """A redirect is in the files of all keys, with another ETag, until None ends it."""
    before = get(raw).headers["etag"]
    cdn.load({"p": {"s": "salt", "u": "https://cdn-eu.configcat.com", "r": 2}, **V6}, "own")
    assert get(raw, key="own").json["p"] == {"s": "salt"}
    cdn.redirect("http://127.0.0.1:1", 2)
    assert get(raw, "v5").json == {"p": {"u": "http://127.0.0.1:1", "r": 2}, "f": {}}
    assert get(raw).headers["etag"] != before
    assert get(raw, key="own").json["p"] == {"u": "http://127.0.0.1:1", "r": 2, "s": "salt"}
    cdn.redirect(None)
    assert get(raw).headers["etag"] == before
    with pytest.raises(ValueError, match="0, 1 or 2, not 3"):
        cdn.redirect("http://127.0.0.1:1", 3)  # type: ignore[arg-type]


def test_failures_end_by_themselves(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """fail() answers so many times with a status, and what is no error status is refused."""
    cdn.fail(500, times=2)
    assert [get(raw).status for _ in range(3)] == [500, 500, 200]
    with pytest.raises(ValueError, match="400 to 599"):
        cdn.fail(200)
    with pytest.raises(ValueError, match="times"):
        cdn.fail(500, times=-1)
    assert get(raw).status == 200


def test_failures_until_up(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """Without a number it fails until up(), or until the end of its block."""
    cdn.fail(403)
    with cdn.fail(429):
        assert [get(raw).status for _ in range(2)] == [403, 403]
        cdn.up()
        assert get(raw).status == 429
    assert get(raw).status == 200


def test_a_server_that_is_gone(cdn: ConfigCatEmulator) -> None:
    """While it is down connections are refused, and afterwards it is back with its settings."""
    cdn.set("k", 1)
    url = f"{cdn.base_url}/configuration-files/{KEY}/config_v6.json"
    with httpx.Client(trust_env=False) as client:
        with cdn.down(), pytest.raises(httpx.ConnectError):
            client.get(url)
        assert list(client.get(url).json()["f"]) == ["k"]


def test_slow_and_torn_answers(cdn: ConfigCatEmulator) -> None:
    """Answers can be late or end in the middle, as those of the store."""
    cdn.set("k", "v" * 1000)
    url = f"{cdn.base_url}/configuration-files/{KEY}/config_v6.json"
    with httpx.Client(trust_env=False, timeout=0.2) as client:
        with cdn.slow(5), pytest.raises(httpx.ReadTimeout):
            client.get(url)
        with (
            cdn.respond(lambda _: Scripted(cut_after=10)),
            pytest.raises(httpx.RemoteProtocolError),
        ):
            client.get(url)
        assert client.get(url).status_code == 200


def test_changes_of_several_threads(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """No change is lost when several threads make them, and every file is whole meanwhile."""
    with ThreadPoolExecutor(8) as threads:
        changes = [threads.submit(cdn.set, f"k{number}", number) for number in range(200)]
        while not all(change.done() for change in changes):
            settings = get(raw, "v5").json["f"]
            assert all(settings[key]["v"] == int(key[1:]) for key in settings)
    assert len(get(raw).json["f"]) == 200


def test_requests_are_recorded(cdn: ConfigCatEmulator, raw: Raw) -> None:
    """A record has path, headers and status of a request."""
    get(raw, key="a%2Fb", user_agent="test")
    (record,) = cdn.requests
    assert record.path == record.target == "/configuration-files/a%2Fb/config_v6.json"
    assert (record.headers["user-agent"], record.status) == ("test", 200)
    raw.send_unsigned("GET", "/x?y=1?", {"host": raw.host}, b"")
    assert cdn.requests[1].path == "/x"


def test_dates_are_those_of_its_clock() -> None:
    """Answers are dated by the clock that it was given."""
    clock = FakeClock(1_000_000_000.0)
    with ConfigCatEmulator(clock=clock) as cdn, Raw(cdn.base_url) as raw:
        clock.advance(60)
        dated = [get(raw).headers["date"], get(raw, key="").headers["date"]]
        assert [parsedate_to_datetime(each).timestamp() for each in dated] == [1_000_000_060.0] * 2


def test_over_tls() -> None:
    """With tls it is https, trusted by the CA of the other servers of this process."""
    with ConfigCatEmulator(tls=True) as cdn, Emulator(tls=True) as store:
        assert cdn.ca_file == store.ca_file
        context = ssl.create_default_context(cafile=cdn.ca_file)
        with httpx.Client(verify=context, trust_env=False) as client:
            url = f"{cdn.base_url}/configuration-files/{KEY}/config_v6.json"
            assert url.startswith("https://")
            assert client.get(url).json() == {"f": {}}


def test_other_origins_are_refused(raw: Raw) -> None:
    """Web pages of other origins, and names that are not its own, get 403, as at a store."""
    assert get(raw, origin="http://example.com").status == 403
    target = f"/configuration-files/{KEY}/config_v6.json"
    assert raw.send_unsigned("GET", target, {"host": "example.com"}, b"").status == 403
