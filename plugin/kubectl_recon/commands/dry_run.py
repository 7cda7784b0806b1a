"""`submit --dry-run`: checks the photos and prints the manifest. A cluster is optional; if there is one, it checks the manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kubectl_recon.commands import submitting
from kubectl_recon.commands.submitting import SubmitRequest
from kubectl_recon.display.formats import Format, document, name
from kubectl_recon.display.screen import note
from kubectl_recon.errors import ApiError, KubeconfigError, UnreachableError
from kubectl_recon.gallery import reaching
from kubectl_recon.gallery.reaching import NoGalleryError
from kubectl_recon.kube.connection import Connection
from kubectl_recon.storage import buckets

_EXAMPLE: Final = "input.uri is an example: replace it with the address of the photos for your workers"


def run(connect: Callable[[], Connection], request: SubmitRequest, how: Format | None) -> None:
    """Print the manifest, by default as YAML, and what `submit` would do.

    Raises UsageError for photos that would fail, and ApiError if the API server rejects the manifest.
    """
    files = [] if request.address is not None else submitting.check(request.photos, force=request.force)
    connection, job, silence = None, submitting.stem(request), ""
    try:
        connection = connect()
        job = submitting.free_name(connection, request)
    except ApiError:
        pass  # a user with the right to create jobs may lack the right to list them
    except (KubeconfigError, UnreachableError) as error:
        silence = str(error)
    folder = buckets.Folder.of(request.upload).folder(job) if request.upload else submitting.example_uri(job)
    body = request.body(job, request.address or str(folder), connection.namespace if connection else None)
    is_example = not request.address and not request.upload
    _show(body, how, f"# {_EXAMPLE}\n" if is_example else "")
    if files:
        note(f"{len(files)} files {_place(connection, request, silence) if is_example else f'would go to {folder}'}")
    if connection is not None and not silence:
        submitting.apply(connection, body, dry_run=True)
    verdict = f"not checked by the API server: {silence}" if silence else "the API server accepts it"
    note(f"{job}: not submitted (dry run); {verdict}")


def _show(body: Mapping[str, Any], how: Format | None, comment: str) -> None:
    if how is Format.NAME:
        text = name(body)
    elif how is Format.JSON:
        text = document(body, how)
    else:
        text = comment + document(body, Format.YAML)
    print(text)  # noqa: T201  # the result


def _place(connection: Connection | None, request: SubmitRequest, silence: str) -> str:
    """Return where the photos would be uploaded without --upload."""
    if connection is None or silence:
        return "would go to the gallery, if the cluster has one"
    try:
        reaching.find(connection, submitting.system_namespace(connection), request.way)
    except (NoGalleryError, ApiError) as error:
        return f"cannot be uploaded yet ({error}): {submitting.nowhere(request)}"
    return "would go to the gallery, which chooses their address"
