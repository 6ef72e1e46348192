"""ConfigCat's source: what is asked when, and what a failed request leaves alone."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from appconfig_provider._plan import Response
from appconfig_provider._version import __version__
from appconfig_provider.configcat.fetching.state import NEVER
from appconfig_provider.configcat.pollingmode import PollingMode
from tests.support.configcat_source import (
    GLOBAL,
    KEY,
    OLD_KEY,
    V5,
    V6,
    Cdn,
    Played,
    leading,
    v5,
    v6,
)

AUTO = PollingMode.auto_poll(poll_interval_seconds=60)
LAZY = PollingMode.lazy_load(cache_refresh_interval_seconds=60)
MANUAL = PollingMode.manual_poll()


@pytest.fixture
def cdn() -> Cdn:
    """Return a CDN with one config of version 6."""
    cdn = Cdn()
    cdn.serve(v6(color="red"))
    return cdn


def test_a_client_begins_empty_and_due(cdn: Cdn) -> None:
    """To make a client sends nothing; what it begins with is empty and due at once."""
    client = Played(cdn)
    assert client.due == 0
    assert not client.state.loaded
    assert cdn.asked == []


@pytest.mark.parametrize(("mode", "letter"), [(AUTO, "a"), (LAZY, "l"), (MANUAL, "m")])
def test_what_a_request_looks_like(cdn: Cdn, mode: PollingMode, letter: str) -> None:
    """The key stands in the path, both agents name the mode, and nothing known is no condition."""
    client = Played(cdn, mode)
    client.refresh(force=True)
    (request,) = cdn.asked
    headers = dict(request.headers)
    assert request.origin == GLOBAL
    assert request.target == f"/configuration-files/{KEY}/config_v6.json"
    assert headers["user-agent"] == f"ConfigCat-Python/{letter}-{__version__}"
    assert headers["x-configcat-useragent"] == headers["user-agent"]
    assert headers["accept-encoding"] == "gzip"
    assert "if-none-match" not in headers


def test_a_key_is_percent_encoded_but_for_its_slashes() -> None:
    """The placeholder of ConfigCat's page begins with a character that may not stand in a path."""
    cdn = Cdn(key="#YOUR-SDK-KEY/1#")
    cdn.serve(v5(color="red"), file=V5)
    client = Played(cdn, key="#YOUR-SDK-KEY/1#", newest=False)
    client.refresh()
    assert cdn.asked[0].target == "/configuration-files/%23YOUR-SDK-KEY/1%23/config_v5.json"
    assert client.texts == {"color": "red"}


def test_the_first_refresh_publishes_every_setting(cdn: Cdn) -> None:
    """What came is a generation of its own, with the keys of all settings as added ones."""
    client = Played(cdn)
    outcome = client.refresh()
    assert outcome.changes is not None
    assert outcome.changes.added == ("color",)
    assert outcome.changes.reason == "config"
    assert client.state.loaded
    assert client.state.snapshot.version == 1
    assert client.state.evaluators.decide("color").value == "red"
    assert client.state.result.is_success
    assert client.due == 60


def test_a_304_renews_and_changes_nothing(cdn: Cdn) -> None:
    """The ETag is sent back as it came, a weak one too; a 304 renews the time of the config."""
    client = Played(cdn, LAZY)
    client.refresh()
    first = client.state
    outcome = client.refresh_when_due()
    assert cdn.conditions == [None, 'W/"1"']
    assert outcome.changes is None
    assert client.state.snapshot is first.snapshot
    assert client.state.entry is not None
    assert first.entry is not None
    assert client.state.entry.fetched_at == first.entry.fetched_at + 60
    assert client.due == 60


def test_a_304_without_an_etag_keeps_the_known_one() -> None:
    """An answer that confirms a config need not repeat its ETag."""
    answers = iter(
        [Response(200, {"etag": '"x"'}, b'{"f":{}}'), Response(304, {}), Response(304, {})]
    )
    asked: list[str | None] = []

    def answer(request: object) -> Response:
        asked.append(dict(getattr(request, "headers", ())).get("if-none-match"))
        return next(answers)

    client = Played(answer)
    for _ in range(3):
        client.refresh(force=True)
    assert asked == [None, '"x"', '"x"']


def test_a_304_to_what_had_no_condition_is_a_failure() -> None:
    """A server that confirms what nobody has said is not believed."""
    client = Played(lambda _request: Response(304, {}))
    client.refresh()
    assert client.ids == [1101]
    assert not client.state.loaded


def test_what_has_changed_is_told(cdn: Cdn) -> None:
    """The next config replaces the settings at once; unchanged settings stay the same objects."""
    cdn.serve(v6(color="red", shape="round"))
    client = Played(cdn)
    client.refresh()
    shape = client.state.settings["shape"]
    cdn.serve(v6(color="blue", shape="round", size="big"), 'W/"2"')
    outcome = client.refresh_when_due()
    assert outcome.changes is not None
    assert outcome.changes.changed == ("color",)
    assert outcome.changes.added == ("size",)
    assert client.state.settings["shape"] is shape


@pytest.mark.parametrize(
    ("salt", "segments"), [("other", ["one"]), ("salt", ["two"])], ids=["salt", "segments"]
)
def test_another_salt_or_other_segments_change_the_settings(
    cdn: Cdn, salt: str, segments: list[str]
) -> None:
    """A change set names the settings of a file whose salt or segments alone have changed."""

    def config(salt: str, names: list[str]) -> dict[str, Any]:
        found = [{"n": name, "r": []} for name in names]
        return {**v6(color="red", shape="round"), "p": {"s": salt}, "s": found}

    cdn.serve(config("salt", ["one"]))
    client = Played(cdn)
    client.refresh()
    cdn.serve(config(salt, segments), 'W/"2"')
    changes = client.refresh_when_due().changes
    assert changes is not None
    assert (changes.added, changes.changed, changes.removed) == ((), ("color", "shape"), ())


def test_nothing_is_asked_before_it_is_due(cdn: Cdn) -> None:
    """A refresh that is called too soon sends nothing; a forced one does."""
    client = Played(cdn)
    client.refresh()
    client.clock.advance(59)
    client.refresh()
    assert len(cdn.asked) == 1
    client.refresh(force=True)
    assert len(cdn.asked) == 2


def test_manual_is_asked_by_force_alone(cdn: Cdn) -> None:
    """A manual client never asks the server by itself."""
    client = Played(cdn, MANUAL)
    client.refresh()
    assert cdn.asked == []
    assert client.state.standing.due == NEVER
    client.refresh(force=True)
    assert client.texts == {"color": "red"}
    assert client.state.standing.due == NEVER


@pytest.mark.parametrize("status", [403, 404])
def test_a_missing_config_rests_for_an_interval(cdn: Cdn, status: int) -> None:
    """A 403 or 404 is 1100; it forgets nothing and is asked again after one interval."""
    client = Played(cdn, LAZY)
    client.refresh()
    cdn.break_down(status)
    outcome = client.refresh_when_due()
    assert client.ids == [1100]
    assert isinstance(outcome.error, ConnectionError)
    assert client.texts == {"color": "red"}
    assert client.state.result == (False, client.told[0].text)
    assert client.due == 60


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 429, 500, 503])
def test_other_statuses_are_1101(cdn: Cdn, status: int) -> None:
    """No redirect of HTTP is followed; any status that is no answer is 1101, and one request."""
    client = Played(cdn)
    client.refresh()
    cdn.break_down(status, location="https://evil.example/")
    client.refresh_when_due()
    assert client.ids == [1101]
    assert str(status) in client.told[0].text
    assert client.texts == {"color": "red"}
    assert cdn.hosts == [GLOBAL, GLOBAL]


def test_failures_back_off(cdn: Cdn) -> None:
    """A server that fails is asked at 30, 60, 120 seconds..., never more than one request each."""
    cdn.break_down()
    client = Played(cdn)
    client.refresh()
    pauses = []
    for _ in range(6):
        pauses.append(client.due)
        client.refresh_when_due()
    assert pauses == [30, 60, 120, 240, 480, 600]
    assert len(cdn.asked) == 7
    assert set(client.ids) == {1103}
    cdn.faults.clear()
    client.refresh_when_due()
    assert client.texts == {"color": "red"}
    assert client.due == 60
    assert client.state.attempt.error is None


def test_a_server_may_ask_for_more_time(cdn: Cdn) -> None:
    """Retry-After is waited for, up to ten minutes."""
    cdn.break_down(429, **{"retry-after": "200"})
    client = Played(cdn)
    client.refresh()
    assert client.due == 200


BROKEN = {
    "empty": b"",
    "torn": b'{"f": {"color": {"v": {"s": "bl',
    "no object": b"[]",
    "no settings": b"{}",
    "settings are a list": b'{"f": []}',
    "deep": b'{"f": ' + b"[" * 200_000,
    "no text": b"\xff\xfe\xff",
    "a page": b"<html>sign in to the wifi</html>",
}


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
def test_a_broken_body_keeps_the_old_settings(cdn: Cdn, body: bytes) -> None:
    """What is no config is 1103; the old one stays, with its ETag, and no part of it is shown."""
    client = Played(cdn)
    client.refresh()
    cdn.break_down(200)
    cdn.faults[GLOBAL] = Response(200, {"etag": '"broken"'}, body)
    client.refresh_when_due()
    assert client.ids == [1103]
    assert "wifi" not in client.told[0].text
    assert client.texts == {"color": "red"}
    assert not client.state.result.is_success
    cdn.faults.clear()
    client.refresh_when_due()
    assert cdn.conditions[-1] == 'W/"1"'


@pytest.mark.parametrize("etag", ["x" * 1001, "\u0100", "a\nb"])
def test_an_etag_that_cannot_be_sent_is_not_kept(cdn: Cdn, etag: str) -> None:
    """An ETag without end, or one that no header can have, counts as none."""
    cdn.serve(v6(color="red"), etag)
    client = Played(cdn)
    client.refresh()
    client.refresh_when_due()
    assert cdn.conditions == [None, None]


def test_the_file_of_the_page_is_version_5() -> None:
    """`create_client` asks for config_v5.json, which stands in ConfigCat's page."""
    cdn = Cdn(key=OLD_KEY)
    cdn.serve(v5(color="red"), file=V5)
    cdn.serve(v6(color="blue"), file=V6)
    client = Played(cdn, key=OLD_KEY, newest=False)
    client.refresh()
    assert cdn.named == [V5]
    assert client.texts == {"color": "red"}


@pytest.mark.parametrize(("key", "newest"), [(KEY, False), (OLD_KEY, True)])
def test_version_6_is_asked_first(key: str, newest: bool) -> None:
    """Keys that have no older file, and `get()`, ask for config_v6.json."""
    cdn = Cdn(key=key)
    cdn.serve(v5(color="red"), file=V5)
    cdn.serve(v6(color="blue"), file=V6)
    Played(cdn, key=key, newest=newest).refresh()
    assert cdn.named == [V6]


def test_the_other_file_is_asked_after_a_404() -> None:
    """Until there was a config, a 404 for one file leads to the other; then that one is asked."""
    cdn = Cdn()
    cdn.serve(v5(color="red"), file=V5)
    client = Played(cdn)
    client.refresh()
    client.refresh_when_due()
    assert cdn.named == [V6, V5, V5]
    assert client.texts == {"color": "red"}
    assert client.told == []


def test_one_error_for_both_files() -> None:
    """Where the server has neither file, that is one attempt and one error."""
    cdn = Cdn()
    client = Played(cdn)
    client.refresh()
    assert cdn.named == [V6, V5]
    assert client.ids == [1100]
    assert V6 in client.told[0].text
    assert V5 in client.told[0].text


def test_a_403_does_not_lead_to_the_other_file() -> None:
    """A server that forbids is not asked for more."""
    cdn = Cdn()
    cdn.break_down(403)
    Played(cdn).refresh()
    assert cdn.named == [V6]


def test_the_choice_is_dropped_when_its_file_is_gone() -> None:
    """A file that was there is asked alone; after its 404 the next attempt asks both again."""
    cdn = Cdn()
    cdn.serve(v5(color="red"), '"5"', file=V5)
    client = Played(cdn)
    client.refresh()
    cdn.files.clear()
    cdn.serve(v6(color="blue"), '"6"')
    cdn.asked.clear()
    client.refresh_when_due()
    assert cdn.named == [V5]
    assert client.texts == {"color": "red"}
    client.refresh_when_due()
    assert cdn.named == [V5, V5, V6]
    assert cdn.conditions == ['"5"', '"5"', None]
    assert client.texts == {"color": "blue"}


def test_the_key_is_shown_nowhere(cdn: Cdn, caplog: pytest.LogCaptureFixture) -> None:
    """Neither key nor target stand in a report, an error, a log line, or a repr."""
    caplog.set_level(logging.DEBUG)
    client = Played(cdn)
    shown = []
    for fault in (404, 403, 500, 302, None, 200):
        cdn.break_down(fault)
        outcome = client.refresh(force=True)
        shown += [repr(outcome), repr(outcome.error), str(outcome.error), repr(client.state)]
    shown += [repr(client.source), repr(cdn.asked), caplog.text, repr(client.told)]
    text = "\n".join(shown)
    assert client.ids == [1100, 1100, 1101, 1101, 1103, 1103]
    assert "/configuration-files/********9012/config_v6.json" in text
    assert KEY not in text
    assert "TEST_KEY" not in text
    assert leading(v6(), GLOBAL, 0)["p"]["r"] == 0


def test_offline_sends_nothing(cdn: Cdn) -> None:
    """An offline client asks no server; who forces a refresh is told why it did nothing."""
    client = Played(cdn, offline=True)
    client.refresh()
    assert client.told == []
    assert client.due == 60
    outcome = client.refresh(force=True)
    assert outcome.error is None
    assert client.ids == [3200]
    assert client.told[0].level == logging.WARNING
    assert not client.state.result.is_success
    assert client.state.result.error
    assert cdn.asked == []


def test_back_online_what_is_old_is_asked_for(cdn: Cdn) -> None:
    """Who goes online is due at once, and asks unless its config is still fresh."""
    client = Played(cdn)
    client.refresh()
    client.clock.advance(30)
    client.go(offline=True)
    client.go(offline=False)
    client.refresh()
    assert len(cdn.asked) == 1
    assert client.due == 30
    client.go(offline=True)
    client.refresh_when_due()
    client.go(offline=False)
    assert client.due == 0
    client.refresh()
    assert len(cdn.asked) == 2


def test_offline_in_the_middle_of_redirects(cdn: Cdn) -> None:
    """A client that goes offline while it is asking sends no further request."""
    cdn.serve(leading(v6(color="red"), "https://other.example", 1))

    def answer(request: object) -> Response:
        client.source.given.switch.offline = True
        return cdn.answer(request)  # type: ignore[arg-type]

    client = Played(answer)
    client.refresh(force=True)
    assert cdn.hosts == [GLOBAL]
    assert 3200 in client.ids
    assert client.due == 60


def test_a_config_without_settings_is_a_failure_like_others(cdn: Cdn) -> None:
    """A server that answers with no settings is left alone for a back-off, which doubles."""
    client = Played(cdn)
    client.refresh()
    cdn.serve({}, '"empty"')
    client.refresh_when_due()
    assert client.ids == [1103]
    assert client.due == 30
    client.refresh_when_due()
    assert client.due == 60
    assert client.texts == {"color": "red"}


def test_neither_forks_nor_switches_end_a_back_off(cdn: Cdn) -> None:
    """While the config is fresh, a server in trouble is asked when its back-off is over."""
    client = Played(cdn)
    client.refresh()
    cdn.break_down(503, **{"retry-after": "500"})
    client.refresh(force=True)
    assert client.due == 500
    client.state = client.source.rearmed(client.state)
    assert client.due == 500
    client.go(offline=True)
    client.go(offline=False)
    client.refresh()
    assert client.due == 500
    assert len(cdn.asked) == 2


def test_a_forked_child_waits_unless_it_has_nothing(cdn: Cdn) -> None:
    """After a fork the timer begins anew; who has no config yet asks at once."""
    client = Played(cdn)
    assert client.source.rearmed(client.state) is client.state
    client.refresh()
    client.clock.advance(50)
    client.state = client.source.rearmed(client.state)
    assert client.due == 60
    manual = Played(cdn, MANUAL)
    manual.refresh(force=True)
    assert manual.source.rearmed(manual.state).standing.due == NEVER


def test_the_age_of_what_a_server_confirmed(cdn: Cdn) -> None:
    """The state knows when the server last confirmed the config, on all clocks."""
    client = Played(cdn)
    assert client.state.fetched_at.year == 1970
    client.refresh()
    assert client.state.fetched_at.timestamp() == 1_700_000_000
    assert client.state.attempt.success is not None
    assert client.state.attempt.success.monotonic == client.clock.monotonic()
    assert client.state.attempt.endpoint == GLOBAL


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The key is a part of each address, so it goes to no other; the error says so."""
    cdn = Cdn()
    cdn.faults["http://cdn.intern"] = Response(status, {"location": f"{GLOBAL}/x"})
    client = Played(cdn, base_url="http://cdn.intern/of/mine")
    client.refresh()
    assert cdn.hosts == ["http://cdn.intern"]
    (told,) = client.told
    assert "redirects are not followed" in told.text
    assert "/of/mine/configuration-files/" in told.text


def test_a_missing_config_is_told_with_the_path_of_the_base_url() -> None:
    """The error shows what was asked for, but the key."""
    cdn = Cdn()
    cdn.faults["http://cdn.intern"] = Response(404, {})
    client = Played(cdn, base_url="http://cdn.intern/of/mine")
    client.refresh()
    assert "404 to GET /of/mine/configuration-files/********9012/" in client.told[0].text
    assert KEY not in client.told[0].text
