"""Events and spans in a real OpenTelemetry SDK, and what happens where there is none."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import warnings
from collections.abc import Mapping
from functools import cache
from typing import Any

import featuremanagement.azuremonitor
import pytest
from opentelemetry import _logs as logs
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import Tracer, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from appconfig_provider.flags import FeatureManager, TargetingContext, User, aio
from appconfig_provider.flags.azuremonitor import (
    TargetingSpanProcessor,
    publish_telemetry,
    track_event,
)
from tests.support.managers import flag, holding

NAMED = {"microsoft.custom_event.name": "FeatureEvaluation"}
TOLD: dict[str, Any] = {
    "variants": [{"name": "A", "configuration_value": 1}, {"name": "B"}],
    "allocation": {
        "percentile": [{"variant": "A", "from": 0, "to": 30}],
        "default_when_enabled": "B",
    },
    "telemetry": {"enabled": True, "metadata": {"ETag": "e", "Enabled": "forged"}},
}
THEIRS: Any = featuremanagement


@cache
def exporter() -> Any:
    """Export what this process sends. It has one provider; another test may have set it."""
    untyped: Any = InMemoryLogRecordExporter
    made = untyped()
    provider = logs.get_logger_provider()
    if not isinstance(provider, LoggerProvider):
        provider = LoggerProvider(shutdown_on_exit=False)
        logs.set_logger_provider(provider)
    provider.add_log_record_processor(SimpleLogRecordProcessor(made))
    return made


@pytest.fixture(autouse=True)
def _empty() -> None:
    exporter().clear()


def records() -> list[ReadableLogRecord]:
    """Return what was exported."""
    return list(exporter().get_finished_logs())


def attributes() -> list[dict[str, Any]]:
    """Return the attributes of what was exported, without those about lines of code."""
    return [
        {key: value for key, value in shown.items() if not key.startswith("code.")}
        for record in records()
        for shown in [dict(record.log_record.attributes or {})]
    ]


def test_an_evaluation_is_a_custom_event() -> None:
    """It has the attribute by which Azure Monitor's exporter knows a custom event."""
    config = holding(flag("x", **TOLD))
    FeatureManager(config, on_feature_evaluated=publish_telemetry).is_enabled("x", "Adam")
    (record,) = records()
    assert record.log_record.body == "FeatureEvaluation"
    assert record.log_record.severity_number == logs.SeverityNumber.INFO
    assert attributes() == [
        {
            **NAMED,
            "FeatureName": "x",
            "Enabled": "True",
            "Version": "1.0.0",
            "VariantAssignmentReason": "DefaultWhenEnabled",
            "VariantAssignmentPercentage": "70",
            "DefaultWhenEnabled": "B",
            "Variant": "B",
            "TargetingId": "Adam",
            "ETag": "e",
        }
    ]


def test_an_evaluation_in_asyncio_is_the_same_event() -> None:
    """The callback is not asynchronous, and the manager for asyncio takes it."""
    config = holding(flag("x", **TOLD))
    manager = aio.FeatureManager(config, on_feature_evaluated=publish_telemetry)
    assert asyncio.run(manager.is_enabled("x", "Adam"))
    assert [shown["TargetingId"] for shown in attributes()] == ["Adam"]


def test_an_event_belongs_to_the_current_span() -> None:
    """So that what a user did is found beside the request."""
    with tracer(TargetingSpanProcessor())[0].start_as_current_span("request") as span:
        track_event("Purchase", "Adam")
    (record,) = records()
    context = span.get_span_context()
    assert record.log_record.trace_id == context.trace_id
    assert record.log_record.span_id == context.span_id


def test_metadata_may_have_any_name() -> None:
    """Parts of a log record of Python are names of metadata like others."""
    metadata = {"name": "n", "message": "m", "args": "a"}
    told = flag("x", telemetry={"enabled": True, "metadata": metadata})
    manager = FeatureManager(holding(told), strict=True, on_feature_evaluated=publish_telemetry)
    manager.is_enabled("x")
    (shown,) = attributes()
    assert metadata.items() <= shown.items()


def test_track_event_leaves_its_arguments_alone() -> None:
    """Its name cannot be forged, None is left out, no user has no attribute."""
    given = {"price": "5", "coupon": None, "microsoft.custom_event.name": "forged"}
    before = dict(given)
    track_event("Purchase", "Adam", given)
    track_event("Visit", "")
    assert given == before
    assert attributes() == [
        {"price": "5", "TargetingId": "Adam", "microsoft.custom_event.name": "Purchase"},
        {"microsoft.custom_event.name": "Visit"},
    ]


@pytest.mark.parametrize("user", ["Adam", "Brian", "Charlie", "Dan", ""])
def test_events_are_those_of_featuremanagement(user: str) -> None:
    """The same flag and user, each package with its own manager, give the same attributes."""
    config = holding(flag("x", **TOLD))
    FeatureManager(config, on_feature_evaluated=publish_telemetry).is_enabled("x", user)
    manager = THEIRS.FeatureManager(
        config, on_feature_evaluated=THEIRS.azuremonitor.publish_telemetry
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # their handler is an old one
        manager.is_enabled("x", THEIRS.TargetingContext(user))
    ours, expected = attributes()
    assert ours == expected


def test_their_events_can_be_published_here() -> None:
    """`publish_telemetry` takes the events of a manager of `featuremanagement`."""
    config = holding(flag("x", **TOLD))
    THEIRS.FeatureManager(config, on_feature_evaluated=publish_telemetry).is_enabled("x")
    assert [shown["FeatureName"] for shown in attributes()] == ["x"]


# The processor of spans ------------------------------------------------------------------------


def tracer(processor: TargetingSpanProcessor) -> tuple[Tracer, InMemorySpanExporter]:
    """Return a tracer with the processor, and what its spans are exported to."""
    provider, exporter = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(processor)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    made = provider.get_tracer("tests")
    assert isinstance(made, Tracer)
    return made, exporter


def spans(accessor: Any, count: int = 1) -> list[Mapping[str, Any]]:
    """Begin and end spans; return their attributes."""
    begin, exporter = tracer(TargetingSpanProcessor(targeting_context_accessor=accessor))
    for number in range(count):
        with begin.start_as_current_span(f"request {number}"):
            pass
    return [dict(span.attributes or {}) for span in exporter.get_finished_spans()]


@pytest.mark.parametrize(
    "context",
    [TargetingContext("Adam"), User("Adam"), THEIRS.TargetingContext("Adam")],
    ids=["ours", "user", "theirs"],
)
def test_a_span_has_the_user(context: object) -> None:
    """Whatever a manager takes for a user, except a text by itself, sets `TargetingId`."""
    assert spans(lambda: context) == [{"TargetingId": "Adam"}]


def test_without_a_user_a_span_has_no_attribute() -> None:
    """Neither without an accessor nor for an empty user."""
    assert spans(None) == spans(TargetingContext) == [{}]


async def _waits() -> TargetingContext:
    return TargetingContext("Adam")


def _is_not_awaited() -> object:
    return _waits()


def _fails() -> TargetingContext:
    raise RuntimeError("hunter2")


@pytest.mark.parametrize(
    ("accessor", "told"),
    [
        (lambda: "Adam", "Received type <class 'str'>"),
        (_waits, "Async targeting_context_accessor is not supported"),
        (_is_not_awaited, "Received type <class 'coroutine'>"),
        (_fails, "_fails failed: RuntimeError"),
    ],
    ids=["text", "async", "awaitable", "error"],
)
def test_a_bad_accessor_breaks_no_span(
    caplog: pytest.LogCaptureFixture, accessor: Any, told: str
) -> None:
    """Spans begin without the attribute; one warning says why, without the error's text."""
    with caplog.at_level(logging.WARNING, "appconfig_provider.flags"):
        assert spans(accessor, 3) == [{}, {}, {}]
    (record,) = caplog.records
    assert told in record.getMessage()
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("accessor", [5, "Adam", TargetingContext("Adam")])
def test_an_accessor_that_cannot_be_called_is_told(
    accessor: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is never asked, and one warning says so; `featuremanagement` raises nothing either."""
    assert spans(accessor, 2) == [{}, {}]
    (record,) = caplog.records
    assert "targeting_context_accessor must be a function, not a" in record.getMessage()


def test_a_span_of_nobody_warns_not(caplog: pytest.LogCaptureFixture) -> None:
    """Outside of a request an accessor knows nobody, and says so by None."""
    assert spans(lambda: None) == [{}]
    assert not caplog.records


@pytest.mark.parametrize("user", [TargetingContext("Adam", ["g"]), User("Adam"), "Adam"])
def test_an_event_takes_a_context_for_its_user(user: object) -> None:
    """The attribute is the user's id, whatever object the program has for the user."""
    track_event("Purchase", user)
    assert [one["TargetingId"] for one in attributes()] == ["Adam"]


def test_what_sends_events_may_fail(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A processor that raises breaks no request, whoever sends; its text is not logged."""

    def fail(*_given: object) -> None:
        raise OSError("hunter2")

    monkeypatch.setattr(logs, "get_logger", fail)
    for _ in range(2):
        track_event("Purchase", "Adam")
    assert len(caplog.records) == 1
    manager = FeatureManager(holding(flag("x", **TOLD)), on_feature_evaluated=publish_telemetry)
    assert manager.is_enabled("x")
    assert len(caplog.records) == 2
    assert "hunter2" not in caplog.text
    assert "OSError" in caplog.text


WITHOUT = """
import logging, sys
sys.modules["opentelemetry"] = None
logging.basicConfig(format="%(name)s %(message)s")
from appconfig_provider.flags import FeatureManager, TargetingContext
from appconfig_provider.flags.azuremonitor import *
flag = {"id": "x", "enabled": True, "telemetry": {"enabled": True}}
config = {"feature_management": {"feature_flags": [flag]}}
manager = FeatureManager(config, strict=True, on_feature_evaluated=publish_telemetry)
accessor = lambda: TargetingContext("Adam")
TargetingSpanProcessor(targeting_context_accessor=accessor).on_start(None)
track_event("Purchase", "Adam")
print(manager.is_enabled("x"), manager.is_enabled("x"))
"""


def test_without_opentelemetry_one_warning_says_so() -> None:
    """Nothing is sent, nothing fails, and the message names the extra."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["True", "True"]
    assert done.stderr.count("\n") == 1
    assert 'pip install "appconfig-provider[otel]"' in done.stderr
