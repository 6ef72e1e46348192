"""ConfigCat's own SDK, asked offline: values, details and everything that it logs."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import configcatclient as official
import configcatclient.user
from configcatclient.interfaces import ConfigCache

client_library: Any = official  # it has no annotations
OfficialUser: Any = configcatclient.user.User

_numbers = itertools.count()


class Answer(NamedTuple):
    """What one evaluation came to."""

    value: object
    variation_id: str | None
    rule: object
    option: object
    failed: bool
    notices: list[tuple[int, str]]
    """Event ids and texts of what was logged, without the evaluation log."""
    log: str
    """The text of the evaluation log."""


class _Fixed(ConfigCache):
    def __init__(self, text: str) -> None:
        self._text = text

    def get(self, key: str) -> str:
        return self._text

    def set(self, key: str, value: str) -> None:
        """Keep nothing."""


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


class Peer:
    """A client of ConfigCat's SDK with a fixed config."""

    def __init__(self, client: Any, handler: _Records) -> None:
        self._client = client
        self._handler = handler

    def ask(self, key: str, user: Any, default: object = None) -> Answer:
        """Evaluate a setting."""
        self._handler.records.clear()
        details = self._client.get_value_details(key, default, user)
        told = [(record.event_id, record.getMessage()) for record in self._handler.records]  # type: ignore[attr-defined]
        return Answer(
            details.value,
            details.variation_id,
            details.matched_targeting_rule,
            details.matched_percentage_option,
            details.is_default_value,
            [(number, text.partition("] ")[2]) for number, text in told if number != 5000],
            "".join(text.partition("] ")[2] for number, text in told if number == 5000),
        )


@contextlib.contextmanager
def peer(config: Any) -> Iterator[Peer]:
    """Give a client of ConfigCat's SDK that sends nothing."""
    logger, handler = logging.getLogger("configcat"), _Records()
    before, propagated = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    options = client_library.ConfigCatOptions(
        polling_mode=client_library.PollingMode.manual_poll(),
        offline=True,
        config_cache=_Fixed(f"1\nx\n{json.dumps(config)}"),
    )
    client = client_library.get(f"configcat-sdk-1/{next(_numbers):022}/{0:022}", options)
    try:
        yield Peer(client, handler)
    finally:
        client.close()
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = propagated
