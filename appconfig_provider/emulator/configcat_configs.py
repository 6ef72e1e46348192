"""Which config a ConfigCat SDK key gets, and what is sent of it.

There is one config for all keys, empty at first, and there are others for keys of their own. A real
config names the address of ConfigCat's CDN, where an SDK would go on from here; so that is left
out, and stands there only where a test asks for a redirect.
"""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from appconfig_provider.emulator.configcat_forms import EMPTY, V5, V6, Config
from appconfig_provider.emulator.wire import to_json

RedirectMode: TypeAlias = Literal[0, 1, 2]
_MODES: Final = (0, 1, 2)
#: SDK keys that only SDKs know which read v6.
_NEW_KEYS: Final = "configcat-sdk-1/"


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent; ``tag`` is the ETag without its quotation marks."""

    body: bytes
    tag: str

    def zipped(self) -> bytes:
        """The body in gzip, always in the same bytes."""
        return _zipped(self.body)


class Configs:
    """The configs of one server, in memory; ``None`` stands for all SDK keys without one.

    Every method may be called from any thread, and every change is seen whole.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: Mapping[str | None, Config] = {None: EMPTY}
        self._preferences: dict[str, Any] = {}
        self._made: dict[tuple[str | None, str], File | None] = {}

    def replace(self, served: Mapping[str | None, Config]) -> None:
        """Serve these and nothing else; without one for ``None`` other SDK keys are unknown."""
        with self._lock:
            self._served = dict(served)
            self._made = {}

    def put(self, sdk_key: str | None, config: Config) -> None:
        """Serve a config to an SDK key."""
        self.change(sdk_key, lambda _: config)

    def change(self, sdk_key: str | None, change: Callable[[Config], Config]) -> None:
        """Change the config of an SDK key; one without its own begins with an empty one."""
        with self._lock:
            changed = change(self._served.get(sdk_key, EMPTY))
            self._served = {**self._served, sdk_key: changed}
            self._made = {}

    def redirect(self, url: str | None, mode: RedirectMode) -> None:
        """Tell SDKs, in every file, to ask another address; None ends it.

        Raises:
            ValueError: there is no such mode.
        """
        if mode not in _MODES:
            raise ValueError(f"a redirect has the mode 0, 1 or 2, not {mode!r}")
        with self._lock:
            self._preferences = {} if url is None else {"u": url, "r": mode}
            self._made = {}

    def file(self, sdk_key: str, name: str) -> File | None:
        """A file of the config that an SDK key gets; None when there is none for it."""
        with self._lock:
            owner = sdk_key if sdk_key in self._served else None
            config = self._served.get(owner)
            if config is None:
                return None
            if name == V5 and config.v6 is not None and sdk_key.startswith(_NEW_KEYS):
                return None
            if (owner, name) not in self._made:
                content = {V5: config.v5, V6: config.v6}.get(name)
                self._made[owner, name] = None if content is None else self._make(content)
            return self._made[owner, name]

    def _make(self, content: Mapping[str, Any]) -> File:
        given = content.get("p")
        others = given.items() if isinstance(given, Mapping) else ()
        kept = {name: value for name, value in others if name not in ("u", "r")}
        preferences = {**self._preferences, **kept}
        rest = {name: value for name, value in content.items() if name != "p"}
        sent = {"p": preferences, **rest} if preferences else rest
        # Half a character, which JSON can hold by its escape, is no UTF-8.
        body = to_json(sent).encode(errors="backslashreplace")
        return File(body, hashlib.sha256(body).hexdigest()[:32])


@lru_cache(maxsize=64)
def _zipped(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)
