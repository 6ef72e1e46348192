"""Reading the files of overrides: at load each must be usable, later the last good layer stays.

A file that has changed is read; one that is missing or cannot be used leaves its last good layer in
force, and `trouble` says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from appconfig_provider._plan import FileIdentity, ReadFile, Steps, perform, plan
from appconfig_provider.overrides.declared import Overrides
from appconfig_provider.overrides.files import File
from appconfig_provider.overrides.layers import Layer, same_layer
from appconfig_provider.overrides.values import BadOverride
from appconfig_provider.texts import printable
from appconfig_provider.trouble import type_of

MAX_FILE = 16 * 2**20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is known of one `Overrides`: its last good layer, and how its file is now."""

    layer: Layer
    identity: FileIdentity | None = None
    """Of the file as it was read last; None when it has to be read again."""
    digest: int | None = field(default=None, repr=False)
    """A hash of its content; a file that was only touched, or cannot be told from a newer one by
    its identity, is not parsed again."""
    trouble: str = ""
    """Why the newest content cannot be used; empty when it can."""

    def tells_more(self, before: Reading) -> bool:
        """Tell whether the file has a trouble that was not there before."""
        news = (self.trouble, self.digest) != (before.trouble, before.digest)
        return bool(self.trouble) and news


Readings = tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a file that was read, if it is another than the known one."""

    data: bytes | None = field(repr=False)
    """None when it is the known one."""
    identity: FileIdentity | None
    digest: int | None = field(repr=False)


@plan
def read_if_changed(path: str, identity: FileIdentity | None, digest: int | None) -> Steps[Content]:
    """Read a file unless it is as it is known, by its identity or by a hash of its content.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    content = yield from perform(ReadFile(path, identity, MAX_FILE))
    if content is None:
        return Content(None, identity, digest)
    found = hash(content.data)
    return Content(None if found == digest else content.data, content.identity, found)


def why_unread(error: Exception) -> str:
    """Return why a file cannot be read, without its name."""
    why = error.strerror if isinstance(error, OSError) else None
    return printable(why or type_of(error))


@plan
def read_first(given: Iterable[Overrides]) -> Steps[Readings]:
    """Read all overrides, as `load()` does.

    Raises:
        BadOverride: a file is missing or broken.
    """
    readings: Readings = ()
    for one in given:
        readings += ((yield from _read_first(one)),)
    return readings


@plan
def read_again(given: Iterable[Overrides], before: Readings) -> Steps[Readings]:
    """Read the files that have changed; the rest stays, as the same objects."""
    readings: Readings = ()
    for one, known in zip(given, before, strict=True):
        readings += ((yield from _read_again(one, known)),)
    return readings


@plan
def _read_first(one: Overrides) -> Steps[Reading]:
    file = one.source
    if isinstance(file, Layer):
        return Reading(file)
    if not isinstance(file, File):
        return Reading(file.layer(one.behaviour))
    try:
        content = yield from read_if_changed(file.path, None, None)
    except (OSError, ValueError) as error:
        raise BadOverride(_unread(file, error)) from None
    if content.data is None:
        raise AssertionError("a file is unchanged only if something is known of it")
    layer = file.layer(content.data, one.behaviour)
    return Reading(layer, content.identity, content.digest)


@plan
def _read_again(one: Overrides, before: Reading) -> Steps[Reading]:
    file = one.source
    if not isinstance(file, File):
        return before
    try:
        content = yield from read_if_changed(file.path, before.identity, before.digest)
    except (OSError, ValueError) as error:
        return replace(before, identity=None, digest=None, trouble=_unread(file, error))
    identity, digest = content.identity, content.digest
    if content.data is None:
        return before if identity == before.identity else replace(before, identity=identity)
    try:
        layer = file.layer(content.data, one.behaviour)
    except BadOverride as error:
        return replace(before, identity=identity, digest=digest, trouble=str(error))
    layer = before.layer if same_layer(layer, before.layer) else layer
    return Reading(layer, identity, digest)


def _unread(file: File, error: Exception) -> str:
    return f"{file.where} cannot be read: {why_unread(error)}"
