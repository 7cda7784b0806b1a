"""Storage client: the client of one bucket, configured by the environment alone (credentials, endpoint, region), never by a job.

It is not fork-safe: use it only in a process that does not fork, such as `program` or the deletion program.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reconstruction_operator.transfer.objects import environment
from reconstruction_operator.transfer.objects.address import ObjectAddress

if TYPE_CHECKING:
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

    Store = S3Store | GCSStore | AzureStore

_CONNECT_SECONDS: Final = 15.0
_REQUEST_SECONDS: Final = 7 * 86_400.0  # for a whole body (default: 30 s); `Clock` and the read timeout detect stalls
_RETRIES: Final = 4  # of a request; a transfer is retried until it has stalled
_RETRY_SECONDS: Final = 60.0  # for all retries


def open_store(
    address: ObjectAddress, read_seconds: float, ca_file: str, environ: Mapping[str, str] = os.environ
) -> Store:
    """Return the client of the address's bucket. A read fails after `read_seconds` without a byte.

    `ca_file` has certificates to trust besides the system's. Raises OSError if it cannot be read.
    """
    client: ClientConfig = {
        "allow_http": environment.allows_http(environ),
        "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, read_seconds)),
        "read_timeout": timedelta(seconds=read_seconds),
        "timeout": timedelta(seconds=_REQUEST_SECONDS),
        "user_agent": "reconstruction-operator",
    }
    if ca_file:
        client["root_certificate"] = Path(ca_file).read_bytes()
    retry: RetryConfig = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
    return _KINDS[address.scheme](address.bucket, client, retry)


def _s3(bucket: str, client: ClientConfig, retry: RetryConfig) -> Store:
    from obstore.store import S3Store  # noqa: PLC0415  # its threads must not start in a process that forks

    return S3Store(bucket, client_options=client, retry_config=retry)


def _gs(bucket: str, client: ClientConfig, retry: RetryConfig) -> Store:
    from obstore.store import GCSStore  # noqa: PLC0415  # as above

    return GCSStore(bucket, client_options=client, retry_config=retry)


def _az(container: str, client: ClientConfig, retry: RetryConfig) -> Store:
    from obstore.store import AzureStore  # noqa: PLC0415  # as above

    return AzureStore(container, client_options=client, retry_config=retry)


_KINDS: Final[Mapping[str, Callable[[str, ClientConfig, RetryConfig], Store]]] = MappingProxyType(
    {"s3": _s3, "gs": _gs, "az": _az}
)
