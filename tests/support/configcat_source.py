"""ConfigCat's source in virtual time: servers that are a function, and a client without threads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._live.source import Outcome
from appconfig_provider._plan import Request, Response
from appconfig_provider.configcat.configcatoptions import ConfigCatOptions
from appconfig_provider.configcat.connecting import Surroundings, source_of
from appconfig_provider.configcat.fetching.reports import Report
from appconfig_provider.configcat.fetching.source import ConfigCatSource, Online
from appconfig_provider.configcat.fetching.state import State
from appconfig_provider.configcat.keys import path_of
from appconfig_provider.configcat.pollingmode import PollingMode
from appconfig_provider.testing import FakeClock
from tests.support.files import Files
from tests.support.scripted import ScriptedDriver

KEY = "configcat-sdk-1/TEST_KEY-0123456789012/1234567890123456789012"
OLD_KEY = "PKDVCLf-Hq-h-kCzMp-L7Q/psuH7BGHoUmdONrzzUOY7A"
V5, V6 = "config_v5.json", "config_v6.json"
GLOBAL, EU = "https://cdn-global.configcat.com", "https://cdn-eu.configcat.com"


def v6(**values: str) -> dict[str, Any]:
    """Return a config with texts, as version 6 writes it."""
    return {"f": {key: {"t": 1, "v": {"s": value}} for key, value in values.items()}}


def v5(**values: str) -> dict[str, Any]:
    """Return the same as version 5 writes it."""
    return {"f": {key: {"t": 1, "v": value, "p": [], "r": []} for key, value in values.items()}}


def leading(config: Mapping[str, Any], base: str, mode: int) -> dict[str, Any]:
    """Return a config that names the server to ask for it."""
    return {"p": {"u": base, "r": mode}, **config}


@dataclass
class Cdn:
    """Servers by address; each has files, or one answer to everything."""

    files: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """By server and file: the text and its ETag."""
    faults: dict[str, Response | RequestFailed] = field(default_factory=dict)
    """By server: what it answers instead."""
    key: str = KEY
    asked: list[Request] = field(default_factory=list)

    def serve(
        self, config: Mapping[str, Any], etag: str = 'W/"1"', file: str = V6, at: str = GLOBAL
    ) -> None:
        """Have a server give a config."""
        self.files[at, file] = (json.dumps(config), etag)

    def break_down(self, status: int | None = None, at: str = GLOBAL, **headers: str) -> None:
        """Have a server answer with a status, or not at all."""
        self.faults[at] = (
            RequestFailed(Kind.UNREACHABLE, at, "no connection")
            if status is None
            else Response(status, headers)
        )

    def answer(self, request: Request) -> Response:
        """Answer a request as the CDN does."""
        self.asked.append(request)
        fault = self.faults.get(request.origin)
        if isinstance(fault, RequestFailed):
            raise fault
        if fault is not None:
            return fault
        for (at, file), (text, etag) in self.files.items():
            parts = urlsplit(at)
            origin = f"{parts.scheme}://{parts.netloc}"
            if origin == request.origin and request.target == parts.path + path_of(self.key, file):
                known = dict(request.headers).get("if-none-match")
                headers = {"etag": etag} if etag else {}
                if known and known == etag:
                    return Response(304, headers)
                return Response(200, headers, text.encode())
        return Response(404, {})

    @property
    def hosts(self) -> list[str]:
        """The servers that were asked, in order."""
        return [request.origin for request in self.asked]

    @property
    def named(self) -> list[str]:
        """The files that were asked for, in order."""
        return [request.target.rpartition("/")[2] for request in self.asked]

    @property
    def conditions(self) -> list[str | None]:
        """The ETags that were sent, in order."""
        return [dict(request.headers).get("if-none-match") for request in self.asked]


class Shared(dict[str, Any]):
    """A cache of a program, which counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.gets: list[str] = []
        self.error: Exception | None = None

    def get(self, key: str, default: Any = None) -> Any:
        """Return what it holds."""
        self.gets.append(key)
        if self.error is not None:
            raise self.error
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Hold something."""
        if self.error is not None:
            raise self.error
        self[key] = value


class Played:
    """A client without threads: what a refresh does, in virtual time."""

    def __init__(
        self,
        cdn: Callable[[Request], Response] | Cdn,
        mode: PollingMode | None = None,
        *,
        key: str = KEY,
        newest: bool = True,
        clock: FakeClock | None = None,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.clock = clock or FakeClock(1_700_000_000.0)
        self.told: list[Report] = []
        self.files = Files()
        self.source: ConfigCatSource = source_of(
            key,
            ConfigCatOptions(polling_mode=mode or PollingMode.auto_poll(), **options),
            Surroundings(
                clock=self.clock,
                tell=self.told.append,
                random=lambda: 0.0,
                environment=environment or {},
            ),
            newest=newest,
        )
        answer = cdn.answer if isinstance(cdn, Cdn) else cdn
        self.driver = ScriptedDriver(answer, self.clock, files=self.files)
        self.state: State = self.source.first()

    @property
    def due(self) -> float:
        """In how many seconds the next refresh is due."""
        return self.state.standing.due - self.clock.monotonic()

    @property
    def texts(self) -> dict[str, Any]:
        """The settings that count, by key, as far as they are texts."""
        return {
            key: setting["v"]["s"] if isinstance(setting["v"], dict) else setting["v"]
            for key, setting in self.state.settings.items()
        }

    @property
    def ids(self) -> list[int]:
        """The event ids of what was told."""
        return [one.event_id for one in self.told]

    def refresh(self, *, force: bool = False, in_background: bool = False) -> Outcome[State]:
        """Refresh, as the runtime does: publish, tell, keep."""
        before = self.state
        plan = self.source.next(before, force=force, in_background=in_background)
        outcome = self.driver.run(plan)
        self.state = outcome.state
        self.source.log_change(outcome.state, before)
        keep = self.source.keep(self.state)
        if keep is not None:
            self.state = self.driver.run(keep)
        return outcome

    def refresh_when_due(self) -> Outcome[State]:
        """Let time pass until the next refresh is due, and refresh."""
        self.clock.advance(max(self.due, 0.0))
        return self.refresh()

    def go(self, *, offline: bool) -> None:
        """Switch it online or offline, as its client does."""
        self.source.given.switch.offline = offline
        if not offline:
            self.state = self.source.with_requests(self.state, Online())
