"""What differs between the two services: the store has sync tokens, Key Vault has none.

Each has hints of its own for a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from appconfig_provider._azure.rest.refusals import (
    SECRET_HINTS,
    Hints,
    hints_of_store,
    refusal,
)
from appconfig_provider._azure.rest.sync_tokens import (
    SyncToken,
    newest_tokens,
    read_sync_tokens,
    sync_token_header,
)
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._fetch.origins import is_loopback
from appconfig_provider._plan import Headers, Request, Response

_EMULATOR = "is the emulator running? ('appconfig emulator' starts it)"


@dataclass(slots=True)
class StoreService:
    """One endpoint of App Configuration, during one attempt."""

    common_headers: Headers = field(repr=False)
    """Headers of every request, such as `user-agent`."""
    tokens: dict[str, SyncToken] = field(default_factory=dict, repr=False)
    """The newest sync tokens of the endpoint, by their ids."""
    hints: Callable[[Request], Hints] = hints_of_store
    """What to do when a request is refused."""

    def headers(self) -> Headers:
        """Return the common headers and the newest sync tokens."""
        if not self.tokens:
            return self.common_headers
        return (*self.common_headers, ("sync-token", sync_token_header(self.tokens)))

    def learn(self, response: Response) -> None:
        """Remember the sync tokens of an answer."""
        header = response.headers.get("sync-token")
        if header:
            self.tokens = newest_tokens(self.tokens, read_sync_tokens(header))

    def refusal(self, origin: str, request: Request, response: Response) -> RequestFailed:
        """Return the failure, with a hint that fits the request: a watched key, or a listing."""
        return refusal(origin, request, response, self.hints(request))

    def hint(self, failure: RequestFailed, /) -> str:
        """Return a hint to start the emulator, if a store on this machine cannot be reached."""
        unreachable = failure.kind is Kind.UNREACHABLE and not failure.hint
        local = is_loopback(failure.origin) and not failure.proxied
        return _EMULATOR if unreachable and local else ""


@dataclass(frozen=True, slots=True)
class VaultService:
    """A vault of Key Vault."""

    common_headers: Headers = field(repr=False)
    """Headers of every request, such as `user-agent`."""

    def headers(self) -> Headers:
        """Return the common headers."""
        return self.common_headers

    def learn(self, response: Response) -> None:
        """Do nothing: a vault's answers hold nothing that later requests need."""

    def refusal(self, origin: str, request: Request, response: Response) -> RequestFailed:
        """Return the failure, with a hint about secrets."""
        return refusal(origin, request, response, SECRET_HINTS)

    def hint(self, _failure: RequestFailed, /) -> str:
        """Return nothing."""
        return ""
