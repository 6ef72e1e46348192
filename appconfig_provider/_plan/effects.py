"""All effects that a plan may yield, and the records that they consist of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from appconfig_provider.protocols import Cache, Stored  # noqa: F401 - in a base class
from appconfig_provider.texts import printable

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
    shown: str = ""
    """What messages show instead of a target that holds a secret; empty where they may show it."""

    @property
    def name(self) -> str:
        """Method and target for a message, without the query, which may be long."""
        return f"{self.method} {printable(self.shown or self.target.partition('?')[0])}"

    def __repr__(self) -> str:
        """Return what a message may show."""
        return f"<Request {self.name} at {self.origin}>"


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, read whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)


Signer: TypeAlias = Callable[[Request, float], Headers]
"""Returns the authorising headers of a request that is sent at a time (since 1970). Pure."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The outcome of an effect that raised."""

    error: BaseException = field(repr=False)


class Effect(Generic[T_co]):
    """Something that a plan wants done; `T_co` is the type of its outcome when it succeeds."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Send(Effect[Response]):
    """Send a request and read its answer.

    The driver signs the request just before it sends it, so that the signed date is right even if
    the request has waited in a queue. `deadline` is on the monotonic clock; after it nothing is
    sent or read.
    """

    request: Request
    sign: Signer | None = field(repr=False)
    deadline: float


@dataclass(frozen=True, slots=True)
class VerifyConnections(Effect[None]):
    """Make sure that nothing is left on the idle connections to an origin.

    Otherwise answers may have been displaced: it raises `RequestFailed` (`UNSOLICITED`).
    """

    origin: str


@dataclass(frozen=True, slots=True)
class AcquireToken(Effect["AccessToken"]):
    """Get a bearer token from a credential.

    `refused` is a token that the service has refused: the cache must not return it again. `claims`
    is what the service asked for when it refused (continuous access evaluation).
    """

    credential: TokenCredential | AsyncTokenCredential = field(repr=False)
    scope: str
    refused: str | None = field(default=None, repr=False)
    claims: str | None = None


@dataclass(frozen=True, slots=True)
class ResolveSrv(Effect[tuple[str, ...]]):
    """Ask DNS for the targets of a name's SRV records; a name without records has none.

    `deadline` is on the monotonic clock. It fails when DNS does not answer, or when the resolver is
    not installed.
    """

    name: str
    deadline: float


@dataclass(frozen=True, slots=True)
class ReadStored(Effect["Stored | None"]):
    """Read what a cache kept in an earlier run; None when it keeps nothing."""

    cache: Cache
    now: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class WriteStored(Effect[str]):
    """Have a cache keep a text; returns its digest. The fields are those of `Cache.write`.

    It may block. So it is performed on a thread of its own, and fails when that takes too long: the
    thread goes on, and until it has ended every other write fails at once.
    """

    cache: Cache
    text: Callable[[], bytes] = field(repr=False)
    loaded: float
    confirmed: float
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Sleep(Effect[None]):
    """Wait, in seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Invoke(Effect[object]):
    """Call a function of the user, on the thread or task that runs the plan.

    A `blocking` one may take long. asyncio calls it on a thread of its own, so that the event loop
    is not blocked.
    """

    function: Callable[..., object]
    arguments: tuple[object, ...] = field(default=(), repr=False)
    blocking: bool = False


FileIdentity: TypeAlias = tuple[int, ...]
"""What tells one content of a file from another, by what its folder says of it."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of a file."""

    data: bytes = field(repr=False)
    identity: FileIdentity | None
    """None when the file may change without changing its identity, because it is too new."""


@dataclass(frozen=True, slots=True)
class ReadFile(Effect["FileContent | None"]):
    """Read a file, unless it is as it is known; None when it is.

    It fails with an OSError when there is none, when it is no regular file, and when it has more
    than `limit` bytes.
    """

    path: str
    known: FileIdentity | None
    limit: int
