"""What the benchmark's server answers: the emulator's own answers, kept as bytes.

The emulator reads its database and goes through a web framework for every request, and takes more
than a millisecond for a page. Two clients that are compared would then be compared by how long
they wait for it. Here the emulator's handlers are asked once for each target, without and with
the ETag they gave, and both answers are kept until a setting changes; then all are made anew
before the change is said to be done, so that no client pays for it.

Left out, for both sides alike: nobody verifies the signatures that the clients make, and there are
no request ids. Reads of settings and listings are served, with `If-None-Match` as the only
condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from appconfig_provider.emulator.listings_api import list_settings
from appconfig_provider.emulator.model import Draft
from appconfig_provider.emulator.settings_api import read_setting
from appconfig_provider.emulator.steps import at_once
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.sync_tokens import sync_token
from appconfig_provider.emulator.versions import negotiate
from appconfig_provider.emulator.wire import Answer, Call, decode, parse_query

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Kept:
    """The answers to one target: the whole one, and the one for who holds its ETag already."""

    etag: str | None
    whole: bytes
    unchanged: bytes


class Answers:
    """Answers reads of a store; `known` tells how many targets it has been asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: dict[str, Kept] = {}

    @property
    def known(self) -> int:
        """How many different targets were asked for."""
        return len(self._kept)

    def answer(self, target: str, none_match: str | None) -> bytes:
        """Return the bytes of an answer; `none_match` is the text of `If-None-Match`."""
        kept = self._kept.get(target)
        if kept is None:
            kept = self._kept[target] = self._make(target)
        return kept.whole if none_match is None or none_match != kept.etag else kept.unchanged

    def change(self, values: Mapping[str, str]) -> None:
        """Write values and make every answer anew."""
        self._store.load([Draft(key=key, value=value) for key, value in values.items()])
        self._kept = {target: self._make(target) for target in self._kept}

    def _make(self, target: str) -> Kept:
        whole = self._ask(target, {})
        etag = dict(whole.headers).get("ETag")
        unchanged = self._ask(target, {} if etag is None else {"if-none-match": etag})
        return Kept(etag, self._bytes_of(whole), self._bytes_of(unchanged))

    def _ask(self, target: str, headers: Mapping[str, str]) -> Answer:
        path, _, raw = target.partition("?")
        query = parse_query(raw.encode())
        call = Call(
            method="GET",
            path=path,
            query=query,
            version=negotiate(query.all("api-version")),
            headers=headers,
            body=b"",
            key=decode(path.removeprefix("/kv/").encode(), "key"),
            target=target,
            origin="",
        )
        if path == "/kv":
            return at_once(list_settings(self._store, call, PAGE_SIZE))
        return read_setting(self._store, call)

    def _bytes_of(self, answer: Answer) -> bytes:
        lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        lines.append(f"Sync-Token: {sync_token(self._store.mutations)}")
        if answer.status != HTTPStatus.NOT_MODIFIED:
            lines.append(f"Content-Length: {len(answer.body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
