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

Wrong arguments are plain `ValueError` and `TypeError`.
"""

from __future__ import annotations

from collections.abc import Sequence

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)

__all__ = [
    "AzureError",
    "ClientAuthenticationError",
    "HttpResponseError",
    "KeyVaultReferenceError",
    "ResourceNotFoundError",
    "ServiceRequestError",
    "ServiceResponseError",
    "SnapshotNotFoundError",
    "StartupTimeout",
]


class StartupTimeout(AzureError, TimeoutError):
    """`load()` used up its budget; `causes` holds the last error of each endpoint."""

    def __init__(self, message: str, causes: Sequence[Exception] = ()) -> None:
        super().__init__(message)
        self.causes = tuple(causes)


class KeyVaultReferenceError(AzureError, ValueError):
    """A setting points to a secret that cannot be read; carries `key`, `label` and `secret_id`."""

    def __init__(
        self, message: str, *, key: str, label: str | None, secret_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.key = key
        self.label = label
        self.secret_id = secret_id


class SnapshotNotFoundError(AzureError, ValueError):
    """A selector or a snapshot reference names a snapshot that is not there; see `name`."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name
