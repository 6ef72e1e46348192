"""What can go wrong, as one tree under azure-core's, so that `except AzureError` keeps working.

AzureError
├─ HttpResponseError              the store answered, with an error status
│  ├─ ClientAuthenticationError     401
│  └─ ResourceNotFoundError         404
├─ ServiceRequestError            the store could not be reached
├─ ServiceResponseError           it was reached, and the answer did not come
├─ SnapshotNotFoundError          a named snapshot is not there                (also ValueError)
├─ StartupTimeout                 nothing answered within `startup_timeout`  (also TimeoutError)
└─ KeyVaultReferenceError         a reference that cannot be resolved        (also ValueError)

BindingError is a ValueError: settings do not fit a model. MissingKey is a KeyError: what
`config[key]` raises. Both come from `value_errors`.

Wrong arguments are plain `ValueError` and `TypeError`. All errors can be copied and pickled, so
that a worker of a process pool can raise them; chained errors are not pickled, as always in Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

from appconfig_provider.value_errors import BindingError, MissingKey

__all__ = [
    "AzureError",
    "BindingError",
    "ClientAuthenticationError",
    "HttpResponseError",
    "KeyVaultReferenceError",
    "MissingKey",
    "ResourceNotFoundError",
    "ServiceRequestError",
    "ServiceResponseError",
    "SnapshotNotFoundError",
    "StartupTimeout",
]


class _Portable(AzureError):
    """An error that can be copied and pickled, also with arguments given by name."""

    _NAMES: tuple[str, ...] = ()
    """The arguments of the constructor that are given by name, and the attributes they become."""

    def __reduce__(self) -> tuple[Any, ...]:
        named = {name: getattr(self, name) for name in self._NAMES}
        # azure-core keeps the error that was being handled in attributes `exc_...`. It has a
        # traceback, which cannot be pickled.
        attributes = {
            name: value for name, value in vars(self).items() if not name.startswith("exc_")
        }
        return partial(type(self), **named), self.args, attributes


class StartupTimeout(_Portable, TimeoutError):
    """`load()` used up its budget; `causes` holds the last error of each endpoint."""

    def __init__(self, message: str, causes: Sequence[Exception] = ()) -> None:
        super().__init__(message)
        self.causes = tuple(causes)


class KeyVaultReferenceError(_Portable, ValueError):
    """A setting points to a secret that cannot be read; carries `key`, `label` and `secret_id`."""

    _NAMES = ("key", "label", "secret_id")

    def __init__(
        self, message: str, *, key: str, label: str | None, secret_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.key = key
        self.label = label
        self.secret_id = secret_id


class SnapshotNotFoundError(_Portable, ValueError):
    """A selector or a snapshot reference names a snapshot that is not there; see `name`."""

    _NAMES = ("name",)

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name
