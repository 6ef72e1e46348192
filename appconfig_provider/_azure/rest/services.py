"""What is particular about the two services that are asked: the store, and Key Vault."""

from __future__ import annotations

from dataclasses import dataclass, field

from appconfig_provider._azure.rest.refusals import SECRET_HINTS, hints_of_store, refusal
from appconfig_provider._azure.rest.sync_tokens import (
    SyncToken,
    newest_tokens,
    read_sync_tokens,
    sync_token_header,
)
from appconfig_provider._fetch.failures import RequestFailed
from appconfig_provider._plan import Headers, Request, Response


@dataclass(slots=True)
class StoreService:
    """One endpoint of App Configuration, during one attempt."""

    sent: Headers = field(repr=False)
    """What every request carries."""
    tokens: dict[str, SyncToken] = field(default_factory=dict, repr=False)
    """What the endpoint has told that it wants to be sent again."""

    def headers(self) -> Headers:
        """Return who asks, and the newest sync tokens."""
        if not self.tokens:
            return self.sent
        return (*self.sent, ("sync-token", sync_token_header(self.tokens)))

    def learn(self, response: Response) -> None:
        """Remember the sync tokens of an answer."""
        header = response.headers.get("sync-token")
        if header:
            self.tokens = newest_tokens(self.tokens, read_sync_tokens(header))

    def refusal(self, origin: str, request: Request, response: Response) -> RequestFailed:
        """Return the failure, with a hint for who watches or lists."""
        return refusal(origin, request, response, hints_of_store(request))


@dataclass(frozen=True, slots=True)
class VaultService:
    """A vault; it teaches nothing."""

    sent: Headers = field(repr=False)

    def headers(self) -> Headers:
        """Return who asks."""
        return self.sent

    def learn(self, response: Response) -> None:
        """Learn nothing."""

    def refusal(self, origin: str, request: Request, response: Response) -> RequestFailed:
        """Return the failure, with a hint about secrets."""
        return refusal(origin, request, response, SECRET_HINTS)
