"""The official clients behind one adapter that is awaited."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from azure.appconfiguration import AzureAppConfigurationClient
from azure.appconfiguration.aio import AzureAppConfigurationClient as AsyncClient
from azure.core.exceptions import HttpResponseError

from appconfig_provider.testing import Emulator


class Peer:
    """Either client, awaited."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method that is a coroutine function in the async client."""
        result = getattr(self.client, method)(*arguments, **options)
        return await result if inspect.isawaitable(result) else result

    async def every(self, method: str, **options: Any) -> list[Any]:
        """Everything a listing yields."""
        return await collect(getattr(self.client, method)(**options))

    async def pages(
        self, method: str, etags: list[str] | None = None, **options: Any
    ) -> list[tuple[str, list[Any]]]:
        """The pages a listing yields, each with its ETag."""
        pages = getattr(self.client, method)(**options).by_page(match_conditions=etags)
        found = []
        if hasattr(pages, "__aiter__"):
            async for page in pages:
                items = await collect(page)
                found.append((pages.etag, items))
        else:
            for page in pages:
                items = list(page)
                found.append((pages.etag, items))
        return found


async def collect(items: Any) -> list[Any]:
    """The elements of an iterable of either kind."""
    if hasattr(items, "__aiter__"):
        return [item async for item in items]
    return list(items)


def problem_of(error: HttpResponseError) -> tuple[int | None, str | None, str | None]:
    """Status, name and detail of the problem document that came with an error."""
    model: Any = error.model
    return error.status_code, model.name, model.detail


Script = Callable[[Emulator, Peer], Awaitable[None]]
Play = Callable[[Script], None]


@asynccontextmanager
async def peer(store: Emulator, kind: str) -> AsyncIterator[Peer]:
    """A client of a kind, connected to a store."""
    client_class: Any = AsyncClient if kind == "async" else AzureAppConfigurationClient
    client = client_class.from_connection_string(store.connection_string, retry_total=0)
    connected = Peer(client)
    try:
        yield connected
    finally:
        await connected.call("close")
