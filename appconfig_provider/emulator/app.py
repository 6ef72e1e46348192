"""The web application: which handler answers which path and method."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import BaseRoute

from appconfig_provider.emulator.access import Access
from appconfig_provider.emulator.gate import Gate, Handler
from appconfig_provider.emulator.listings_api import (
    list_keys,
    list_labels,
    list_revisions,
    list_settings,
)
from appconfig_provider.emulator.settings_api import (
    delete_setting,
    lock_setting,
    read_setting,
    write_setting,
)
from appconfig_provider.emulator.snapshots_api import (
    change_snapshot,
    create_snapshot,
    list_snapshots,
    read_operation,
    read_snapshot,
)
from appconfig_provider.emulator.steps import Steps
from appconfig_provider.emulator.store import Store
from appconfig_provider.emulator.versions import SNAPSHOTS
from appconfig_provider.emulator.wire import Answer, Call

_Listing: TypeAlias = Callable[[Store, Call, int], Answer | Steps[Answer]]
_LISTS: Mapping[str, _Listing] = {
    "/kv": list_settings,
    "/keys": list_keys,
    "/labels": list_labels,
    "/revisions": list_revisions,
    "/snapshots": list_snapshots,
}
_ITEMS: dict[str, dict[str, Handler]] = {
    "/kv/": {"GET": read_setting, "PUT": write_setting, "DELETE": delete_setting},
    "/locks/": {"PUT": lock_setting, "DELETE": lock_setting},
    "/snapshots/": {"GET": read_snapshot, "PUT": create_snapshot, "PATCH": change_snapshot},
}


class _KeyConvertor(Convertor[str]):
    """The rest of a path, whatever it is made of."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("appconfig_key", _KeyConvertor())


def create_app(
    store: Store,
    access: Access | None = None,
    *,
    page_size: int = 100,
    now: Callable[[], float] = time.time,
    beside: Sequence[BaseRoute] = (),
) -> Starlette:
    """The emulator as an ASGI application over a store.

    ``access`` tells who is let in; without it that is the holder of the default access key. Its
    hosts and origins are for :class:`Server` to check, as is what web pages send.
    ``now`` gives seconds since 1970; requests dated more than 15 minutes off are refused. Its
    ``state.common_headers`` gives the headers that every answer to a request has. The routes
    ``beside`` are for paths that a store does not have; nobody needs its credentials for them.

    Raises:
        ValueError: the page size is not positive.
    """
    if page_size < 1:
        raise ValueError("a page has at least one item")
    gate = Gate(store, access or Access(), now)
    routes = [
        gate.route(f"{prefix}{{key:appconfig_key}}", handlers, prefix, _since(prefix))
        for prefix, handlers in _ITEMS.items()
    ]
    for path, handler in _LISTS.items():
        listed = {"GET": _paged(handler, page_size)}
        routes.append(gate.route(path, listed, since=_since(path)))
    routes.append(gate.route("/operations", {"GET": read_operation}, since=SNAPSHOTS))
    app = Starlette(routes=[*routes, *beside], exception_handlers=gate.exception_handlers)
    app.router.redirect_slashes = False
    app.state.common_headers = gate.common_headers
    return app


def _since(path: str) -> str:
    """The first API version that has a path."""
    return SNAPSHOTS if path.startswith("/snapshots") else ""


def _paged(listing: _Listing, page_size: int) -> Handler:
    """The handler that answers with pages of so many items."""
    return lambda store, call: listing(store, call, page_size)
