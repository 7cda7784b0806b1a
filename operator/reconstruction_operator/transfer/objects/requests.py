"""Requests to the transfer program: the worker's side (`process`) makes them, and `program` executes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator.transfer.objects.address import ObjectAddress
from reconstruction_operator.transfer.runs import DeliveringRun


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """Fetch the photos of a folder, or one archive, into the folder `kept`; nothing if the listing has a `known`
    digest.
    """

    address: ObjectAddress
    kept: Path
    max_bytes: int
    max_files: int
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliverRequest:
    """Deliver a sealed result; without `source`, only check whether the delivery would be refused."""

    address: ObjectAddress
    run: DeliveringRun
    source: Path | None


TransferRequest = FetchRequest | DeliverRequest
