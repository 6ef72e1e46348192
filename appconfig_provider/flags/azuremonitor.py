"""Evaluations as custom events of Azure Monitor, and the user of a request on its spans.

Events are log records of OpenTelemetry with the attribute that Azure Monitor's exporter takes the
name of a custom event from; any other exporter gets them, too. They go to the logger provider that
is set when an event is sent. Without OpenTelemetry (the extra `otel`) this module can be imported
all the same: events go nowhere, and one warning says so.
"""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from appconfig_provider.checks import is_coroutine_function
from appconfig_provider.flags.context import targeting_context
from appconfig_provider.flags.telemetry import EVENT_NAME, EvaluationEvent, event_properties
from appconfig_provider.texts import kind_of, printable
from appconfig_provider.trouble import describe, name_of, type_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span, SpanProcessor
else:
    try:
        from opentelemetry.sdk.trace import SpanProcessor
    except ImportError:  # `_installed` says so when something is to be sent
        SpanProcessor = object

__all__ = ["TargetingSpanProcessor", "publish_telemetry", "track_event"]

TARGETING_ID = "TargetingId"
CUSTOM_EVENT_NAME = "microsoft.custom_event.name"
"""The attribute from which Azure Monitor's exporter takes the name of a custom event."""

logger = logging.getLogger("appconfig_provider.flags.azuremonitor")


class _EventLogger:
    """Sends events as log records of OpenTelemetry.

    It is no logger of `logging`, where metadata that is named like a part of a record (`name`,
    `message`) is an error.
    """

    def info(self, name: str, *, extra: Mapping[str, str]) -> None:
        """Send an event with its attributes, as part of the current span."""
        from opentelemetry import _logs as logs

        now = time.time_ns()
        record = logs.LogRecord(
            timestamp=now,
            observed_timestamp=now,
            severity_text="INFO",
            severity_number=logs.SeverityNumber.INFO,
            body=name,
            attributes=extra,
        )
        logs.get_logger(logger.name).emit(record)


_event_logger = _EventLogger()


@cache
def _installed() -> bool:
    """Tell whether OpenTelemetry is here; that it is not is logged, the first time."""
    if SpanProcessor is not object:
        return True
    logger.warning(
        "OpenTelemetry is not installed, so that no event of a feature flag is sent; "
        'pip install "appconfig-provider[otel]"'
    )
    return False


def track_event(
    event_name: str, user: object, event_properties: Mapping[str, str | None] | None = None
) -> None:
    """Send an event of a user, such as a purchase, so that it can be counted by variant.

    `user` is a user id, or a context as evaluations take it. An error of what sends events is
    logged, once for each type, and breaks no request.
    """
    try:
        context = None if user is None else targeting_context(user)
        _send(event_name, context.user_id if context else "", event_properties)
    except Exception as error:
        _warn_once(_reported, f"an event could not be sent: {describe(error)}", type_of(error))


def _send(
    event_name: str, user: str, event_properties: Mapping[str, str | None] | None = None
) -> None:
    if not _installed():
        return
    given = (event_properties or {}).items()
    attributes = {key: value for key, value in given if value is not None}
    if user:
        attributes[TARGETING_ID] = user
    _event_logger.info(event_name, extra={**attributes, CUSTOM_EVENT_NAME: event_name})


def publish_telemetry(evaluation_event: EvaluationEvent) -> None:
    """Send an evaluation as an event: a callback for `on_feature_evaluated`."""
    properties = event_properties(evaluation_event)
    if properties:
        _send(EVENT_NAME, evaluation_event.user, properties)


class TargetingSpanProcessor(SpanProcessor):
    """Sets the attribute `TargetingId` of each span to the user who it is for.

    Add it to the tracer provider. `targeting_context_accessor` is called when a span begins, and
    returns a `TargetingContext` or a `User`, or None for nobody. An error of it is logged and
    breaks no request, and one that cannot be called is told by a warning.
    """

    def __init__(self, *, targeting_context_accessor: Callable[[], object] | None = None) -> None:
        self._accessor = targeting_context_accessor
        self._reported: dict[str, object] = {}
        if targeting_context_accessor is not None and not callable(targeting_context_accessor):
            # No TypeError: programs for `featuremanagement` may pass one, and its tests do.
            given = kind_of(targeting_context_accessor)
            self._warn_once(
                f"targeting_context_accessor must be a function, not {given}; no span has a user"
            )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set the attribute of a span that begins."""
        del parent_context
        if callable(self._accessor) and _installed():
            user = self._user(self._accessor)
            if user:
                span.set_attribute(TARGETING_ID, user)

    def _user(self, accessor: Callable[[], object]) -> str:
        """Return the user's id; what keeps it from being known is logged, and gives no user."""
        if is_coroutine_function(accessor):
            self._warn_once("Async targeting_context_accessor is not supported.")
            return ""
        try:
            given: Any = accessor()
            context = None if isinstance(given, str) else targeting_context(given)
        except Exception as error:  # a span must begin, whatever the program's function does
            self._warn_once(
                f"targeting_context_accessor {name_of(accessor)} failed: {describe(error)}"
            )
            return ""
        if given is None:
            return ""
        if context is None:
            if inspect.isawaitable(given):
                with suppress(Exception):
                    given.close()  # type: ignore[attr-defined]  # what has none is left alone
            self._warn_once(
                "targeting_context_accessor did not return a TargetingContext. "
                f"Received type {type(given)}."
            )
            return ""
        if not context.user_id:
            logger.debug("TargetingContext does not have a user ID.")
        return context.user_id

    def _warn_once(self, message: str) -> None:
        _warn_once(self._reported, message, message)


_reported: dict[str, object] = {}
"""What `track_event` has logged, for the whole process."""


def _warn_once(reported: dict[str, object], message: str, about: str) -> None:
    token = object()
    # One operation of the dict: of several threads one is the first.
    if reported.setdefault(about, token) is token:
        logger.warning("%s", printable(message))
