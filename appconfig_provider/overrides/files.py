"""Overrides from the text of a file: JSON with comments, or TOML.

An error tells the line and the column, and never quotes the text: it may hold a password.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from appconfig_provider.checks import path_shown
from appconfig_provider.decoding import MAX_DEPTH, Undecodable, decode_with_comments, text_of
from appconfig_provider.overrides.layers import Layer, OverrideBehaviour, layer_of
from appconfig_provider.overrides.values import BadOverride

_PLACE = re.compile(r"line \d+,? column \d+|at end of document")
"""Where an error is, in the words of the decoders of JSON and of TOML."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of overrides."""

    path: str
    separator: str | None = None
    """What joins the names of nested objects to keys; None when objects are values."""

    @property
    def where(self) -> str:
        """The name of the file for an error."""
        return f"the override file {path_shown(self.path)}"

    def layer(self, data: bytes, behaviour: OverrideBehaviour) -> Layer:
        """Return the layer of the file's content.

        Raises:
            BadOverride: it cannot be used.
        """
        is_toml = self.path.lower().endswith(".toml")
        kind, decode = ("TOML", _toml) if is_toml else ("JSON", decode_with_comments)
        try:
            values: object = decode(text_of(data))
        except UnicodeError:
            wrong = " (bytes that are no text)"
        except RecursionError:
            wrong = " (nested too deeply)"
        except ValueError as error:  # what the decoders raise is one
            wrong = _wrong(error)
        else:
            return layer_of(values, behaviour, self.where, self.separator)
        # Raised here, so that the decoder's error, which may hold the text, is not its context.
        raise BadOverride(f"{self.where} is no {kind}{wrong}")


def _wrong(error: ValueError) -> str:
    place = _PLACE.search(str(error))
    # Our own decoder says in its own words what is wrong; those of TOML may quote the text.
    why = str(error).partition(":")[0] if isinstance(error, Undecodable) else ""
    parts = [part for part in (why, place[0] if place else "") if part]
    return f" ({', '.join(parts)})" if parts else ""


def _toml(text: str) -> object:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pyright: ignore[reportMissingImports]

    if _DEEP_KEY.search(_NO_KEY.sub("x", text)):
        raise Undecodable(f"nested deeper than {MAX_DEPTH} levels")
    decoded: object = tomllib.loads(text)
    return decoded


_NO_KEY = re.compile(
    r'"""(?:[^\\]|\\.)*?(?:"""|\Z)'
    r"|'''.*?(?:'''|\Z)"
    r'|"(?:[^"\\\n]|\\.)*"?'
    r"|'[^'\n]*'?"
    r"|#[^\n]*",
    re.DOTALL,
)
"""Texts and comments of TOML. A text may be a part of a key, and a dot in it joins nothing."""
_DEEP_KEY = re.compile(rf"(?:\.[ \t]*[A-Za-z0-9_-]+[ \t]*){{{MAX_DEPTH}}}")
"""More names joined by dots than there may be. The time in which `tomllib` reads them grows with
the square of their number: a file of 100 KB would take a minute."""
