"""Downloads that their clients do not read: each holds little memory for some seconds, and no other client waits for
them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest
import reconstruction_gallery

from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser
from tests.real.gallery.test_access import know
from tests.real.gallery.test_files import add_to_manifest, folder_of, path_of

READERS = 600
FILE_BYTES = 8 << 20
USER_FILES, LINK_FILES, ADDRESS_FILES = 16, 6, 32  # that a user, all who have a link, and an address download at a time
MAX_BYTES = 100 << 20  # that all of them may cost; each took 0.6 MiB before
WAIT_SECONDS = 60.0
LARGE = "large.bin"
VIEWER = Path(reconstruction_gallery.__file__).parent / "static/vendor/model-viewer.min.js"


@pytest.fixture
def large(jobs: Jobs, gallery: Gallery) -> str:
    """The name of a job with a large file in its result, `LARGE`."""
    name = jobs.create()
    jobs.wait_phase(name, "Succeeded")
    output = folder_of(jobs, name)
    with (output / LARGE).open("wb") as file:
        file.truncate(FILE_BYTES)
    add_to_manifest(output, LARGE, size=FILE_BYTES)
    know(gallery, jobs, name)
    return name


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def request_unread(gallery: Gallery, path: str, connections: ExitStack, token: str = "") -> None:
    """Request the path on many connections, and read nothing."""
    head = (
        f"GET {path} HTTP/1.1\r\nHost: gallery\r\n" + (f"Authorization: Bearer {token}\r\n" if token else "") + "\r\n"
    )
    for _ in range(READERS):
        reader = connections.enter_context(socket.socket())
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", gallery.port))
        reader.sendall(head.encode())


def open_files(gallery: Gallery, name: str) -> int:
    """Return how often the gallery has opened a file of that name."""
    return sum(Path(file.path).name == name for file in psutil.Process(gallery.process.pid).open_files())


def held_bytes(gallery: Gallery) -> int:
    return psutil.Process(gallery.process.pid).memory_info().rss


def watched(gallery: Gallery, name: str, between: Callable[[], None]) -> tuple[int, int]:
    """Call `between` once while the file is open, and wait until the gallery has closed it.

    Return how often it was open at a time at most, and the memory that the gallery used more, in bytes.
    """
    before = held_bytes(gallery)
    files, used, called = [0], [0], False

    def ended() -> bool:
        nonlocal called
        files.append(open_files(gallery, name))
        used.append(held_bytes(gallery) - before)
        if files[-1] and not called:
            between()
            called = True
        return called and not files[-1]

    wait_until(
        ended, f"downloads of {name} to begin and to be closed", timeout_seconds=WAIT_SECONDS, seen=lambda: files[-1]
    )
    return max(files), max(used)


@pytest.mark.parametrize(
    ("by_link", "most"),
    [
        pytest.param(False, USER_FILES, id="user", marks=pytest.mark.release),
        pytest.param(True, LINK_FILES, id="link"),
    ],
)
def test_unread_downloads_of_a_result_hold_little_and_are_closed(  # noqa: PLR0917  # fixtures
    gallery: Gallery, jobs: Jobs, large: str, make_user: MakeUser, connections: ExitStack, by_link: bool, most: int
) -> None:
    own = path_of(jobs, large, LARGE)
    token = make_user("viewer")
    other = make_user("viewer")
    path = own
    if by_link:
        share = f"/api/namespaces/{jobs.namespace}/jobs/{large}/share"
        path = f"/api{gallery.request('POST', share, token=token).json['path']}/files/{LARGE}"
        token = ""

    def another_user_is_served() -> None:
        answer = gallery.request("GET", own, token=other)
        assert (answer.status, len(answer.content)) == (200, FILE_BYTES)

    request_unread(gallery, path, connections, token)
    files, used = watched(gallery, LARGE, another_user_is_served)

    assert 0 < files <= most + 1
    assert used < MAX_BYTES


@pytest.mark.release
def test_unread_downloads_of_the_pages_files_hold_little_and_are_closed(
    gallery: Gallery, connections: ExitStack
) -> None:
    def another_address_is_served() -> None:
        with closing(HTTPConnection("127.0.0.1", gallery.port, WAIT_SECONDS, source_address=("127.0.0.2", 0))) as other:
            other.request("GET", f"/static/vendor/{VIEWER.name}")
            answer = other.getresponse()
            assert (answer.status, len(answer.read())) == (200, VIEWER.stat().st_size)

    request_unread(gallery, f"/static/vendor/{VIEWER.name}", connections)
    files, used = watched(gallery, VIEWER.name, another_address_is_served)

    assert 0 < files <= ADDRESS_FILES + 1
    assert used < MAX_BYTES
