"""What the plans of a source get: checked arguments, and what they need of the world outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from appconfig_provider._fetch.budget import Allowance
from appconfig_provider._live.source import LiveOptions
from appconfig_provider._live.standing import Instant, now
from appconfig_provider._plan import Headers
from appconfig_provider.configcat.fetching.overriding import LocalSettings
from appconfig_provider.configcat.fetching.reports import Report
from appconfig_provider.configcat.fetching.shared import SharedCache
from appconfig_provider.configcat.fetching.targets import Addresses
from appconfig_provider.configcat.overridedatasource import OverrideBehaviour


class Switch:
    """Whether a client is offline; the client writes it, plans read it before each request."""

    __slots__ = ("offline",)

    def __init__(self, *, offline: bool = False) -> None:
        self.offline = offline


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How a config is fetched; times in seconds."""

    sdk_key: str = field(repr=False)
    files: tuple[str, str]
    """The config files, in the order in which a server is asked for them."""
    addresses: Addresses
    headers: Headers = field(repr=False)
    """Of every request."""
    live: LiveOptions
    """`interval` is that between two polls, or how long a lazy client believes its config."""
    fetches_by_itself: bool
    """False where only `force_refresh()` asks the server."""
    connect_timeout: float
    read_timeout: float
    cache: SharedCache | None = None
    local: LocalSettings | None = None
    log_user: bool = True
    switch: Switch = field(default_factory=Switch, repr=False)
    tell: Callable[[Report], object] = field(repr=False)
    """Called with each report, by the holder of the flag, after the swap."""

    @property
    def local_only(self) -> bool:
        """True where nothing is ever sent."""
        return self.local is not None and self.local.behaviour is OverrideBehaviour.LocalOnly

    @property
    def watches(self) -> bool:
        """True where local settings may change."""
        return self.local is not None and self.local.may_change

    @property
    def allowance(self) -> Allowance:
        """The time of one refresh, all its requests together."""
        seconds = self.connect_timeout + self.read_timeout
        return Allowance(seconds, "connect_timeout + read_timeout ({:g} s)")

    def now(self) -> Instant:
        """Read the clocks."""
        return now(self.live.clock)
