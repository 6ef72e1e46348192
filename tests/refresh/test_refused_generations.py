"""A generation that is refused: what is asked until it is mended, and what is served meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from appconfig_provider import SettingSelector
from appconfig_provider._plan import Response
from appconfig_provider.errors import SnapshotNotFoundError
from appconfig_provider.snapshot import ConfigurationSnapshot
from tests.support.asking import FRESH_FLAGS, PAGES, SENTINEL, Life

RELOAD = "sentinel? settings? sentinel? verify"


class Refusing(Life):
    """A life whose `validate` refuses some versions."""

    def __init__(self, keywords: dict[str, Any], **refused: set[str]) -> None:
        self.refused = refused
        self.seen = 0
        super().__init__({"refresh_interval": 20, **keywords, "validate": self.validate})

    def validate(self, snapshot: ConfigurationSnapshot) -> None:
        """Refuse a generation that holds a version which is refused."""
        self.seen += 1
        flags: Any = snapshot.get("feature_management")
        flag = flags["feature_flags"][0]["number"] if flags else ""
        if snapshot["k"] in self.refused.get("k", ()) or flag in self.refused.get("flag", ()):
            raise ValueError("refused")

    def next(self, *moved: str, force: bool = False) -> tuple[str, bool]:
        """Refresh after one interval, or at once; return what was asked and whether it failed."""
        outcome, asked = self.attempt(*moved, after=0.0 if force else 20.0, force=force)
        assert (outcome.error is not None) == bool(outcome.message)
        return asked, outcome.error is not None


def test_refused_settings_are_tried_again_when_their_back_off_has_passed() -> None:
    """Sentinels are asked every interval, data after 20, 40, 80 s; what is refused is reported."""
    life = Refusing(SENTINEL, k={"2"})
    steps = [life.next("sentinel", "settings")]
    steps += [life.next() for _ in range(8)]
    quiet, again = ("sentinel?", False), (RELOAD, True)
    assert steps == [again, again, quiet, again, quiet, quiet, quiet, again, quiet]
    assert life.served() == {"k": "1"}
    assert life.state.snapshot.version == 1
    assert isinstance(life.state.attempt.error, ValueError)


def test_while_something_is_refused_nothing_confirms_what_is_served() -> None:
    """Neither a load of it nor a check is a success; what is published after it is one."""
    life = Refusing(SENTINEL, k={"2"})
    confirmed = life.state.attempt.success
    assert life.next("sentinel", "settings") == (RELOAD, True)
    assert life.state.attempt.success == confirmed
    assert life.next() == (RELOAD, True)
    assert life.next() == ("sentinel?", False)
    assert life.state.attempt.last != confirmed
    assert life.state.attempt.success == confirmed
    assert life.next("sentinel", "settings") == (RELOAD, False)
    assert life.state.attempt.success == life.state.attempt.last
    assert life.state.attempt.error is None


def test_a_sentinel_that_moves_on_ends_the_wait() -> None:
    """Newer settings are loaded at once; if they are good, what was refused is forgotten."""
    life = Refusing(SENTINEL, k={"2"})
    life.next("sentinel", "settings")
    life.next()
    assert life.next("sentinel", "settings") == (RELOAD, False)
    assert life.served() == {"k": "3"}
    assert life.state.rejected is None


def test_another_refused_generation_begins_a_back_off_of_its_own() -> None:
    """A long wait for one does not keep the next from being tried."""
    life = Refusing(SENTINEL, k={"2", "3"})
    for _ in range(4):
        life.next(*(("sentinel", "settings") if not life.state.rejected else ()))
    assert life.state.rejected is not None
    assert life.state.rejected.backoff.failures > 1
    assert life.next("sentinel", "settings") == (RELOAD, True)
    assert life.state.rejected.backoff.failures == 1


@pytest.mark.parametrize("moved", [("settings",), ("settings", "flags"), ("flags",)])
def test_watching_pages_other_content_begins_a_back_off_of_its_own(moved: tuple[str, ...]) -> None:
    """Whichever of settings and flags are other ones."""
    life = Refusing({**PAGES, **FRESH_FLAGS}, k={"2", "3"})
    life.next("settings")
    life.next()
    assert life.state.rejected is not None
    assert life.state.rejected.backoff.failures == 2
    life.world.clock.advance(100)
    _, failed = life.next(*moved)
    assert failed
    assert life.state.rejected is not None
    assert life.state.rejected.backoff.failures == 1


def test_force_tries_what_was_refused_at_once() -> None:
    """A back-off does not hold it up."""
    life = Refusing(SENTINEL, k={"2"})
    life.next("sentinel", "settings")
    assert life.next(force=True) == (RELOAD, True)
    life.refused.clear()
    assert life.next(force=True) == (RELOAD, False)
    assert life.served() == {"k": "2"}


def test_watching_pages_refused_content_is_known_and_rests() -> None:
    """It is asked for by its ETags; while it rests it is quiet, and then it is tried again."""
    life = Refusing(PAGES, k={"2"})
    assert life.next("settings") == ("settings? verify", True)
    seen = life.seen
    assert life.next() == ("settings? verify", True)
    assert [life.next() for _ in range(2)] == [("settings?", False), ("settings? verify", True)]
    assert life.seen == seen + 2
    life.refused.clear()
    for _ in range(4):
        life.next()
    assert life.served() == {"k": "2"}
    assert life.state.rejected is None


@pytest.mark.parametrize(
    ("watched", "first", "again"),
    [
        (PAGES, "settings? snapshot frozen verify", "settings? snapshot frozen? verify"),
        (SENTINEL, "sentinel? settings? snapshot frozen sentinel? verify",
         "sentinel? settings? snapshot frozen? sentinel? verify"),
    ],
)  # fmt: skip
def test_a_refused_snapshot_is_known_by_its_etags(
    watched: dict[str, Any], first: str, again: str
) -> None:
    """Also one that only the refused content refers to."""
    life = Refusing(watched, k={"2"})
    life.world.refers = True
    assert life.next("sentinel", "settings") == (first, True)
    assert life.next() == (again, True)


def test_watching_pages_content_that_is_what_it_was_ends_the_refusal() -> None:
    """Nothing is published, and nothing stands refused any more."""
    life = Refusing(PAGES, k={"2"})
    life.next("settings")
    life.world.versions["settings"] = 1
    assert life.next() == ("settings?", False)
    assert life.state.rejected is None
    assert life.state.attempt.error is None
    assert life.state.attempt.success == life.state.attempt.last
    assert (life.served(), life.state.snapshot.version) == ({"k": "1"}, 1)


@pytest.mark.parametrize("watched", [SENTINEL, PAGES])
def test_flags_do_not_wait_for_settings_that_are_refused(watched: dict[str, Any]) -> None:
    """A kill switch works beside a bad setting; the refusal stands and is reported."""
    life = Refusing({**watched, **FRESH_FLAGS}, k={"2"})
    moved = ("settings", "flags") if watched is PAGES else ("sentinel", "settings", "flags")
    _, failed = life.next(*moved)
    assert failed
    assert life.served() == {"k": "1", "flag": "2"}
    assert life.state.snapshot.version == 2
    _, failed = life.next("flags")
    assert life.served() == {"k": "1", "flag": "3"}
    assert life.state.rejected is not None
    assert isinstance(life.state.attempt.error, ValueError)
    life.refused.clear()
    for _ in range(4):
        life.next()
    assert life.served() == {"k": "2", "flag": "3"}
    assert life.state.rejected is None


def test_flags_that_did_not_move_say_nothing_of_refused_settings() -> None:
    """Settings stand refused until they were asked for again."""
    life = Refusing({**SENTINEL, **FRESH_FLAGS}, k={"2"})
    life.next("sentinel", "settings")
    rejected = life.state.rejected
    life.next()
    assert life.next() == ("sentinel? flags?", False)
    assert life.state.rejected is not None
    assert rejected is not None
    assert life.state.rejected.content == rejected.content


def test_flags_that_move_alone_leave_the_error_of_refused_settings() -> None:
    """They are published, and what stands refused is still reported."""
    life = Refusing({**SENTINEL, **FRESH_FLAGS}, k={"2"})
    life.next("sentinel", "settings")
    life.next()
    assert life.next("flags") == ("sentinel? flags? verify", False)
    assert life.served() == {"k": "1", "flag": "2"}
    assert life.state.rejected is not None
    assert life.state.attempt.error is life.state.rejected.error


def test_watching_pages_flags_and_settings_end_a_refusal_only_together() -> None:
    """Where both had moved, the refusal ends when both are what is served."""
    life = Refusing({**PAGES, **FRESH_FLAGS}, k={"2"}, flag={"2"})
    life.next("settings", "flags")
    assert life.state.rejected is not None
    life.world.versions["flags"] = 1
    life.next()
    assert life.state.rejected is not None
    life.world.versions["settings"] = 1
    assert life.next() == ("settings? flags?", False)
    assert life.state.rejected is None


def test_refused_flags_leave_what_is_served_and_newer_ones_replace_them() -> None:
    """They rest as settings do; flags that are good again end the refusal."""
    life = Refusing({**SENTINEL, **FRESH_FLAGS}, flag={"2"})
    asked = "sentinel? flags? verify"
    seen = life.seen
    assert life.next("flags") == (asked, True)
    assert life.seen == seen + 1, "validate is shown it once"
    assert life.state.rejected is not None
    assert life.state.rejected.only_flags
    assert life.next() == (asked, True)
    assert life.next() == ("sentinel? flags?", False)
    assert life.next("flags") == (asked, False)
    assert life.served() == {"k": "1", "flag": "3"}
    assert life.state.rejected is None
    assert life.state.attempt.error is None


def test_refused_flags_that_are_taken_back_end_the_refusal() -> None:
    """The store holds what is served again."""
    life = Refusing({**SENTINEL, **FRESH_FLAGS}, flag={"2"})
    life.next("flags")
    life.world.versions["flags"] = 1
    assert life.next() == ("sentinel? flags?", False)
    assert life.state.rejected is None


def test_flags_and_settings_that_are_both_refused_keep_both() -> None:
    """Settings that were refused stay refused when flags are refused after them."""
    life = Refusing({**SENTINEL, **FRESH_FLAGS}, k={"2"}, flag={"2"})
    life.next("sentinel", "settings")
    _, failed = life.next("flags")
    assert failed
    assert life.served() == {"k": "1", "flag": "1"}
    assert life.state.rejected is not None
    assert not life.state.rejected.only_flags
    life.refused.clear()
    for _ in range(6):
        life.next()
    assert life.served() == {"k": "2", "flag": "2"}


def test_a_snapshot_that_is_gone_is_a_refused_generation() -> None:
    """It is reported as an error of the content, not of the endpoint, and tried again later."""
    life = Life({**SENTINEL, "refresh_interval": 20}, refers=True)
    whole = life.world.answer
    gone = Response(404, {}, b"")
    life.world.answer = lambda request: (
        gone if request.target.startswith("/snapshots/") else whole(request)
    )
    outcome, _ = life.attempt("sentinel", "settings", after=20.0)
    assert "not in the store" in str(outcome.error)
    assert life.served() == {"k": "1", "f": "1"}
    assert life.state.endpoints.all[0].backoff.failures == 0
    life.world.answer = whole
    outcome, _ = life.attempt(after=20.0)
    assert outcome.error is None
    assert life.served() == {"k": "2", "f": "1"}


@pytest.mark.parametrize("watched", [SENTINEL, PAGES])
def test_a_selected_snapshot_that_is_gone_is_a_refused_generation_too(
    watched: dict[str, Any],
) -> None:
    """What is served stays; the endpoint is not to blame, and another one is not asked."""
    life = Life({**watched, "selects": [SettingSelector(snapshot_name="one")]})
    assert life.served() == {"f": "1"}
    whole = life.world.answer
    gone = Response(404, {}, b"")
    life.world.answer = lambda request: (
        gone if request.target.startswith("/snapshots/") else whole(request)
    )
    outcome, _ = life.attempt("sentinel", "frozen")
    assert isinstance(outcome.error, SnapshotNotFoundError)
    assert life.state.rejected is not None
    assert life.served() == {"f": "1"}
    assert life.state.endpoints.all[0].backoff.failures == 0
    life.world.answer = whole
    life.attempt(force=True)
    assert life.served() == {"f": "2"}
