"""A copy of the result where the job wants it: `file://` folders below the allowed roots.

The copy is made beside its place and gets there by one rename, so that nobody reads half of it. A folder with anything
else in it is never touched; one that holds an earlier result of the same job is replaced.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from reconstruction_operator import config
from reconstruction_operator.services import file_handler
from reconstruction_operator.services.storage import tenancy, uris
from reconstruction_operator.services.storage.errors import StorageError

_REFUSED = "OUTPUT_REFUSED"
_CHUNK_BYTES = 1 << 20
_MANIFEST = "manifest.json"


def deliver(
    source: Path, uri: str, job_id: str, task_id: str, check: Callable[[], None], *, namespace: str = ""
) -> None:
    """Copies all files of the folder `source` to the folder `uri`; `check` is called often and may raise.

    Raises:
        StorageError: OUTPUT_REFUSED.

    """
    target = _target(uri, namespace)
    target.parent.mkdir(parents=True, exist_ok=True)
    if not _is_free(target) and not _is_of(target, job_id):
        raise StorageError(_REFUSED, f"{target} is not empty, and holds no result of this job")
    partial = target.with_name(f".{target.name[:100]}.{task_id[-40:]}.partial")
    file_handler.delete_tree(partial)
    partial.mkdir()
    try:
        for path in sorted(source.rglob("*"), key=lambda one: one.name == _MANIFEST):
            _copy(path, partial / path.relative_to(source), check)
        previous = None if _is_free(target) else file_handler.set_aside(target, f".{target.name[:100]}.replaced-")
        partial.rename(target)
    finally:
        file_handler.delete_tree(partial)
    if previous is not None:
        file_handler.delete_tree(previous)


def withdraw(uri: str, job_id: str, *, namespace: str = "") -> None:
    """Deletes what was delivered, if it is this job's.

    Raises:
        StorageError, OSError: it could not be deleted.

    """
    target = _target(uri, namespace)
    if _is_of(target, job_id):
        file_handler.delete_tree(target)


def check_uri(uri: str, *, namespace: str = "") -> None:
    """Raises StorageError (OUTPUT_REFUSED) if nothing may be delivered there."""
    _target(uri, namespace)


def _target(uri: str, namespace: str) -> Path:
    parts = uris.split(uri, _REFUSED)
    if parts.scheme != "file":
        raise StorageError(_REFUSED, f"{parts.scheme}:// is not written by this worker; it takes file://")
    path = uris.local_path(parts, _REFUSED)
    roots = tuple(Path(root) for root in config.OUTPUT_ROOTS)
    real = path.resolve()
    inside = uris.lies_below(path, roots) and real not in {root.resolve() for root in roots}
    if not inside or uris.lies_below(path, (Path(config.JOBS_DIR),)):
        allowed = ", ".join(config.OUTPUT_ROOTS) or "none"
        raise StorageError(_REFUSED, f"{path} does not lie below a folder that this worker may write to ({allowed})")
    granted = tenancy.granted(config.NAMESPACE_OUTPUTS, namespace)
    if granted is not None and not uris.lies_below(path, tenancy.folders(granted)):
        left = ", ".join(granted) or "nothing"
        raise StorageError(
            _REFUSED, f"namespace {namespace or '(none)'} may not write to {path}: this worker leaves it {left}"
        )
    return real


def _is_free(target: Path) -> bool:
    return not target.exists() or (target.is_dir() and next(target.iterdir(), None) is None)


def _is_of(target: Path, job_id: str) -> bool:
    try:
        manifest = json.loads((target / _MANIFEST).read_text())
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("jobId") == job_id


def _copy(source: Path, target: Path, check: Callable[[], None]) -> None:
    check()
    if source.is_dir():
        target.mkdir(exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK_BYTES):
            check()
            writer.write(chunk)
    shutil.copymode(source, target)
