"""The closed list of what a plan may ask of the world, and the records that travel with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential  # noqa: F401 - in a base class
    from azure.core.credentials_async import AsyncTokenCredential

T_co = TypeVar("T_co", covariant=True)

Headers: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, exactly as it will stand on the request line."""

    method: str
    origin: str
    """Scheme, host and port: `https://contoso.azconfig.io`."""
    target: str
    """Path and query, already percent-encoded; these characters are signed and sent as they are."""
    headers: Headers = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, read whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


Signer: TypeAlias = Callable[[Request, float], Headers]
"""Gives the authorising headers of a request at a moment (seconds since 1970). Pure."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The answer to an effect that raised."""

    error: BaseException = field(repr=False)


class Effect(Generic[T_co]):
    """Something a plan wants done; `T_co` is the type of a good answer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Send(Effect[Response]):
    """Send a request and read its answer.

    The driver signs at the moment of sending, so that a request that waited in a queue still
    carries a fresh date. `deadline` is on the monotonic clock; past it nothing is sent or read.
    """

    request: Request
    sign: Signer | None = field(repr=False)
    deadline: float


@dataclass(frozen=True, slots=True)
class VerifyConnections(Effect[None]):
    """Make sure that nothing is left on the idle connections to an origin.

    A driver raises `RequestFailed` (`UNASKED`) where something is: answers may have been misplaced.
    """

    origin: str


@dataclass(frozen=True, slots=True)
class AcquireToken(Effect["AccessToken"]):
    """Ask a credential for a bearer token.

    `refused` is a token the service has turned down: it must not be given again. `claims` is what
    the service asked for when it did (continuous access evaluation).
    """

    credential: TokenCredential | AsyncTokenCredential = field(repr=False)
    scope: str
    refused: str | None = field(default=None, repr=False)
    claims: str | None = None


@dataclass(frozen=True, slots=True)
class ResolveSrv(Effect[tuple[str, ...]]):
    """Ask DNS for the targets of a name's SRV records; a name without records has none.

    `deadline` is on the monotonic clock. Anything but an answer, and a resolver that is not
    installed, is a failure.
    """

    name: str
    deadline: float


@dataclass(frozen=True, slots=True)
class Sleep(Effect[None]):
    """Wait, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Invoke(Effect[object]):
    """Call the user's function; runs alone, on the thread or task that runs the plan.

    A `blocking` one may take its time: asyncio calls it on a thread of its own, so that the event
    loop runs meanwhile.
    """

    function: Callable[..., object]
    arguments: tuple[object, ...] = field(default=(), repr=False)
    blocking: bool = False
