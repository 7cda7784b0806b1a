"""Store: the client of one bucket, made from the environment alone (credentials, endpoint, region), never from a job.

It is not fork-safe: make it only in a process that does not fork, such as `program` and the deletion program.
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
_REQUEST_SECONDS: Final = 7 * 86_400.0  # of a whole body, 30 s by default; `Clock` and the read timeout detect stalls
_RETRIES: Final = 4  # retries of a request; a transfer is repeated until its clock has stalled
_RETRY_SECONDS: Final = 60.0  # time for all retries


def open_store(
    address: ObjectAddress, read_seconds: float, ca_file: str, environ: Mapping[str, str] = os.environ
) -> Store:
    """The client of the address's bucket; `read_seconds` is the time without a byte of an answer after which a read fails.

    Raises OSError if `ca_file`, certificates to trust besides the system's, cannot be read.
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
    from obstore.store import S3Store  # noqa: PLC0415  # starts threads when it is used, so only in processes that do not fork

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
