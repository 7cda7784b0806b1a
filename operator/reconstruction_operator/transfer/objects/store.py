"""Storage client: the client of one bucket, configured by settings and environment (credentials, endpoint, region),
never by a job.

It is not fork-safe: use it only in a process that does not fork, such as `program` or the deletion program.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconstruction_operator import config
from reconstruction_operator.transfer.objects import environment
from reconstruction_operator.transfer.objects.address import ObjectAddress

if TYPE_CHECKING:
    from obstore.store import AzureStore, ClientConfig, GCSStore, RetryConfig, S3Store

    Store = S3Store | GCSStore | AzureStore

_CONNECT_SECONDS: Final = 15.0
_BODY_SECONDS: Final = 7 * 86_400.0  # for a whole body (default: 30 s); stalls are detected by the read timeout
_RETRIES: Final = 1_000  # their time limits them
_RETRY_SECONDS: Final = 300.0  # maximum for all retries of a request, since it is signed once


def open_store(address: ObjectAddress, *, patience: int = 1, retries: int = _RETRIES) -> Store:
    """Return the client of the address's bucket. Raises OSError if STORAGE_CA_FILE cannot be read.

    A request that fails is repeated, and a response fails without a byte, for `patience` times STORAGE_STALL_SECONDS.
    `retries`: fewer, for a caller that must answer soon.
    """
    from obstore.store import AzureStore, GCSStore, S3Store  # noqa: PLC0415  # threads must not start in a process that forks

    stall_seconds, ca_file = patience * config.settings.STORAGE_STALL_SECONDS, config.settings.STORAGE_CA_FILE
    client: ClientConfig = {
        "allow_http": environment.allows_http(os.environ),
        "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, stall_seconds)),
        "read_timeout": timedelta(seconds=stall_seconds),
        "timeout": timedelta(seconds=_BODY_SECONDS),
        "user_agent": "reconstruction-operator",
    }
    if ca_file:
        client["root_certificate"] = Path(ca_file).read_bytes()
    retry: RetryConfig = {
        "max_retries": retries,
        "retry_timeout": timedelta(seconds=min(_RETRY_SECONDS, stall_seconds)),
    }
    kinds: dict[str, type[Store]] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    return kinds[address.scheme](address.bucket, client_options=client, retry_config=retry)
