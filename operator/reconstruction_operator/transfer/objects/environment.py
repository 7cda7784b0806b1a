"""Storage environment: the variables with credentials, endpoints, proxies and trusted certificates.

They are those that the clouds' own tools use. Only processes that transfer objects get them, never a model's process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_CREDENTIALS: Final = ("AWS_", "AZURE_", "GOOGLE_")  # prefixes

_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_NETWORK: Final = (*_PROXIES, "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
# Addresses at which clouds serve credentials.
_IDENTITY: Final = ("169.254.0.0/16", "fd00:ec2::/32", "metadata.google.internal")
_ENDPOINT: Final = re.compile(r"AWS_ENDPOINT|AZURE_(STORAGE_)?ENDPOINT$|GOOGLE_SERVICE_ACCOUNT_KEY$")


def chosen(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a process that transfers objects. Requests for the pod's identity bypass the proxy."""
    variables = {
        name: value for name, value in environ.items() if name.startswith(_CREDENTIALS) or name.upper() in _NETWORK
    }
    if any(name.upper() in _PROXIES for name in variables):
        variables["NO_PROXY"] = ",".join(
            filter(None, (variables.get("NO_PROXY") or variables.get("no_proxy"), *_IDENTITY))
        )
    return variables


def is_secret(name: str, value: str) -> bool:
    """Return whether a model's process must not get the variable: a credential of object storage, or a proxy with a
    password.
    """
    return name.startswith(_CREDENTIALS) or (name.upper() in _NETWORK and "@" in value)


def allows_http(environ: Mapping[str, str]) -> bool:
    """Return whether the administrator has set an endpoint without TLS: as such, or in Google's key for an emulator."""
    return any(_ENDPOINT.match(name) and "http://" in value for name, value in environ.items())
