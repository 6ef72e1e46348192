"""One evaluation, step by step: for whom, what it has told so far, and its log."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from appconfig_provider.configcat.evaluation import notices
from appconfig_provider.configcat.evaluation.attributes import TEXT, VERSION, Kind, as_text
from appconfig_provider.configcat.evaluation.comparators import InvalidComparison
from appconfig_provider.configcat.evaluation.compiled import Setting, UserCondition
from appconfig_provider.configcat.evaluation.notices import HIDDEN, Notice, shown
from appconfig_provider.configcat.evaluation.prerequisites import Prerequisites
from appconfig_provider.configcat.user import User
from appconfig_provider.texts import printable

MAX_LOG = 1_000_000
"""Characters of a log; what comes after them is left out."""
MAX_USER = 10_000
"""Characters of a user in a log."""
MAX_DEPTH = 50
"""Settings that need one another in a row."""


class LogText:
    """The text of an evaluation log, line by line, with an indent that follows the steps."""

    __slots__ = ("_begin", "_parts", "add")

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._begin = "\n"
        self.add = self._parts.append
        """Continues the line."""

    def __str__(self) -> str:
        text = "".join(self._parts)
        return text if len(text) <= MAX_LOG else text[:MAX_LOG] + "\n..."

    def line(self, text: str = "") -> None:
        """Begin a line."""
        self.add(self._begin + text)

    def indent(self) -> None:
        """Have the next lines begin further to the right."""
        self._begin += "  "

    def dedent(self) -> None:
        """Have them begin further to the left."""
        self._begin = self._begin[:-2]


class Run:
    """One evaluation, of a setting and of those that it needs."""

    __slots__ = ("find", "log", "log_user", "notices", "path", "prerequisites", "user", "user_told")

    def __init__(
        self,
        user: User | None,
        find: Callable[[str], Setting | None],
        prerequisites: Prerequisites,
        *,
        log_user: bool,
    ) -> None:
        self.user = user
        self.find = find
        """Returns a setting that another one needs; raises InvalidSetting if it cannot be used."""
        self.log_user = log_user
        self.log = LogText()
        self.notices: list[Notice] = []
        self.user_told = False
        """True when it has been told that what was given as a user is none."""
        self.path: list[str] = []
        """The keys of the settings that are being evaluated: each needs the next one."""
        self.prerequisites = prerequisites

    def step(self) -> None:
        """Note that a condition is evaluated."""
        if self.path:
            self.prerequisites.step()

    def tell(self, notice: Notice) -> None:
        """Have something logged."""
        self.notices.append(notice)

    def compare(self, key: str, condition: UserCondition, value: Any) -> tuple[bool, str]:
        """Return whether a condition holds for an attribute, and why that cannot be told, or ''."""
        try:
            converted = condition.kind.convert(value)
        except Exception:  # also what a program's own object raises
            why = f"'{self.shown(value, condition.kind)}' {condition.kind.complaint}"
        else:
            try:
                return condition.test(converted), ""
            except InvalidComparison as error:
                why = str(error)
            except UnicodeEncodeError:
                why = f"'{self.shown(value)}' {TEXT.complaint}"
        name = shown(condition.attribute)
        self.tell(notices.attribute_invalid(key, condition.text, name, why))
        return False, why

    def shown(self, value: object, kind: Kind = TEXT) -> str:
        """Return an attribute as logs may show it."""
        if not self.log_user:
            return HIDDEN
        if kind is not VERSION:
            return shown(value)
        return shown(value).strip()

    def shown_as_text(self, value: object) -> str:
        """Return the text that an attribute was turned into, as logs may show it."""
        try:
            return shown(as_text(value)) if self.log_user else HIDDEN
        except Exception:  # a program's own object
            return shown(value)

    def shown_user(self) -> str:
        """Return the user in one line, as logs may show it."""
        if not self.log_user:
            return HIDDEN
        try:
            return printable(str(self.user), MAX_USER)
        except Exception:  # attributes that cannot be shown
            return shown(type(self.user).__name__)

    def shown_user_indented(self) -> str:
        """Return the user with a line for each attribute, as logs may show it."""
        if not self.log_user:
            return HIDDEN
        try:
            attributes = json.loads(str(self.user))
            text = json.dumps(attributes, ensure_ascii=False, indent=4, separators=(",", " : "))
        except Exception:  # attributes that cannot be shown
            return self.shown_user()
        return "\n".join(printable(line, MAX_USER) for line in text[:MAX_USER].split("\n"))
