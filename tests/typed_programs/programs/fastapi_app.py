"""A FastAPI application on the asyncio provider."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from appconfig_provider import Binding, ConfigurationSnapshot, MissingKey, Polling
from appconfig_provider.aio import AzureAppConfigurationProvider, load


@dataclass(frozen=True)
class Limits:
    """The settings below `limits`."""

    low: int
    high: int = 10


@dataclass(frozen=True)
class State:
    """What lives as long as the application."""

    config: AzureAppConfigurationProvider
    limits: Binding[Limits]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Load before the first request."""
    async with await load(
        connection_string="Endpoint=https://contoso.azconfig.io;Id=i;Secret=cw==",
        refresh_enabled=True,
        polling=Polling.auto(interval=10),
        consistency="point_in_time",
        on_refresh_success=published,
    ) as config:
        app.state.loaded = State(config, config.bind(Limits, prefix="limits", separator="/"))
        yield


async def published() -> None:
    """Be told of a new generation."""


def state(request: Request) -> State:
    """Give what was loaded."""
    loaded: State = request.app.state.loaded
    return loaded


app = FastAPI(lifespan=lifespan)


@app.get("/limits")
async def limits(given: Annotated[State, Depends(state)]) -> dict[str, int]:
    """Show what is bound, and a value of the same generation."""
    snapshot: ConfigurationSnapshot = given.config.snapshot
    bound = given.limits.of(snapshot)
    try:
        extra: int = snapshot["extra"]
    except MissingKey:
        extra = 0
    return {"low": bound.low, "high": bound.high, "extra": extra}


@app.post("/event")
async def event(body: dict[str, object], given: Annotated[State, Depends(state)]) -> bool:
    """Take an event that was pushed."""
    given.config.notify(body)
    return await given.config.refresh()
