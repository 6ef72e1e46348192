"""A file that says what the local ConfigCat CDN serves, read again whenever it changes.

It holds one config, in any form of ``configcat_forms``, which every SDK key gets; or configs by SDK
key, ``{"sdk_keys": {"KEY": {...}, "*": {...}}}``, where ``*`` stands for all others and without it
the others get 404. Comments and commas before a closing bracket are allowed in it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from appconfig_provider.emulator.configcat_configs import Configs
from appconfig_provider.emulator.configcat_forms import Config, InvalidConfig, read_config
from appconfig_provider.emulator.json_texts import read_json

MAX_BYTES: Final = 64 * 2**20
"""Of a file. A config with a thousand settings has about one megabyte."""
_BY_KEY: Final = "sdk_keys"
_ALL_OTHERS: Final = "*"
_COMMENT: Final = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*"?)|//[^\r\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_COMMA: Final = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*"?)|,(?=\s*[}\]])', re.DOTALL)
_log = logging.getLogger("appconfig_provider.emulator")


class ConfigFile:
    """A file whose configs are served, from the time when this is made.

    ``say`` gets a line for each time that it was read again. A file that cannot be used changes
    nothing, and is told of once, as a warning.

    Raises:
        InvalidConfig: the file cannot be used; the message names it.
    """

    def __init__(self, path: str | os.PathLike[str], say: Callable[[str], object]) -> None:
        self.configs = Configs()
        self._path = Path(path)
        self._say = say
        # Before it is read: what is written meanwhile is then read by the next check.
        self._seen = self._read = _signature(self._path)
        self.configs.replace(read_configs(self._path))

    def check(self) -> None:
        """Read the file again if it has changed; to be called at intervals, by one thread.

        It is read when two calls have found it the same, because many programs write a file bit by
        bit.
        """
        before, self._seen = self._seen, _signature(self._path)
        if self._seen == self._read or self._seen != before:
            return
        self._read = self._seen
        try:
            self.configs.replace(read_configs(self._path))
        except InvalidConfig as error:
            _log.warning("warning: %s; what was served before is still served", error)
        else:
            self._say(f"Serving {self._path} as it is now.")


def read_configs(path: str | os.PathLike[str]) -> dict[str | None, Config]:
    """The configs in a file by SDK key; ``None`` stands for all other keys.

    Raises:
        InvalidConfig: the file is missing, is not JSON, or holds something that is no config.
    """
    try:
        with Path(path).open("rb") as file:
            read = file.read(MAX_BYTES + 1)
        if len(read) > MAX_BYTES:
            raise InvalidConfig(f"larger than {MAX_BYTES // 2**20} MB")
        return _configs(_decoded(read.decode("utf-8-sig")))
    except OSError as error:
        raise InvalidConfig(f"{os.fspath(path)}: {error.strerror}") from None
    except ValueError as error:
        raise InvalidConfig(f"{os.fspath(path)}: {error}") from None


def _configs(content: Any) -> dict[str | None, Config]:
    if not isinstance(content, Mapping) or _BY_KEY not in content:
        return {None: read_config(content)}
    by_key = content[_BY_KEY]
    if not isinstance(by_key, Mapping) or len(content) > 1:
        raise InvalidConfig(f"{_BY_KEY!r} is an object of configs, and stands alone")
    served: dict[str | None, Config] = {}
    for sdk_key, config in by_key.items():
        try:
            served[None if sdk_key == _ALL_OTHERS else sdk_key] = read_config(config)
        except InvalidConfig as error:  # an SDK key is a secret, so its number has to do
            raise InvalidConfig(f"SDK key number {len(served) + 1}: {error}") from None
    return served


def _decoded(text: str) -> Any:
    try:
        return read_json(text)
    except ValueError:
        plain = _COMMA.sub(_text_alone, _COMMENT.sub(_text_alone, text))
        if plain == text:
            raise
    return read_json(plain)


def _text_alone(found: re.Match[str]) -> str:
    """A text in quotation marks as it is; a line break stays, so that errors name its line."""
    return found[1] or re.sub(r"[^\r\n]", " ", found[0])


def _signature(path: Path) -> tuple[int, int, int] | None:
    """What changes when a file is written or replaced; None without a file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
