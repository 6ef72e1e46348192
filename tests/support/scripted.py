"""A driver without sockets or waiting: it runs plans in virtual time against a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from appconfig_provider._azure.context import Context
from appconfig_provider._azure.options import Options
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._plan import (
    AcquireToken,
    Effect,
    Failure,
    Invoke,
    Plan,
    ReadFile,
    ReadStored,
    Request,
    ResolveSrv,
    Response,
    Schedule,
    Send,
    Sleep,
    VerifyConnections,
    WriteStored,
)
from appconfig_provider.testing import FakeClock
from tests.support.content import VAULT_TYPE
from tests.support.files import Files

T = TypeVar("T")

CONNECTION = "Endpoint=https://one.azconfig.io;Id=id;Secret=c2VjcmV0"
REPLICA = "https://two.azconfig.io"


@dataclass
class ScriptedDriver:
    """Performs effects one after the other; remembers what was sent and how long it slept.

    `names` answers for DNS; unless it is given, no name has a record.
    """

    answer: Callable[[Request], Response]
    clock: FakeClock = field(default_factory=FakeClock)
    requests: list[Request] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    names: Callable[[str], tuple[str, ...]] = lambda _name: ()
    looked_up: list[str] = field(default_factory=list)
    files: Files = field(default_factory=Files)

    @property
    def sent(self) -> int:
        """Requests sent so far, as the real drivers count them."""
        return len(self.requests)

    def run(self, plan: Plan[T]) -> T:
        """Run a plan to its end."""
        schedule = Schedule(plan)
        try:
            effects = schedule.start()
            while effects:
                pending = effects.pop(0)
                if not pending.void:
                    effects += schedule.answer(pending, self.attempt(pending.effect))
            return schedule.result()
        finally:
            schedule.close()

    def attempt(self, effect: Effect[object]) -> object:
        """Perform an effect; return its outcome, which is a `Failure` when it raised."""
        try:
            return self._perform(effect)
        except Exception as error:
            return Failure(error)

    def _perform(self, effect: Effect[object]) -> object:  # noqa: PLR0911 - one for each kind
        match effect:
            case Send(request, _, deadline):
                if self.clock.monotonic() >= deadline:
                    raise RequestFailed(Kind.OUT_OF_TIME, request.origin, "out of time")
                self.requests.append(request)
                return self.answer(request)
            case Sleep(seconds):
                self.slept.append(seconds)
                self.clock.advance(seconds)
                return None
            case AcquireToken(credential, scope):
                return credential.get_token(scope)
            case Invoke(function, arguments):
                return function(*arguments)
            case ResolveSrv(name):
                self.looked_up.append(name)
                return self.names(name)
            case VerifyConnections():
                return None
            case _:
                return self._perform_here(effect)

    def _perform_here(self, effect: Effect[object]) -> object:
        match effect:
            case ReadFile():
                return self.files.perform(effect)
            case ReadStored(cache, now):
                return cache.read(now)
            case WriteStored(cache, text, loaded, confirmed, digest):
                return cache.write(text, loaded, confirmed, digest)
            case _:
                raise AssertionError(effect)


def context_for(clock: FakeClock, options: Options, random: float = 0.0) -> Context:
    """Return a context whose chance is always the same."""
    return Context(
        options, options.store.credential, clock, lambda: random, (("user-agent", "test"),)
    )


def page(items: Sequence[Mapping[str, object]], etag: str = "p1", status: int = 200) -> Response:
    """Return a page of settings."""
    body = json.dumps({"items": list(items)}).encode()
    return Response(status, {"etag": f'"{etag}"'}, body)


def setting(key: str, value: str, etag: str = "e1", **others: object) -> dict[str, object]:
    """Return a setting as the service writes it."""
    return {"key": key, "value": value, "label": None, "etag": etag, **others}


def reference(key: str, secret: str, etag: str = "e1") -> dict[str, object]:
    """Return a Key Vault reference to the address of a secret, as the service writes it."""
    return setting(key, json.dumps({"uri": secret}), etag, content_type=VAULT_TYPE)


def single(item: Mapping[str, object]) -> Response:
    """Return the answer for one setting."""
    return Response(200, {"etag": f'"{item["etag"]}"'}, json.dumps(dict(item)).encode())


def status(code: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer that is only a status."""
    return Response(code, headers or {})
