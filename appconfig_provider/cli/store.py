"""A store as the command line sees it: read one setting, write one, list them all.

It drives plans of its own over the provider's exchange: the same signing, retries and errors, and
no second HTTP stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from appconfig_provider._azure.keywords import Keywords
from appconfig_provider._azure.rest.refusals import LISTING_HINTS, Hints
from appconfig_provider._azure.rest.requests import (
    API_VERSION,
    delete_request,
    key_target,
    list_target,
    lock_request,
    put_request,
)
from appconfig_provider._azure.rest.responses import read_page
from appconfig_provider._azure.rest.services import StoreService
from appconfig_provider._azure.rest.signing import access_key_signer
from appconfig_provider._fetch.exchange import (
    READ_OR_ABSENT,
    Session,
    exchange,
    read,
)
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._io.clock import clock_in_force
from appconfig_provider._io.sync import SyncDriver
from appconfig_provider._plan import Plan, Request, Response, Steps, plan
from appconfig_provider.decoding import decode
from appconfig_provider.models import WatchKey
from appconfig_provider.preparation import make_context, network_of
from appconfig_provider.selectors import NO_LABEL, SettingSelector
from appconfig_provider.texts import quoted

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

NEWEST = "2026-04-01"
"""The API version that knows descriptions; Microsoft's own emulator refuses it."""

WRITES = 5
"""How often a write is tried that others get in before."""

_READING_HINTS: Hints = {401: LISTING_HINTS[401]}
_WRITING_HINTS: Hints = {
    **_READING_HINTS,
    403: "to write, a read-write access key is needed",
    409: "unlock it first: appconfig unlock KEY",
}

_KEPT = ("content_type", "tags", "description")
_WRITTEN_OR_OVERTAKEN = frozenset({200, 412})


@dataclass(frozen=True, slots=True)
class Item:
    """A setting with what a writer must not lose."""

    key: str
    label: str | None
    value: str | None = field(repr=False)
    content_type: str | None
    tags: Mapping[str, str | None]
    description: str | None = field(repr=False)
    locked: bool
    etag: str = field(repr=False)

    def exported(self) -> Mapping[str, object]:
        """Return the setting as an export shows it; an emulator takes it as a seed."""
        return {name: value for name, value in asdict(self).items() if name != "etag"}


class RemoteStore:
    """A connection to a store, for the length of a `with` block.

    Every method raises RequestFailed when the store gives no usable answer.

    Raises:
        ValueError: the connection string is not one; the message does not repeat it.
    """

    def __init__(self, connection_string: str, ca_file: str | None = None) -> None:
        self._options = Keywords(connection_string=connection_string, verify=ca_file).checked()
        self._clock = clock_in_force()
        self._driver = SyncDriver(partial(network_of, self._options), self._clock, None)

    @property
    def url(self) -> str:
        """The endpoint."""
        return self._options.store.endpoints[0].url

    def delete(self, key: str, label: str | None) -> bool:
        """Delete a setting; tell whether there was one."""
        session = self._session()
        request = delete_request(session.origin, WatchKey(key, label or NO_LABEL))
        answer = self._driver.run(exchange(session, request, frozenset({200, 204})))
        return answer.status == 200

    def lock(self, key: str, label: str | None, *, locked: bool) -> bool:
        """Lock or unlock a setting; tell whether there is one."""
        session = self._session()
        request = lock_request(session.origin, WatchKey(key, label or NO_LABEL), locked=locked)
        answer = self._driver.run(exchange(session, request, READ_OR_ABSENT))
        return answer.status == 200

    def get(self, key: str, label: str | None) -> Item | None:
        """Return a setting, or None when the store has none of this key and label."""
        wanted = WatchKey(key, label or NO_LABEL)
        return self._run(lambda version: _fetch(self._session(), wanted, version))

    def put(
        self, key: str, label: str | None, value: str, content_type: str | None = None
    ) -> Item | None:
        """Write a value and return what was there before; what is not given stays."""
        written = WatchKey(key, label or NO_LABEL)
        content = {"value": value}
        if content_type is not None:
            content["content_type"] = content_type
        return self._run(lambda version: _write(self._session(), written, content, version))

    def select(self, selector: SettingSelector) -> tuple[Item, ...]:
        """Return the settings of every page."""
        first = list_target(selector)
        return self._run(lambda version: _list(self._session(), _at(version, first)))

    def _run(self, job: Callable[[str], Plan[T]]) -> T:
        """Do a job at the newest API version, or at an older one where the store refuses that."""
        try:
            return self._driver.run(job(NEWEST))
        except RequestFailed as failure:
            if failure.status != 400:
                raise
        return self._driver.run(job(API_VERSION))

    def _session(self) -> Session:
        (store,) = self._options.store.endpoints
        if store.access_key is None:
            raise AssertionError("a connection string has an access key")
        context = make_context(self._options, self._clock, None)
        return Session(
            origin=store.url,
            sign=access_key_signer(store.access_key),
            service=StoreService(context.headers, hints=_hints),
            deadline=self._clock.monotonic() + self._options.load_budget,
            retries=self._options.network.retries,
            clock=self._clock,
            random=context.random,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._driver.close()


def _hints(request: Request) -> Hints:
    """Return what to do when a store refuses a request of the command."""
    return _READING_HINTS if request.method == "GET" else _WRITING_HINTS


def _at(version: str, target: str) -> str:
    """Return a target with another API version."""
    return target.replace(f"api-version={API_VERSION}", f"api-version={version}", 1)


@plan
def _fetch(session: Session, wanted: WatchKey, version: str) -> Steps[Item | None]:
    target = _at(version, key_target(wanted))
    response = yield from read(session, target, None, READ_OR_ABSENT)
    if response.status == 404:
        return None
    return _understood(session, target, lambda: _item(decode(response.body)))


@plan
def _write(
    session: Session, written: WatchKey, content: Mapping[str, str], version: str
) -> Steps[Item | None]:
    """Write over exactly what was read; start again when somebody else was faster."""
    for _ in range(WRITES):
        before = yield from _fetch(session, written, version)
        kept = {} if before is None else {name: getattr(before, name) for name in _KEPT}
        request = put_request(
            session.origin, written, {**kept, **content}, None if before is None else before.etag
        )
        request = replace(request, target=_at(version, request.target))
        answer = yield from exchange(session, request, _WRITTEN_OR_OVERTAKEN)
        if answer.status == 200:
            return before
    message = f"others write {quoted(written.key)} all the time; try again"
    raise RequestFailed(Kind.REFUSED, session.origin, message, status=412)


@plan
def _list(session: Session, first: str) -> Steps[tuple[Item, ...]]:
    pages: dict[str, tuple[Item, ...]] = {}
    target: str | None = first
    while target is not None:
        if target in pages:
            raise RequestFailed(Kind.MALFORMED, session.origin, f"{target} leads back to itself")
        response = yield from read(session, target, None)
        pages[target], target = _understood(session, target, partial(_page, response, target))
    return tuple(item for page in pages.values() for item in page)


def _understood(session: Session, target: str, reading: Callable[[], T]) -> T:
    """Return what reading an answer gives; an answer that cannot be read is the store's failure."""
    try:
        return reading()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        detail = f"the answer to GET {target} holds no settings; check the endpoint"
        raise RequestFailed(Kind.MALFORMED, session.origin, detail) from error


def _page(response: Response, target: str) -> tuple[tuple[Item, ...], str | None]:
    """Return the settings of a page, and where the listing goes on at this same store."""
    items = tuple([_item(entry) for entry in decode(response.body)["items"]])
    return items, read_page(response, target).next


def _item(entry: Mapping[str, Any]) -> Item:
    texts: dict[str, Any] = {
        name: entry.get(name) for name in ("label", "value", "content_type", "description")
    }
    if not all(isinstance(text, str | None) for text in texts.values()):
        raise TypeError("a setting consists of texts")
    tags: Any = entry.get("tags") or {}
    locked = entry.get("locked") in (True, "true")  # some documents show a text
    named = {"key": str(entry["key"]), "etag": str(entry["etag"])}
    return Item(**named, tags=dict(tags), locked=locked, **texts)
