"""In virtual time: when files of overrides are checked, and what becomes of refused layers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from appconfig_provider import ConfigurationSnapshot, OverrideBehaviour, Overrides, Polling
from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.state import State
from appconfig_provider.overrides.files import File
from appconfig_provider.overrides.layers import Layer
from tests.support.asking import FRESH_FLAGS, PAGES, SENTINEL, Life
from tests.support.files import Files

FILE = "/dev.json"
OVERRIDES = {"overrides": Overrides.from_file(FILE)}


def living(first: str = '{"o": 1}', /, **keywords: Any) -> Life:
    """Return an engine with a file of overrides."""
    files = Files()
    files.write(FILE, first)
    return Life({**OVERRIDES, **keywords}, files=files)


def value(state: State, key: str = "o") -> object:
    """Return a value that readers see in both forms."""
    assert dict(state.values) == dict(state.snapshot)
    return state.snapshot.get(key)


def refuse(what: object) -> Any:
    """Return a `validate` that refuses a value of the override."""

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if snapshot.get("o") == what:
            raise ValueError("refused")

    return validate


def test_a_file_is_checked_once_a_second() -> None:
    """Its timer is its own: nothing of the store becomes due, and a file that stays is not read."""
    life = living(**SENTINEL)
    checked = life.files.checked
    assert checked == [f"{FILE}!"]
    now = life.world.clock.monotonic()
    assert life.state.due == now + 1
    before = life.state
    outcome, asked = life.refresh(after=1)
    assert (asked, checked) == ("", [f"{FILE}!", FILE])
    assert outcome.changes is None
    assert life.state.due == now + 2
    assert life.state.timers.settings == before.timers.settings
    assert life.state.attempt == before.attempt


def test_without_a_file_nothing_is_checked() -> None:
    """A dict has no timer."""
    life = Life({"overrides": Overrides.from_dict({"o": 1})})
    assert math.isinf(life.state.due)
    life = Life({"overrides": Overrides.from_dict({"o": 1}), **SENTINEL})
    assert life.state.due == life.world.clock.monotonic() + 30


def test_a_file_alone_is_something_to_watch() -> None:
    """A provider with a file and nothing else that is watched can be polled."""
    given = {"connection_string": "Endpoint=https://one.azconfig.io;Id=id;Secret=c2VjcmV0"}
    options = Keywords(**given, **OVERRIDES, polling=Polling.auto()).checked()  # type: ignore[arg-type]
    assert options.watches_anything


def test_a_changed_file_asks_the_store_nothing() -> None:
    """The content of the store stays, as the same object."""
    life = living(**SENTINEL)
    before = life.state
    life.files.write(FILE, '{"o": 2}')
    outcome, asked = life.refresh(after=1)
    assert asked == ""
    assert outcome.changes is not None
    assert (outcome.changes.changed, outcome.changes.reason) == (("o",), "override")
    assert value(life.state) == 2
    assert life.state.content is before.content
    assert life.state.snapshot.version == 2


@pytest.mark.parametrize("moved", ["sentinel", "settings"])
def test_store_and_file_make_one_generation(moved: str) -> None:
    """Both have changed: one version more, one change set, with the reason of the store."""
    life = living(**(SENTINEL if moved == "sentinel" else PAGES))
    life.files.write(FILE, '{"o": 2}')
    moving = ("sentinel", "settings") if moved == "sentinel" else ("settings",)
    outcome, _ = life.refresh(*moving)
    assert outcome.changes is not None
    assert outcome.changes.changed == ("k", "o")
    assert outcome.changes.reason == ("sentinel" if moved == "sentinel" else "page")
    assert life.state.snapshot.version == 2
    assert (value(life.state), value(life.state, "k")) == (2, "2")


def test_force_checks_the_file_at_once() -> None:
    """And the store; the reason is still what moved."""
    life = living(**SENTINEL)
    life.files.write(FILE, '{"o": 2}')
    outcome, asked = life.refresh(after=0, force=True)
    assert asked == "sentinel?"
    assert outcome.changes is not None
    assert outcome.changes.reason == "override"


def test_an_override_that_does_not_count_is_no_generation() -> None:
    """Where the store wins nothing differs, so that readers keep their snapshot."""
    given = Overrides.from_file(FILE, behaviour=OverrideBehaviour.REMOTE_OVER_LOCAL)
    life = living('{"k": 1}', overrides=given)
    before = life.state.snapshot
    life.files.write(FILE, '{"k": 2}')
    outcome, _ = life.refresh(after=1)
    assert outcome.quiet
    assert life.state.snapshot is before
    assert life.state.overlay.served == life.state.overlay.newest


def test_refused_layers_keep_the_old_ones_and_are_tried_again() -> None:
    """After a back-off, not every second."""
    accepting = False

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["o"] == 2 and not accepting:
            raise ValueError("refused")

    life = living(validate=validate, **SENTINEL)
    life.files.write(FILE, '{"o": 2}')
    outcome, _ = life.attempt(after=1)
    assert outcome.changes is None
    assert str(outcome.error) == "refused"
    assert outcome.message.startswith("the new overrides were not used: validate refused the new")
    assert life.state.attempt.error is outcome.error
    assert value(life.state) == 1
    until = life.state.overlay.backoff.until
    assert until == life.world.clock.monotonic() + 30
    accepting = True
    for _ in range(20):
        outcome, _ = life.attempt(after=1)
        assert outcome.error is None
        assert value(life.state) == 1
        assert life.state.attempt.error is not None
    outcome, _ = life.refresh(after=10)
    assert value(life.state) == 2
    assert life.state.attempt.error is None
    assert life.state.overlay.backoff.failures == 0


def test_refused_layers_are_logged_once() -> None:
    """Each time callbacks get the error; a log line comes again for others that are refused."""

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["o"] != 1:
            raise ValueError("refused")

    life = living(validate=validate)
    life.files.write(FILE, '{"o": 2}')
    first, _ = life.attempt(after=1)
    again, _ = life.attempt(after=100)
    life.files.write(FILE, '{"o": 3}')
    other, _ = life.attempt(after=1)
    assert all(str(outcome.error) == "refused" for outcome in (first, again, other))
    assert [bool(outcome.message) for outcome in (first, again, other)] == [True, False, True]
    life.files.write(FILE, '{"o": 1}')
    life.refresh(after=1)
    life.files.write(FILE, '{"o": 3}')
    back, _ = life.attempt(after=1)
    assert back.message


def test_a_file_that_was_mended_is_taken_at_once() -> None:
    """The back-off belongs to the layers that were refused, not to the file."""
    life = living(validate=refuse(2))
    life.files.write(FILE, '{"o": 2}')
    life.attempt(after=1)
    life.files.write(FILE, '{"o": 3}')
    life.refresh(after=1)
    assert value(life.state) == 3
    assert life.state.attempt.error is None


def test_a_file_that_is_as_it_was_ends_the_refusal() -> None:
    """What is served is what it says, so that nothing is wrong any more."""
    life = living(validate=refuse(2))
    life.files.write(FILE, '{"o": 2}')
    life.attempt(after=1)
    life.files.write(FILE, '{"o": 1}')
    outcome, _ = life.refresh(after=1)
    assert outcome.quiet
    assert life.state.attempt.error is None


def test_refused_layers_do_not_hold_up_the_store() -> None:
    """New content is published with the layers that are served; then the newest are tried again."""
    life = living(validate=refuse(2), **SENTINEL)
    life.files.write(FILE, '{"o": 2}')
    life.attempt(after=1)
    outcome, _ = life.attempt("sentinel", "settings", after=29)
    assert outcome.changes is not None
    assert outcome.changes.changed == ("k",)
    assert (value(life.state), value(life.state, "k")) == (1, "2")
    assert life.state.overlay.backoff.failures == 2


def test_layers_that_fit_the_new_content_only_are_used_with_it() -> None:
    """A deployment may change the file first and the store after it."""

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if str(snapshot["o"]) != snapshot["k"] and snapshot["o"] != 1:
            raise ValueError("refused")

    life = living(validate=validate, **SENTINEL)
    life.files.write(FILE, '{"o": 2}')
    life.attempt(after=1)
    outcome, _ = life.refresh("sentinel", "settings", after=29)
    assert outcome.changes is not None
    assert outcome.changes.changed == ("k", "o")
    assert life.state.snapshot.version == 2
    assert life.state.attempt.error is None


def test_the_rest_is_published_when_the_store_is_refused() -> None:
    """Settings that are refused hold up no file."""

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["k"] == "2":
            raise ValueError("refused")

    life = living(validate=validate, **SENTINEL)
    life.files.write(FILE, '{"o": 2}')
    outcome, _ = life.attempt("sentinel", "settings")
    assert str(outcome.error) == "refused"
    assert outcome.changes is not None
    assert (outcome.changes.changed, outcome.changes.reason) == (("o",), "override")
    assert (value(life.state), value(life.state, "k")) == (2, "1")
    assert life.state.attempt.error is outcome.error
    assert life.state.rejected is not None


def test_two_errors_in_one_refresh_are_both_logged() -> None:
    """Callbacks get both, that of the store first; one log line has both."""

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["k"] == "2":
            raise ValueError("refused")

    life = living(validate=validate, **SENTINEL)
    life.files.write(FILE, "{")
    outcome, _ = life.attempt("sentinel", "settings")
    assert str(outcome.error) == "refused"
    assert "validate refused the new one" in outcome.message
    assert "the override file '/dev.json' is no JSON" in outcome.message
    assert life.state.overlay.broken in life.state.errors
    assert outcome.errors == (outcome.error, life.state.overlay.broken)


def test_one_broken_file_of_two_does_not_hold_up_the_other() -> None:
    """The layers that can be read are used."""
    files = Files()
    files.write("/one.json", '{"o": 1}')
    files.write("/two.json", '{"p": 1}')
    given = [Overrides.from_file("/one.json"), Overrides.from_file("/two.json")]
    life = Life({"overrides": given}, files=files)
    files.write("/one.json", "{")
    files.write("/two.json", '{"p": 2}')
    outcome, _ = life.attempt(after=1)
    assert outcome.error is not None
    assert outcome.changes is not None
    assert (value(life.state), value(life.state, "p")) == (1, 2)
    files.write("/one.json", '{"o": 2}')
    life.refresh(after=1)
    assert value(life.state) == 2
    assert life.state.attempt.error is None


def test_flags_of_the_store_keep_their_file_beside_them() -> None:
    """A flag that moved in the store is published with those of the file."""
    flags = {"feature_management": {"feature_flags": [{"id": "local", "enabled": True}]}}
    life = living(json.dumps(flags), **FRESH_FLAGS)
    outcome, _ = life.refresh("flags")
    assert outcome.changes is not None
    assert outcome.changes.flags == ("beta",)
    listed: Any = life.state.snapshot["feature_management"]
    assert [one["id"] for one in listed["feature_flags"]] == ["beta", "local"]
    assert listed["feature_flags"][0]["number"] == "2"


def test_a_child_arms_the_timer_anew() -> None:
    """As every other timer after a fork."""
    life = living(**SENTINEL)
    life.world.clock.advance(500)
    rearmed = life.state.all_rearmed(life.world.clock.monotonic(), life.context.options)
    assert rearmed.due == life.world.clock.monotonic() + 1


def test_a_secret_that_the_override_hid_is_read_in_its_time() -> None:
    """Where it cannot be read, the layer without it is refused, and the old one stays."""

    def broken(_: str) -> str:
        raise LookupError("no vault")

    life = living('{"pw": "mine"}', secret_resolver=broken)
    life.files.write(FILE, "{}")
    outcome, _ = life.attempt(after=1)
    assert outcome.error is not None
    assert value(life.state, "pw") == "mine"
    assert not life.state.generation.secrets
    assert life.state.due == life.world.clock.monotonic() + 1


def test_the_same_content_is_not_parsed_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose date lies in the future is read each time, but no more than that."""
    parsed: list[bytes] = []
    layer = File.layer

    def counted(self: File, data: bytes, behaviour: OverrideBehaviour) -> Layer:
        parsed.append(data)
        return layer(self, data, behaviour)

    monkeypatch.setattr(File, "layer", counted)
    life = living()
    life.files.settled = False
    for broken in (False, True):
        life.files.write(FILE, "{" if broken else '{"o": 2}')
        life.attempt(after=1)
        told = [life.attempt(after=1)[0].error for _ in range(3)]
        assert told == [None, None, None]
    assert len(parsed) == 3


def test_other_comments_are_no_reason_to_build() -> None:
    """A generation that would be the same is not built, and `validate` is not called."""
    seen: list[object] = []
    life = living(validate=lambda snapshot: seen.append(snapshot["o"]))
    life.files.write(FILE, '// new\n{"o": 1}')
    outcome, _ = life.refresh(after=1)
    assert outcome.quiet
    assert seen == [1]


def test_a_pushed_event_is_about_the_store() -> None:
    """It makes no check of a file come sooner."""
    life = living(**SENTINEL)
    now = life.world.clock.monotonic()
    pushed = replace(life.state, timers=replace(life.state.timers, push=now))
    due = pushed.what_is_due(now, force=False)
    assert due.settings
    assert not due.overrides


def test_requests_tell_nothing_of_local_flags() -> None:
    """The tracing header is about the flags of the store."""
    filters = {"client_filters": [{"name": "Microsoft.Targeting"}]}
    flag = {"id": "local", "enabled": True, "conditions": filters}
    flags = json.dumps({"feature_management": {"feature_flags": [flag]}})
    assert living(flags, **FRESH_FLAGS).state.generation.usage == (
        living("{}", **FRESH_FLAGS).state.generation.usage
    )


def test_status_shows_the_error_that_callbacks_got_last() -> None:
    """A file that breaks while settings are refused is told, and so `status` shows it."""

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["k"] == "2":
            raise ValueError("refused")

    life = living(validate=validate, **SENTINEL)
    refused, _ = life.attempt("sentinel", "settings")
    life.files.write(FILE, "{")
    outcome, _ = life.attempt(after=1)
    assert outcome.error is not None
    assert outcome.error is not refused.error
    assert life.state.attempt.error is outcome.error
    life.files.write(FILE, '{"o": 1}')
    life.attempt(after=1)
    assert life.state.attempt.error is refused.error


def test_force_ignores_the_back_off_of_refused_layers() -> None:
    """As it does for content of the store."""
    refusing = [True]

    def validate(snapshot: ConfigurationSnapshot) -> None:
        if snapshot["o"] == 2 and refusing:
            raise ValueError("refused")

    life = living(validate=validate)
    life.files.write(FILE, '{"o": 2}')
    life.attempt(after=1)
    refusing.clear()
    life.refresh(after=1)
    assert value(life.state) == 1
    life.refresh(after=0, force=True)
    assert value(life.state) == 2
