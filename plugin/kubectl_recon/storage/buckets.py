"""Folders in object storage, and the client of a bucket.

Credentials and endpoint are set as for the clouds' own tools.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.objects import store
from reconstruction_operator.transfer.objects.address import ObjectAddress

from kubectl_recon.errors import ReconError, UsageError, install

if TYPE_CHECKING:
    from reconstruction_operator.transfer.objects.store import Store

_RETRIES: Final = 4  # of a request: the user waits

OnBytes = Callable[[int], None]
"""Called with the number of bytes transferred since the last call."""


@dataclass(frozen=True, slots=True)
class Folder(ObjectAddress):
    """A folder in a bucket."""

    @classmethod
    def of(cls, uri: str) -> Folder:
        """Parse the address of a folder, as the workers do. Raises UsageError."""
        try:
            address = ObjectAddress.parse(uri, "")
        except StorageError as error:
            raise UsageError(f"{error.message}: write s3://BUCKET/FOLDER/") from error
        return cls(address.scheme, address.bucket, address.key, is_folder=True)

    def folder(self, name: str) -> Folder:
        """Return a folder in this one."""
        return replace(self, key=self.below(name.strip("/")))

    def __str__(self) -> str:
        """Return the address, in the form that jobs use."""
        return f"{self.scheme}://{self.bucket}/{quote(self.key)}" + ("/" if self.key else "")


def open_store(folder: Folder) -> Store:
    """Return the client of the folder's bucket. Raises ReconError without the extra `storage`."""
    require()
    with failures(str(folder)):
        return store.open_store(folder, retries=_RETRIES)


@contextmanager
def failures(what: str) -> Iterator[None]:
    """Convert the client's errors into ReconError."""
    from obstore.exceptions import BaseError  # noqa: PLC0415  # an optional extra

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
