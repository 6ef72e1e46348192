"""The targets of all requests that read, and the requests that write.

Query names are lower case and sorted, values percent-encoded: content delivery networks in front
of a store match queries letter by letter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from operator import itemgetter
from urllib.parse import quote

from appconfig_provider._azure.vaults import SecretIdentifier
from appconfig_provider._plan import Request
from appconfig_provider.models import WatchKey
from appconfig_provider.selectors import NO_LABEL, SettingSelector

API_VERSION = "2024-09-01"
"""The newest version that both the service and Microsoft's own emulator accept."""

VAULT_API_VERSION = "7.4"


def list_target(selector: SettingSelector, key_prefix: str = "") -> str:
    """Return the target of a selector's first page; `key_prefix` is put before its key filter."""
    tags = [("tags", tag) for tag in selector.tag_filters or ()]
    key = key_prefix + (selector.key_filter or "")
    return _target("/kv", ("key", key), ("label", selector.label_filter or NO_LABEL), *tags)


def snapshot_target(name: str) -> str:
    """Return the target that describes a snapshot."""
    return _target("/snapshots/" + quote(name, safe=""))


def snapshot_list_target(name: str) -> str:
    """Return the target of a snapshot's first page."""
    return _target("/kv", ("snapshot", name))


def secret_target(secret: SecretIdentifier) -> str:
    """Return the target of a secret in its vault."""
    version = f"/{secret.version}" if secret.version else ""
    return f"/secrets/{secret.name}{version}?api-version={VAULT_API_VERSION}"


@lru_cache(maxsize=256)
def key_target(watched: WatchKey) -> str:
    """Return the target of a single setting."""
    path = "/kv/" + quote(watched.key, safe="")
    if watched.label == NO_LABEL:
        return _target(path)
    return _target(path, ("label", watched.label))


def clock_target() -> str:
    """Return a target with a small answer; only the `date` header of the answer is used."""
    return _target("/keys", ("name", ".appconfig"))


def put_request(
    origin: str, written: WatchKey, content: Mapping[str, object], etag: str | None
) -> Request:
    """Return the request that writes a setting: in place of the one with this ETag, or a new one.

    `content` holds `value`, `content_type` and `tags`; a field that it lacks is emptied. If the
    setting was written by others meanwhile, the service answers 412, and nothing is overwritten.
    """
    condition = ("if-none-match", "*") if etag is None else ("if-match", f'"{etag}"')
    headers = (("content-type", "application/vnd.microsoft.appconfig.kv+json"), condition)
    return Request("PUT", origin, key_target(written), headers, json.dumps(content).encode())


def delete_request(origin: str, deleted: WatchKey) -> Request:
    """Return the request that deletes a setting."""
    return Request("DELETE", origin, key_target(deleted))


def lock_request(origin: str, setting: WatchKey, *, locked: bool) -> Request:
    """Return the request that locks or unlocks a setting."""
    target = "/locks/" + key_target(setting).removeprefix("/kv/")
    # Web servers may refuse a PUT that does not tell the length of its body.
    return Request("PUT" if locked else "DELETE", origin, target, (("content-length", "0"),))


def _target(path: str, *query: tuple[str, str]) -> str:
    pairs = sorted([("api-version", API_VERSION), *query], key=itemgetter(0))
    return path + "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in pairs)
