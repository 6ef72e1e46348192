"""What the store held, revision by revision, and how it answers from any of them."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from appconfig_provider._plan import Response
from appconfig_provider.models import FLAG_PREFIX
from tests.simulation.world import BEGINNING
from tests.support.content import FLAG_TYPE


class Item(NamedTuple):
    """A setting as it stands in the store; its ETag is the revision that wrote it."""

    key: str
    value: str
    revision: int
    text: str
    """As JSON."""


class Target(NamedTuple):
    """What a request asks for: a single key, or a page of a listing."""

    key: str | None
    prefix: str
    after: str

    @property
    def kind(self) -> str:
        """Whether it is about sentinels, flags or settings."""
        if self.key is not None:
            return "sentinel"
        return "flags" if self.prefix.startswith(FLAG_PREFIX) else "settings"


@lru_cache(maxsize=4096)
def read_target(text: str) -> Target:
    """Take the target of a request apart; the only filters are prefixes."""
    path, _, query = text.partition("?")
    if path != "/kv":
        return Target(unquote(path.removeprefix("/kv/")), "", "")
    fields = dict(pair.split("=", 1) for pair in query.split("&"))
    return Target(None, unquote(fields["key"]).removesuffix("*"), fields.get("after", ""))


class History:
    """All states of a store, one per write; `open` counts the publishes under way at each."""

    def __init__(self, page_size: int) -> None:
        self.page_size = page_size
        self.states: list[dict[str, Item]] = [{}]
        self.moments: list[float] = [-1000.0]
        self.open: list[int] = [0]
        self.keys: list[str] = [""]

    @property
    def newest(self) -> int:
        """The revision that the last write made."""
        return len(self.states) - 1

    def write(self, now: float, key: str, value: str | None, *, unfinished: int = 0) -> int:
        """Set a key, or delete it; return the revision this made."""
        state = dict(self.states[-1])
        revision = len(self.states)
        if value is None:
            state.pop(key, None)
        else:
            state[key] = _item(key, value, revision, now)
        self.states.append(state)
        self.moments.append(now)
        self.open.append(unfinished)
        self.keys.append(key)
        return revision

    def at(self, moment: float) -> int:
        """Return the newest revision of a moment."""
        return bisect_right(self.moments, moment) - 1

    def writes(self, first: int, last: int, prefix: str) -> int:
        """Return how many writes between two revisions were to keys of a prefix."""
        return sum(key.startswith(prefix) for key in self.keys[first + 1 : last + 1])

    def settings(self, revision: int, prefixes: tuple[str, ...]) -> dict[str, str]:
        """Return the values that a listing of prefixes is to show."""
        return {
            key: item.value
            for key, item in self.states[revision].items()
            if key.startswith(prefixes)
        }

    def etag(self, revision: int, key: str) -> str | None:
        """Return the ETag of a key, if it was there."""
        item = self.states[revision].get(key)
        return None if item is None else str(item.revision)

    def answer(self, revision: int, text: str, known: str | None) -> Response:
        """Answer a request for a target as the store does at a revision."""
        target = read_target(text)
        token = {"sync-token": f"zone={revision};sn={revision}"}
        if target.key is None:
            return self._page(revision, text, target, known, token)
        item = self.states[revision].get(target.key)
        if item is None:
            return Response(404, token)
        etag = f'"{item.revision}"'
        if etag == known:
            return Response(304, token)
        return Response(200, {"etag": etag, **token}, item.text.encode())

    def _page(
        self, revision: int, text: str, target: Target, known: str | None, token: Mapping[str, str]
    ) -> Response:
        state, (_, prefix, after) = self.states[revision], target
        keys = sorted(key for key in state if key.startswith(prefix) and key > after)
        items = [state[key] for key in keys[: self.page_size]]
        # A full page always has a next link, even when nothing follows.
        onwards = items[-1].key if len(items) == self.page_size else ""
        etag = f'"{".".join([str(item.revision) for item in items])}>{onwards}"'
        if etag == known:
            return Response(304, token)
        body = '{"items":[' + ",".join([item.text for item in items]) + "]"
        if onwards:
            first = text.partition("&after=")[0]
            body += f',"@nextLink":"{first}&after={onwards}"'
        return Response(200, {"etag": etag, **token}, (body + "}").encode())


def _item(key: str, value: str, revision: int, now: float) -> Item:
    """Return a setting as it is sent; written by hand, since keys and values need no escapes."""
    shown, kind = f'"{value}"', "null"
    if key.startswith(FLAG_PREFIX):
        flag = {"id": key[len(FLAG_PREFIX) :], "description": value}
        shown, kind = json.dumps(json.dumps(flag)), f'"{FLAG_TYPE}"'
    text = (
        f'{{"key":"{key}","label":null,"value":{shown},"content_type":{kind},"tags":{{}},'
        f'"etag":"{revision}","last_modified":"{_written(int(BEGINNING + now))}","locked":false}}'
    )
    return Item(key, value, revision, text)


@lru_cache(maxsize=4096)
def _written(second: int) -> str:
    """Return a moment as the service writes it, which is to the second."""
    return datetime.fromtimestamp(second, timezone.utc).isoformat()
