"""Addresses in object storage, and the client of a bucket. Credentials and endpoint are set as for the clouds' own tools."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urlsplit

from kubectl_recon.errors import ReconError, UsageError, install

if TYPE_CHECKING:
    from obstore.store import AzureStore, ClientConfig, GCSStore, S3Store

    Store = S3Store | GCSStore | AzureStore

SCHEMES: Final = ("s3", "gs", "az")
_BUCKET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ENDPOINTS: Final = (
    *("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"),
    *("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT", "GOOGLE_SERVICE_ACCOUNT_KEY"),
)
_CA_FILE: Final = "STORAGE_CA_FILE"  # as for the workers
_SILENT_SECONDS: Final = 60.0
_TRANSFER_SECONDS: Final = 86_400.0  # covers a whole file

OnBytes = Callable[[int], None]
"""Called with the number of bytes transferred since the last call."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in a bucket. `key`: decoded, without leading and trailing slashes; empty for the bucket itself."""

    scheme: str
    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> Folder:
        """Parse the address of a folder. Raises UsageError."""
        parts = urlsplit(uri)
        if parts.scheme not in SCHEMES or not _BUCKET.fullmatch(parts.netloc):
            raise UsageError(f"{uri} is not an address in object storage: write s3://BUCKET/FOLDER/")
        key = unquote(parts.path).strip("/")
        if parts.query or parts.fragment or (key and any(part in ("", ".", "..") for part in key.split("/"))):
            raise UsageError(f"{uri} is not a plain folder: remove ?, #, . and ..")
        return cls(parts.scheme, parts.netloc, key)

    def below(self, name: str) -> Folder:
        """Return a folder below this one."""
        return Folder(self.scheme, self.bucket, self.path(name.strip("/")))

    def path(self, name: str) -> str:
        """Return the key of an object in this folder."""
        return f"{self.key}/{name}" if self.key else name

    def __str__(self) -> str:
        """Return the address, in the form that jobs use."""
        return f"{self.scheme}://{self.bucket}/{quote(self.key)}" + ("/" if self.key else "")


def is_address(text: str) -> bool:
    """Return whether the text is an address in object storage."""
    return text.partition("://")[0] in SCHEMES and "://" in text


def open_store(folder: Folder) -> Store:
    """Return the client of the folder's bucket. Raises ReconError without the extra `storage`."""
    require()
    from obstore import store  # noqa: PLC0415  # an optional extra

    client: ClientConfig = {
        "allow_http": any("http://" in os.environ.get(name, "") for name in _ENDPOINTS),
        "read_timeout": timedelta(seconds=_SILENT_SECONDS),
        "timeout": timedelta(seconds=_TRANSFER_SECONDS),
        "user_agent": "kubectl-recon",
    }
    if ca_file := os.environ.get(_CA_FILE):
        client["root_certificate"] = Path(ca_file).read_bytes()
    kinds: dict[str, Any] = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    with failures(str(folder)):
        opened: Store = kinds[folder.scheme](folder.bucket, client_options=client)
        return opened


@contextmanager
def failures(what: str) -> Iterator[None]:
    """Convert the client's errors into ReconError."""
    from obstore.exceptions import BaseError  # noqa: PLC0415  # as above

    try:
        yield
    except FileNotFoundError as error:
        raise ReconError(f"{what}: nothing was found at that address") from error
    except (BaseError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ReconError(f"{what}: {first}") from error


def require() -> None:
    """Raise ReconError if the extra `storage` is not installed."""
    if importlib.util.find_spec("obstore") is None:
        raise ReconError(
            f"object storage needs the extra `storage`: {install('./plugin[storage]')}; "
            "or upload with the tools of your storage, and submit the address"
        )
