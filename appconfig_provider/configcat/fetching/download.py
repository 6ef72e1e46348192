"""Asking the server: one attempt, with its redirects and, while no file is known, both files.

An attempt sends at most three requests for a file. It has one budget for all of its requests, and
repeats none: the next attempt is made when the back-off of the server has passed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from appconfig_provider._fetch.access import EndpointAttempt, RoundRules
from appconfig_provider._fetch.backoff import FREE, Backoff
from appconfig_provider._fetch.budget import Budget
from appconfig_provider._fetch.endpoints import Endpoint, Endpoints
from appconfig_provider._fetch.exchange import exchange
from appconfig_provider._fetch.failures import Kind, RequestFailed
from appconfig_provider._fetch.first_answer import Answered, Exhausted, first_answer
from appconfig_provider._fetch.unsigned import UnsignedAccess
from appconfig_provider._plan import Plan, Request, Response, Steps, plan
from appconfig_provider.configcat.evaluation.document import Config, read_config
from appconfig_provider.configcat.fetching import reports
from appconfig_provider.configcat.fetching.entries import Entry, confirmed_at, usable_tag
from appconfig_provider.configcat.fetching.options import SourceOptions
from appconfig_provider.configcat.fetching.reports import Report, report
from appconfig_provider.configcat.fetching.state import Server
from appconfig_provider.configcat.fetching.targets import origin_and_path, redirected
from appconfig_provider.configcat.keys import path_of, shown_path_of
from appconfig_provider.decoding import text_of
from appconfig_provider.models import Store
from appconfig_provider.texts import printable
from appconfig_provider.trouble import type_of

MAX_REQUESTS = 3
"""For one file, in one attempt: redirects may lead in a circle."""

UNTRUSTED_HINT = (
    "; a CA of your own is named by REQUESTS_CA_BUNDLE, else CURL_CA_BUNDLE, else SSL_CERT_FILE"
)
REDIRECT_HINT = "; redirects are not followed, since the SDK key is a part of each address"

NOT_FOUND = 404
_ABSENT = frozenset({403, NOT_FOUND})
"""Statuses that say: this SDK key has no such file."""
_ACCEPTED = frozenset({200, 201, 202, 203, 204, 304}) | _ABSENT


@dataclass(frozen=True, slots=True)
class Content:
    """What a server answered with."""

    status: int
    origin: str
    path: str
    """As errors show it."""
    text: str = field(default="", repr=False)
    etag: str = ""
    config: Config | None = field(default=None, repr=False)
    """The config; None for a 304."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What an attempt came to."""

    server: Server
    entry: Entry | None = None
    """The config as it was confirmed or replaced; None after a failure."""
    config: Config | None = field(default=None, repr=False)
    """Of a new text; None where the text is the known one."""
    failure: Report | None = None
    rests: bool = False
    """True when asking again after a back-off would not help: the server has no config for the key,
    or the client went offline."""
    warnings: tuple[Report, ...] = ()


@dataclass(slots=True)
class _Attempt:
    """One attempt: what it has learnt so far."""

    given: SourceOptions
    server: Server
    known: Entry | None
    budget: Budget
    backoff: Backoff
    """As it was before. An attempt counts as one failure, at whichever server it fails."""
    warnings: list[Report] = field(default_factory=list)

    def failed(self, failure: Report, server: Server, *, rests: bool = False) -> Downloaded:
        """Return a failure; the next attempt begins where the client began."""
        server = replace(server, base=self.given.addresses.first, outage=True)
        warnings = tuple(self.warnings)
        return Downloaded(server=server, failure=failure, rests=rests, warnings=warnings)

    def backed_off(self) -> Server:
        """Return the server with the back-off after this attempt, which has failed."""
        live = self.given.live
        backoff = self.backoff.after_failure(
            live.clock.monotonic(), interval=live.interval, jitter=live.random()
        )
        return replace(self.server, backoff=backoff)


@plan
def download(given: SourceOptions, server: Server, known: Entry | None) -> Steps[Downloaded]:
    """Ask the server for the config; `known` is what is to be confirmed or replaced."""
    allowance = given.allowance
    budget = Budget(given.live.clock.monotonic() + allowance.seconds, allowance)
    attempt = _Attempt(given, server, known, budget, server.backoff)
    try:
        return (yield from _ask_for_files(attempt))
    except (ValueError, ImportError, OSError) as error:
        # The proxy or a CA file cannot be used, or a module cannot be imported.
        why = type_of(error) if isinstance(error, UnicodeError) else str(error)
        failure = report(reports.FAILED, f"no request could be sent: {why}")
        return attempt.failed(failure, attempt.backed_off())


@plan
def _ask_for_files(attempt: _Attempt) -> Steps[Downloaded]:
    """Ask for one file, or while the server gave none for both."""
    given, known = attempt.given, attempt.known
    absent: list[str] = []
    choice = attempt.server.file
    for file in _files(given, attempt.server, known):
        found = yield from _follow(attempt, file)
        if not isinstance(found, Content):
            return found
        shown = f"{found.status} to GET {found.path}"
        absent.append(f"{found.origin}: answered {shown}")
        if found.status != NOT_FOUND:
            break
        choice = None
    what = "the server has no config for this SDK key, or does not let it be read"
    failure = report(reports.NOT_FOUND, f"{what} ({'; '.join(absent)})")
    return attempt.failed(failure, replace(attempt.server, file=choice, backoff=FREE), rests=True)


def _files(given: SourceOptions, server: Server, known: Entry | None) -> list[str]:
    """Return the files to ask for, in order; more than one only while the server gave none."""
    if server.file is not None:
        return [server.file]
    begin = given.files[0] if known is None else known.file
    return [begin, *(file for file in given.files if file != begin)]


@plan
def _follow(attempt: _Attempt, file: str) -> Steps[Content | Downloaded]:
    """Ask for a file, wherever redirects lead; return the answer that there is no such file."""
    given = attempt.given
    for left in reversed(range(MAX_REQUESTS)):
        if given.switch.offline:
            return attempt.failed(reports.went_offline(), attempt.server, rests=True)
        base = attempt.server.base
        answer = yield from _ask(attempt, file)
        if isinstance(answer, Exhausted):
            return attempt.failed(*_failed(attempt, answer))
        content, (endpoint,) = answer.result, answer.endpoints.all
        server = replace(attempt.server, origin=endpoint.store.url, backoff=FREE, outage=False)
        attempt.server = server
        if content.status in _ABSENT:
            return content
        attempt.server = replace(server, file=file)
        config = content.config
        to = config and redirected(given.addresses, base, config.base_url, config.redirect)
        if to:
            attempt.server = replace(attempt.server, base=to.base)
            if to.unexpected and not attempt.warnings:
                attempt.warnings.append(reports.out_of_sync(to.base))
            if to.at_once and left:
                continue
            if to.at_once:
                attempt.warnings.append(reports.in_circles(MAX_REQUESTS))
        return _used(attempt, content, file)
    raise AssertionError("the last request returns")


def _used(attempt: _Attempt, content: Content, file: str) -> Downloaded:
    """Return what is to be done with a config that has come, or was confirmed."""
    fetched_at, warnings = confirmed_at(attempt.given.live.clock.time()), tuple(attempt.warnings)
    known, config = attempt.known, content.config
    if known is not None and (config is None or (content.text, file) == (known.text, known.file)):
        etag = known.etag if config is None else content.etag
        config, entry = None, replace(known, fetched_at=fetched_at, etag=etag)
    elif config is None:
        raise AssertionError("only what is known can be confirmed")
    elif not config.has_settings:
        failure = report(reports.FAILED, f"{content.origin}: the config has no settings")
        return attempt.failed(failure, attempt.backed_off())
    else:
        entry = Entry(content.text, content.etag, fetched_at, file)
    return Downloaded(server=attempt.server, entry=entry, config=config, warnings=warnings)


def _ask(attempt: _Attempt, file: str) -> Plan[Answered[Content] | Exhausted]:
    """Send one request to the server whose turn it is."""
    given, server = attempt.given, attempt.server
    origin, path = origin_and_path(server.base)
    endpoint = Endpoint(Store(origin), attempt.backoff)
    last = server.origin if server.origin == origin else ""
    # No more of them are ever looked up.
    endpoints = Endpoints((endpoint,), Backoff(until=math.inf), last, outage=server.outage)
    live = given.live
    rules = RoundRules(live.clock, live.random, live.interval, retries=0)
    known = attempt.known if attempt.known and attempt.known.file == file else None

    def job(one: EndpointAttempt) -> Plan[Content]:
        request = Request(
            "GET",
            origin,
            path + path_of(given.sdk_key, file),
            (("if-none-match", known.etag),) if known and known.etag else (),
            shown=path + shown_path_of(given.sdk_key, file),
        )
        return _answer(one, request, known)

    access = UnsignedAccess(given.headers)
    return first_answer(access, rules, endpoints, attempt.budget, job, force=True)


@plan
def _answer(one: EndpointAttempt, request: Request, known: Entry | None) -> Steps[Content]:
    """Send a request and read what comes.

    Raises:
        RequestFailed: nothing came that can be used.
    """
    response = yield from exchange(one.session, request, _ACCEPTED)
    status, origin = response.status, request.origin
    etag = usable_tag(response.headers.get("etag"))
    if status in _ABSENT:
        return Content(status, origin, request.shown)
    if status != 304:
        return _read(request, response, etag)
    if known is None or not known.etag:
        detail = f"answered 304 to {request.name}, which had no condition"
        raise RequestFailed(Kind.REFUSED, origin, detail, status=304)
    return Content(status, origin, request.shown)


def _read(request: Request, response: Response, etag: str) -> Content:
    try:
        text = text_of(response.body)
        return Content(
            response.status, request.origin, request.shown, text, etag, read_config(text)
        )
    except ValueError as error:
        # The decoder's own words, which quote nothing; those of a codec quote the bytes.
        why = "bytes that are no text" if isinstance(error, UnicodeError) else printable(error)
    raise RequestFailed(Kind.MALFORMED, request.origin, f"the config cannot be read ({why})")


def _failed(attempt: _Attempt, answer: Exhausted) -> tuple[Report, Server]:
    """Return what is reported of a request that failed, and the server with its back-off."""
    failure, (endpoint,) = answer.failures[0], answer.endpoints.all
    given = attempt.given
    # Without its hint, which names an argument that clients of ConfigCat do not have.
    text = f"{failure.origin}: {failure.detail}"
    if failure.timed_out:
        limits = f"connect timeout {given.connect_timeout:g} s, read {given.read_timeout:g} s"
        reported = report(reports.TIMED_OUT, f"{text} ({limits})")
    else:
        event_id = reports.FAILED if failure.status is None else reports.REFUSED
        hint = UNTRUSTED_HINT if failure.kind is Kind.UNTRUSTED else ""
        if failure.status is not None and 300 <= failure.status < 400 and failure.status != 304:
            hint = REDIRECT_HINT
        reported = report(event_id, text + hint)
    return reported, replace(attempt.server, backoff=endpoint.backoff)
