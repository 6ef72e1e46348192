"""When a refresh reads secrets, what it publishes of them, and what stays owed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from appconfig_provider._azure.state import Timers
from appconfig_provider._plan import Request, Response
from appconfig_provider.snapshot import ConfigurationSnapshot
from tests.support.asking import FLAGS, FRESH_FLAGS, PAGES, SENTINEL, Life
from tests.support.scripted import status


class Secretive(Life):
    """A life with a secret, which a resolver reads; `validate` refuses some versions."""

    def __init__(self, keywords: dict[str, Any], **refused: set[str]) -> None:
        self.refused = refused
        self.version = 1
        self.read = 0
        self.seen = 0
        self.broken = False
        given = {"refresh_interval": 20, **keywords, "validate": self.validate}
        super().__init__({**given, "secret_resolver": self.resolve})

    def resolve(self, _uri: str) -> str:
        """Read the secret."""
        self.read += 1
        if self.broken:
            raise OSError("no vault")
        return str(self.version)

    def validate(self, snapshot: ConfigurationSnapshot) -> None:
        """Refuse a generation that holds a version which is refused."""
        self.seen += 1
        flags: Any = snapshot.get("feature_management")
        flag = flags["feature_flags"][0]["number"] if flags else ""
        held = {"k": snapshot["k"], "flag": flag, "pw": snapshot.get("pw")}
        if any(held[name] in versions for name, versions in self.refused.items()):
            raise ValueError("refused")

    def next(self, *moved: str, after: float = 20.0, force: bool = False) -> tuple[str, int]:
        """Refresh; return why something was published, if it was, and how often was read."""
        before = self.read
        self.version += "secret" in moved
        outcome, _ = self.attempt(*moved, after=after, force=force)
        reason = outcome.changes.reason if outcome.changes is not None else ""
        return reason, self.read - before


def test_a_moved_sentinel_reads_the_secret_at_once() -> None:
    """However young it is; a check that finds nothing reads nothing."""
    life = Secretive(SENTINEL)
    assert life.next("secret") == ("", 0)
    assert life.next("sentinel") == ("sentinel", 1)
    assert life.served() == {"k": "1", "pw": "2"}


def test_a_changed_page_reads_a_secret_of_a_minute_and_owes_a_younger_one() -> None:
    """What is owed is read when its minute is over, though nothing else is due then."""
    life = Secretive(PAGES)
    assert life.next("settings", "secret") == ("page", 0)
    assert life.state.due == life.world.clock.monotonic() + 20
    assert life.next(after=20.0) == ("", 0)
    assert life.next(after=20.0) == ("secret", 1)
    assert life.served() == {"k": "2", "pw": "2"}
    assert life.next("settings", after=60.0) == ("page", 1)


def test_a_rotation_publishes_only_what_differs() -> None:
    """The reason is the secret; one that is what it was publishes nothing."""
    life = Secretive({"secret_refresh_interval": 100})
    assert life.state.due == life.world.clock.monotonic() + 100
    assert life.next(after=100.0) == ("", 1)
    assert life.next("secret", after=100.0) == ("secret", 1)
    assert life.state.snapshot.version == 2
    assert life.next(after=99.0) == ("", 0)
    confirmed = life.state.attempt.success
    assert life.attempt(after=1.0)[1] == "", "the store is not asked for it"
    assert life.state.attempt.last is not None
    assert life.state.attempt.last.monotonic == life.world.clock.monotonic()
    assert life.state.attempt.success == confirmed


def test_flags_that_move_alone_read_no_secret() -> None:
    """Neither an old one nor a young one."""
    life = Secretive(FRESH_FLAGS)
    assert life.next("flags", "secret", after=500.0) == ("flag", 0)
    assert life.served() == {"k": "1", "flag": "2", "pw": "1"}


@pytest.mark.parametrize("watched", [SENTINEL, PAGES])
def test_refused_settings_do_not_hold_up_the_secret(watched: dict[str, Any]) -> None:
    """What was read for the refused generation is published without it."""
    life = Secretive(watched, k={"2"})
    moved = ("sentinel", "settings", "secret")
    assert life.next(*moved, after=80.0) == ("secret", 1)
    assert life.served() == {"k": "1", "pw": "2"}
    assert life.state.rejected is not None
    assert isinstance(life.state.attempt.error, ValueError)


def test_a_vault_in_trouble_is_asked_once_for_a_generation_that_is_refused() -> None:
    """What is published without the refused settings does not ask again for what just failed."""
    life = Secretive({**SENTINEL, **FRESH_FLAGS}, k={"2"})
    life.broken = True
    assert life.next("sentinel", "settings", "flags") == ("flag", 1)
    assert life.served() == {"k": "1", "flag": "2", "pw": "1"}


def test_a_missing_snapshot_does_not_hold_up_an_old_secret() -> None:
    """Content that cannot be used reads the secrets that it would have read."""
    life = Secretive(PAGES)
    life.world.refers = True
    whole = life.world.answer
    gone = status(404)
    life.world.answer = lambda request: (
        gone if request.target.startswith("/snapshots/") else whole(request)
    )
    assert life.next("settings", "secret", after=30.0) == ("", 0)
    assert life.state.rejected is not None
    assert life.next(after=40.0) == ("secret", 1)
    assert life.served() == {"k": "1", "pw": "2"}


def test_a_secret_that_is_refused_stays_owed() -> None:
    """What is served stays, also of the secret; it is read again after a back-off."""
    life = Secretive({"secret_refresh_interval": 100}, pw={"2"})
    seen = life.seen
    assert life.next("secret", after=100.0) == ("", 1)
    assert life.seen == seen + 1, "validate is shown it once"
    assert isinstance(life.state.attempt.error, ValueError)
    assert life.state.rejected is None
    assert life.served() == {"k": "1", "pw": "1"}
    assert life.state.due == life.world.clock.monotonic() + 20
    life.refused.clear()
    assert life.next() == ("secret", 1)
    assert life.served() == {"k": "1", "pw": "2"}
    assert life.state.attempt.error is None


def test_a_secret_that_cannot_be_read_is_reported_until_it_was() -> None:
    """Its last value is kept; the trouble is reported at each attempt and stands until it heals."""
    life = Secretive({**SENTINEL, "secret_refresh_interval": 100})
    life.broken = True
    assert life.next(after=100.0) == ("", 1)
    first = life.state.attempt.error
    assert first is not None
    assert life.state.unread is first
    assert life.next(after=1.0) == ("", 0)
    assert life.state.attempt.error is first
    assert life.next(after=20.0) == ("", 1)
    life.broken = False
    assert life.next("secret", after=40.0) == ("secret", 1)
    assert life.state.attempt.error is None
    assert life.state.unread is None


@pytest.mark.parametrize(
    ("policy", "served"),
    [("keep_last", {"k": "2", "pw": "1"}), ("omit", {"k": "2"}), ("raise", {"k": "1", "pw": "1"})],
)
def test_the_policy_says_what_a_reload_does_without_the_secret(
    policy: str, served: dict[str, str]
) -> None:
    """It keeps the last value, leaves the key out, or refuses the generation."""
    life = Secretive({**SENTINEL, "secret_policy": policy})
    life.broken = True
    assert life.next("sentinel", "settings")[1] == 1
    assert life.served() == served
    assert (life.state.rejected is not None) is (policy == "raise")


@pytest.mark.parametrize(
    ("refused", "moved"), [({"flag": {"2"}}, ["flags"]), ({"k": {"2"}}, ["sentinel", "settings"])]
)
def test_a_rotation_neither_ends_nor_hides_a_refusal(
    refused: dict[str, set[str]], moved: list[str]
) -> None:
    """Refused flags and settings stand refused, whatever a vault says."""
    life = Secretive({**SENTINEL, **FRESH_FLAGS, "secret_refresh_interval": 30}, **refused)
    life.next(*moved)
    rejected = life.state.rejected
    assert rejected is not None
    assert life.next("secret", after=15.0) == ("secret", 1)
    assert life.served() == {"k": "1", "flag": "1", "pw": "2"}
    assert life.state.rejected is rejected
    assert life.state.attempt.error is rejected.error


def down(_request: Request) -> Response:
    """Be in trouble."""
    return status(503)


def test_a_rotation_goes_on_while_the_store_is_down() -> None:
    """It publishes, and does not hide the trouble of the store."""
    life = Secretive({**SENTINEL, "retry_total": 0, "secret_refresh_interval": 100})
    life.world.answer = down
    for seconds in (20.0, 20.0, 40.0):
        assert life.next(after=seconds) == ("", 0)
    assert life.next("secret", after=20.0) == ("secret", 1)
    assert life.served()["pw"] == "2"
    assert "503" in str(life.state.attempt.error)


def test_force_reads_secrets_though_no_endpoint_answers() -> None:
    """What they hold is published with the error of the store."""
    life = Secretive({**SENTINEL, **FLAGS, "retry_total": 0})
    life.world.answer = down
    assert life.next("secret", after=0.0, force=True) == ("forced", 1)
    assert life.served()["pw"] == "2"
    assert "503" in str(life.state.attempt.error)


def test_an_error_of_the_program_itself_backs_nobody_off() -> None:
    """Timers begin anew, a pushed event stays wanted, and a rotation is tried again soon."""
    life = Secretive({**SENTINEL, "secret_refresh_interval": 100})

    def broken(_request: Request) -> Response:
        raise OSError("no descriptor")

    whole, life.world.answer = life.world.answer, broken
    assert life.next(after=100.0) == ("", 0)
    now = life.world.clock.monotonic()
    assert isinstance(life.state.attempt.error, OSError)
    assert life.state.endpoints.all[0].backoff.failures == 0
    timers = life.state.timers
    assert timers == Timers(settings=now + 20, secrets=now + 20)
    pushed = replace(life.state, timers=replace(life.state.timers, push=now))
    life.state = pushed
    assert life.next() == ("", 0)
    assert life.state.timers.push == now + 40, "a pushed event stays wanted"
    life.world.answer = whole
    assert life.next("secret") == ("secret", 1)
    assert life.state.attempt.error is None
