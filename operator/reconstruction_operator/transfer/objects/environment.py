"""Environment of object storage: the variables that hold credentials, endpoints, proxies and trusted certificates.

They are the standard ones of the clouds' own tools. They reach only the processes that transfer objects, never a model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CREDENTIALS: Final = ("AWS_", "AZURE_", "GOOGLE_")
"""Prefixes. A model's process gets none of these variables."""

_NETWORK: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
_ENDPOINTS: Final = (
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ENDPOINT",
    "GOOGLE_SERVICE_ACCOUNT_KEY",  # holds gcs_base_url for an emulator
)


def chosen(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a process which transfers objects needs."""
    return {name: value for name, value in environ.items() if name.startswith(CREDENTIALS) or name.upper() in _NETWORK}


def allows_http(environ: Mapping[str, str]) -> bool:
    """Whether the settings name an endpoint without TLS: as its administrator wrote it."""
    return any("http://" in environ.get(name, "") for name in _ENDPOINTS)
