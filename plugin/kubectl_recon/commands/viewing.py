"""`open` and `preview`: a result in the browser, or its pictures in the terminal."""

from __future__ import annotations

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

from kubectl_recon.commands import results
from kubectl_recon.display.screen import note, screen
from kubectl_recon.errors import ReconError, UsageError
from kubectl_recon.gallery.client import Gallery
from kubectl_recon.gallery.reaching import NoGalleryError, Way, reached, token
from kubectl_recon.installation import operator
from kubectl_recon.jobs.attention import phase_text
from kubectl_recon.jobs.job import Job
from kubectl_recon.kube import manifests
from kubectl_recon.kube.connection import Connection
from kubectl_recon.pages.result import PICTURES, is_result, pages_of
from kubectl_recon.pages.serving import Page, served
from kubectl_recon.storage import downloading
from kubectl_recon.storage.buckets import is_address
from kubectl_recon.targets.selecting import one

_PREVIEWS: Final = ("*.png",)
Connect = Callable[[], Connection]


@dataclass(frozen=True, slots=True)
class Viewed:
    """What to look at: a folder or file of this machine, an address, or a job."""

    text: str
    connect: Connect
    way: Way = field(default_factory=Way)

    @property
    def path(self) -> Path | None:
        """The folder or file of this machine; None for a job.

        A job is often named like the folder of its photos: without a slash, only a folder that holds a result is meant.
        """
        path = Path(self.text).expanduser()
        found = path.is_file() if path.suffix else is_result(path)
        return path if found or ("/" in self.text and path.exists()) else None

    @property
    def is_job(self) -> bool:
        """Whether it is neither of this machine nor an address."""
        return self.path is None and "://" not in self.text


def open_page(target: Viewed, *, browser: bool) -> int:
    """Show the result in the browser until Ctrl-C: in the gallery if there is one, else as a page of this process."""
    if target.is_job:
        connection = target.connect()
        return open_job(connection, target.text, target.way, browser=browser)
    if target.path is not None and not target.path.is_dir():
        raise UsageError(f"{target.text} is a file: name the folder of a result")
    with _folder(target, ()) as (title, folder):
        return open_folder(folder, title, browser=browser)


def open_job(connection: Connection, name: str, way: Way, *, browser: bool) -> int:
    """The same of a job."""
    job = one(connection, name)
    try:
        return _in_gallery(connection, job, way, browser=browser)
    except NoGalleryError as error:
        if way.url:
            raise
        if not job.output_uri:
            raise UsageError(f"{job.name} has no result yet ({phase_text(job)}), and {error}") from error
        note(f"Not in the gallery: {error}. So this program fetches the result and shows it itself.")
    with _fetched(connection, job.name, way, ()) as folder:
        return open_folder(folder, job.name, browser=browser)


def open_folder(folder: Path, title: str, *, browser: bool) -> int:
    """The same of a folder of this machine."""
    with served(pages_of(folder, title)) as address:
        return _show(address, browser=browser)


def preview(target: Viewed) -> int:
    """Print the result's pictures in the terminal. Exit code 1 if it has none. Raises UsageError where nothing can be shown."""
    from kubectl_recon.display import pictures, terminal  # noqa: PLC0415  # Pillow takes longer to load than most commands

    out = screen()
    if not out.colour:
        raise UsageError(
            "preview shows pictures in a terminal with colours, and this is none: kubectl recon results NAME --only '*.png' fetches them"
        )
    able = terminal.asked()
    with _folder(target, _PREVIEWS) as (title, folder):
        found = _pictures(folder)
        if not found:
            note(f"{title} has no pictures")
            return 1
        for picture in found:
            out.print(f"{title}: {picture.name}")
            out.print(pictures.drawn(picture, able), end="")
    return 0


def _in_gallery(connection: Connection, job: Job, way: Way, *, browser: bool) -> int:
    namespace, _ = operator.where([job])
    with reached(connection, namespace, way) as url:
        gallery = Gallery(url, token(connection, way))
        page = url + gallery.page(job)
        if not url.startswith("http://127.0.0.1:"):  # the browser has no session there yet: the page asks for a token
            return _show(page, browser=browser)
        # Cookies go by host, not by port: this answer signs the browser in at the gallery's port.
        signed_in = Page("", HTTPStatus.FOUND, {"Set-Cookie": gallery.cookie(), "Location": page})
        with served({"": signed_in}) as address:
            return _show(address, browser=browser)


def _show(address: str, *, browser: bool) -> int:
    if browser and not webbrowser.open(address):
        note("There is no browser here; open the address yourself.")
    print(address, flush=True)  # noqa: T201  # the result
    note("Ctrl-C ends it.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


@contextmanager
def _folder(target: Viewed, only: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """The name of the result, and the folder of this machine that has its files."""
    if target.path is not None:
        yield target.path.name or str(target.path.resolve()), target.path
    elif target.is_job:
        connection = target.connect()
        name = one(connection, target.text).name
        with _fetched(connection, name, target.way, only) as folder:
            yield name, folder
    elif is_address(target.text) or target.text.startswith("file://"):
        name = manifests.name_for(target.text)
        with _scratch() as folder:
            results.fetch(downloading.source(target.text), name, folder, only)
            yield name, folder
    else:
        raise UsageError(f"{target.text}: name a job, a folder, or an address such as s3://meshes/banana/")


@contextmanager
def _fetched(connection: Connection, name: str, way: Way, only: Sequence[str]) -> Iterator[Path]:
    """A folder with the files of a job's result, for a while."""
    job = results.finished(connection, name)
    with _scratch() as folder:
        with results.place_of(connection, job, way) as place:
            results.fetch(place, name, folder, only)
        yield folder


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="recon-") as folder:
        yield Path(folder)


def _pictures(folder: Path) -> list[Path]:
    if folder.is_file():
        if folder.suffix.lower() not in PICTURES:
            raise ReconError(f"{folder} is no picture")
        return [folder]
    previews = sorted(folder.glob("preview_*.png"))
    return previews or sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
