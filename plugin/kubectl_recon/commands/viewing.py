"""`open` and `preview`: show a result in the browser, or its pictures in the terminal."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

from reconstruction_operator.transfer.objects.address import is_object

from kubectl_recon.commands import results
from kubectl_recon.display.screen import note, screen
from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.gallery.reaching import NoGalleryError, Way, reached, token
from kubectl_recon.installation import published
from kubectl_recon.jobs.attention import phase_text
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.api import Connection
from kubectl_recon.pages.result import PICTURES, is_result, pages_of
from kubectl_recon.pages.serving import Page, served
from kubectl_recon.storage import downloading
from kubectl_recon.targets.selecting import find

_PREVIEWS: Final = ("*.png",)
_SCRATCH: Final = "recon-"  # prefix of temporary folders and files
_SIGN_IN_SECONDS: Final = 60.0
Connect = Callable[[], Connection]


@dataclass(frozen=True, slots=True)
class Viewed:
    """What to show: a local folder or file, an address, or a job."""

    text: str
    connect: Connect
    way: Way = field(default_factory=Way)

    @property
    def path(self) -> Path | None:
        """The local folder or file; None for a job or an address.

        A job often has the name of its folder of photos, so a name without a slash means a folder only if that holds a
        result.
        """
        path = Path(self.text).expanduser()
        shows_result = path.is_file() if path.suffix else is_result(path)
        return path if shows_result or ("/" in self.text and path.exists()) else None

    @property
    def is_job(self) -> bool:
        """Whether the text is the name of a job."""
        return self.path is None and "://" not in self.text


def open_page(target: Viewed, *, browser: bool) -> int:
    """Show the result in the browser until Ctrl-C: in the gallery if there is one, else on a page of this process."""
    if target.is_job:
        return open_job(target.connect(), target.text, target.way, browser=browser)
    if target.path is not None and not target.path.is_dir():
        raise UsageError(f"{target.text} is a file: use the folder of a result")
    with _folder(target, ()) as (title, folder):
        return open_folder(folder, title, browser=browser)


def open_job(connection: Connection, name: str, way: Way, *, browser: bool) -> int:
    """Show the result of a job until Ctrl-C."""
    job = find(connection, name)
    try:
        return _in_gallery(connection, job, way, browser=browser)
    except NoGalleryError as error:
        if way.url:
            raise
        if not job.output_uri:
            raise UsageError(f"{job.name} has no result yet ({phase_text(job)}), and {error}") from error
        note(f"Not in the gallery: {error}. This program downloads the result and shows it.")
    with _fetched(connection, job.name, way, ()) as folder:
        return open_folder(folder, job.name, browser=browser)


def open_folder(folder: Path, title: str, *, browser: bool) -> int:
    """Show the result in a local folder until Ctrl-C."""
    with served(pages_of(folder, title)) as address:
        return _show(address, browser=browser)


def preview(target: Viewed) -> int:
    """Print the result's pictures in the terminal.

    Exit code 1 if it has none. Raises UsageError without a colour terminal.
    """
    from kubectl_recon.display import pictures  # noqa: PLC0415  # Pillow takes longer to load than most commands

    out = screen()
    if not out.colour:
        raise UsageError(
            "preview needs a colour terminal; output is not one. To download the pictures: kubectl recon results NAME "
            "--only '*.png'"
        )
    columns, lines = shutil.get_terminal_size()
    with _folder(target, _PREVIEWS) as (title, folder):
        files = _pictures(folder)
        if not files:
            note(f"{title} has no pictures")
            return 1
        for picture in files:
            out.print(f"{title}: {picture.name}")
            out.print(pictures.drawn(picture, columns, lines), end="")
    return 0


def _in_gallery(connection: Connection, job: Job, way: Way, *, browser: bool) -> int:
    way = published.gallery(connection.api, [job], way)
    with reached(connection, way) as url:
        gallery = Gallery(url, token(connection, way))
        page = url + gallery.page(job)
        # A cookie cannot be set for another host: the page asks for a token.
        if not url.startswith("http://127.0.0.1:"):
            return _show(page, browser=browser, secret=False)
        # Cookies ignore the port: this response signs the browser in at the gallery's port.
        signed_in = Page("", HTTPStatus.FOUND, {"Set-Cookie": gallery.cookie(), "Location": page})
        note(f"The address works once, in the next {_SIGN_IN_SECONDS:.0f} s.")
        with served({"": signed_in}, once_within=_SIGN_IN_SECONDS) as address:
            return _show(address, browser=browser)


def _show(address: str, *, browser: bool, secret: bool = True) -> int:
    """Show a page until Ctrl-C.

    `secret`: in a file of this user leads to it, since others can read the browser's arguments.
    """
    with tempfile.NamedTemporaryFile("w", prefix=_SCRATCH, suffix=".html") as file:
        file.write(f'<!doctype html><meta http-equiv="refresh" content="0;url={address}">')
        file.flush()
        if browser:
            webbrowser.open(Path(file.name).as_uri() if secret else address)
        note("If no browser shows the page, open this address:")
        print(address, flush=True)  # noqa: T201  # the result
        note("Press Ctrl-C to stop.")
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    return 0


@contextmanager
def _folder(target: Viewed, only: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield the name of the result and a local folder with its files."""
    if target.path is not None:
        yield target.path.name or str(target.path.resolve()), target.path
    elif target.is_job:
        connection = target.connect()
        name = find(connection, target.text).name
        with _fetched(connection, name, target.way, only) as folder:
            yield name, folder
    elif is_object(target.text) or target.text.startswith("file://"):
        name = manifests.name_for(target.text)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH) as folder:
            results.fetch(downloading.source(target.text), name, Path(folder), only)
            yield name, Path(folder)
    else:
        raise UsageError(f"{target.text}: use a job, a folder, or an address such as s3://meshes/banana/")


@contextmanager
def _fetched(connection: Connection, name: str, way: Way, only: Sequence[str]) -> Iterator[Path]:
    """Yield a temporary folder with the files of a job's result."""
    job = results.finished(connection, name)
    with tempfile.TemporaryDirectory(prefix=_SCRATCH) as folder:
        with results.place_of(connection, job, way) as place:
            results.fetch(place, name, Path(folder), only)
        yield Path(folder)


def _pictures(folder: Path) -> list[Path]:
    if folder.is_file():
        if folder.suffix.lower() not in PICTURES:
            raise ReconError(f"{folder} is not a picture")
        return [folder]
    previews = sorted(folder.glob("preview_*.png"))
    return previews or sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
