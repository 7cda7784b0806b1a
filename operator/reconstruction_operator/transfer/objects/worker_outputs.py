"""Worker's side of outputs in object storage: has a process check the address, or deliver a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.transfer import tenancy
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.limits import Tick
from reconstruction_operator.transfer.objects import layout, process
from reconstruction_operator.transfer.objects.address import ObjectAddress, permitted
from reconstruction_operator.transfer.objects.process import DeliverRequest
from reconstruction_operator.transfer.runs import Run
from reconstruction_operator.units import megabytes

_REFUSED = "OUTPUT_REFUSED"


@dataclass(frozen=True, slots=True)
class ObjectTarget:
    """An output address in object storage. If `check` or `tick` raises, the process aborts its uploads and exits."""

    uri: str
    namespace: str

    @property
    def path(self) -> None:
        """See `outputs.Target`."""

    def check(self, run: Run, check: Callable[[], None], /) -> bool:
        """See `outputs.Target`."""
        return process.perform(DeliverRequest(self.address, run, None), lambda *_: check())["own"] is True

    def deliver(self, source: Path, run: Run, check: Callable[[], None], tick: Tick, /) -> None:
        """See `outputs.Target`. Raises StorageError (OUTPUT_REFUSED, OUTPUT_UPLOAD_FAILED), or SupersededError."""

        def report(_objects: int, _of_objects: int, count: int, of_count: int) -> None:
            check()
            if of_count:
                count = min(count, of_count)  # the manifest is not counted
                tick(count / of_count, f"{megabytes(count).removesuffix(' MB')} of {megabytes(of_count)} delivered")

        process.perform(DeliverRequest(self.address, run, source), report)

    def withdraw(self, run: Run, *, copy: bool) -> None:
        """See `outputs.Target`."""
        from reconstruction_operator.transfer.objects import uploading  # noqa: PLC0415  # loads the client

        uploading.withdraw(self.address, run, copy=copy)

    def place_of(self, manifest: Manifest) -> str:
        """See `outputs.Target`."""
        return f"{manifest.uri.rstrip('/')}/{layout.folder_of(manifest)}"

    @property
    def address(self) -> ObjectAddress:
        """The address, if jobs of the namespace may write to it. Raises StorageError (OUTPUT_REFUSED)."""
        granted = tenancy.granted(config.settings.NAMESPACE_OUTPUTS, self.namespace)
        schemes = config.settings.STORAGE_SCHEMES
        address = permitted(self.uri, _REFUSED, "write to", schemes=schemes, granted=granted, namespace=self.namespace)
        if not address.key:
            raise StorageError(_REFUSED, f"{address} is a whole bucket: name a folder in it")
        return address
