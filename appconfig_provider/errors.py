"""What can go wrong, as one tree under azure-core's, so that `except AzureError` keeps working.

AzureError
├─ HttpResponseError              the store answered, with an error status
│  ├─ ClientAuthenticationError     401
│  └─ ResourceNotFoundError         404
├─ ServiceRequestError            the store could not be reached
├─ ServiceResponseError           it was reached, and the answer did not come
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
    "StartupTimeout",
]


class StartupTimeout(AzureError, TimeoutError):
    """`load()` used up its budget; `causes` holds the last error of each endpoint."""

    def __init__(self, message: str, causes: Sequence[Exception] = ()) -> None:
        super().__init__(message)
        self.causes = tuple(causes)


class KeyVaultReferenceError(AzureError, ValueError):
    """A setting points to a secret that cannot be read; carries `key` and `label`."""

    def __init__(self, message: str, *, key: str, label: str | None) -> None:
        super().__init__(message)
        self.key = key
        self.label = label
