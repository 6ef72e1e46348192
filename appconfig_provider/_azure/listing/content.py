"""The records of a load: content, what was known before it, what came of it.

They are apart from `load`, so that a start with a copy of an earlier run need not import what sends
requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from appconfig_provider._azure.rest.responses import Sentinel
from appconfig_provider._azure.settings.layering import Pages
from appconfig_provider.trouble import EngineError

Selections: TypeAlias = tuple[Pages, ...]
"""The pages of each selector."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a generation is made of, as it was read from one endpoint."""

    settings: Selections = field(default=(), repr=False)
    references: Mapping[str, Pages] = field(default_factory=dict, repr=False)
    """The pages of each snapshot that settings refer to."""
    flags: Selections | None = field(default=None, repr=False)
    """None when feature flags are not loaded; an empty listing is not None."""
    consistent: bool = True


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one load read."""

    content: Content
    sentinels: tuple[Sentinel, ...]
    refused: EngineError | None = None
    """Why the content cannot be used: it refers to a snapshot that is missing, for example."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known before everything is loaded: the content of an earlier run, or nothing."""

    content: Content = field(default_factory=Content)
    sentinels: tuple[Sentinel, ...] = ()
    """One per watched key; empty when none is known."""
    trusted: bool = False
    """True when the content counts as unchanged while its sentinels are."""
