"""For whom a ConfigCat setting is evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from operator import attrgetter
from types import MappingProxyType
from typing import Any

from appconfig_provider.texts import kind_of


class User:
    """A user with attributes, which targeting rules and percentage options look at.

    Attributes are texts, numbers, `datetime`s (without a zone: UTC) or lists of texts; what a
    comparator makes of each is told in ConfigCat's documents.
    """

    __slots__ = ("__weakref__", "_attributes", "_custom", "_shown")

    def __init__(
        self,
        identifier: str | None,
        email: str | None = None,
        country: str | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> None:
        """Make a user; `custom` holds further attributes by name, and is copied.

        Raises:
            TypeError: `custom` is no dict.
        """
        if custom is not None and not isinstance(custom, Mapping):
            raise TypeError(f"custom must be a dict of attributes by name, not {kind_of(custom)}")
        self._custom: dict[str, Any] = dict(custom or {})
        predefined = {"Identifier": identifier, "Email": email, "Country": country}
        self._attributes: dict[str, Any] = {**self._custom, **predefined}
        self._shown: str | None = None

    @property
    def attributes(self) -> Mapping[str, Any]:
        """All attributes by name; None for one that was not given."""
        return MappingProxyType(self._attributes)

    def get_identifier(self) -> str:
        """Return the identifier; the empty text if there is none."""
        identifier = self._attributes["Identifier"]
        return "" if identifier is None else identifier

    def get_attribute(self, attribute: object) -> Any:
        """Return an attribute; None if the user has none of that name."""
        return self._attributes.get(str(attribute))

    def __str__(self) -> str:
        """Return the attributes as compact JSON, as logs show a user."""
        if self._shown is not None:
            return self._shown
        own, custom = self._attributes, self._custom
        shown = {"Identifier": None, "Email": own["Email"], "Country": own["Country"], **custom}
        shown["Identifier"] = self.get_identifier()
        text = _in_json({name: value for name, value in shown.items() if value is not None})
        if _UNCHANGING.issuperset(map(type, shown.values())):
            self._shown = text  # a user is logged once for each setting
        return text

    def __repr__(self) -> str:
        """Return no attribute: a user's data belongs into no log by accident."""
        return "<User>"


_UNCHANGING = frozenset({str, int, float, bool, datetime, type(None)})

attributes_of: Callable[[User], dict[str, Any]] = attrgetter("_attributes")
"""Returns all attributes of a user by name, sooner than `attributes`; they must not be changed."""


def _text(value: object) -> str:
    """Return how JSON shows an attribute that it has no form for."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


_in_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_text).encode
