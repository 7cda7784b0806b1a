"""Page server: the pages of a result, and access to them."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from kubectl_recon.pages.result import pages_of, shown_mesh
from kubectl_recon.pages.serving import Page, served

from tests.support import plugin


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A result, and beside it a file that does not belong to it."""
    (tmp_path / "private.txt").write_text("private")
    result = tmp_path / "banana"
    result.mkdir()
    (result / "model.glb").write_bytes(b"glTF")
    (result / "preview_0.png").write_bytes(b"png")
    (result / "model_texture.png").write_bytes(b"png")
    (result / "standpoints").mkdir()
    (result / "standpoints" / "1.jpg").write_bytes(b"jpg")
    (result / "a&b.txt").write_text("text")
    (result / "link.txt").symlink_to(tmp_path / "private.txt")
    return result


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    with served(pages_of(folder, "banana")) as url:
        yield url


def get(address: str, path: str, host: str = "") -> tuple[int, str, bytes]:
    """Return status, content type and content; the path is sent unchanged."""
    parts = urlsplit(address)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)) as connection:
        connection.request("GET", path, headers={"Host": host or parts.netloc})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Content-Type", ""), answer.read()


def test_the_first_page_shows_pictures_and_links_to_all_files(address: str) -> None:
    status, kind, content = get(address, urlsplit(address).path)

    assert (status, kind) == (200, "text/html; charset=utf-8")
    text = content.decode()
    assert re.findall("<img src=[^ ]*", text) == ['<img src="preview_0.png"']  # neither texture nor advice
    assert '<a href="model.glb">model.glb</a>' in text
    assert '<a href="a%26b.txt">a&amp;b.txt</a>' in text
    assert '<model-viewer src="model.glb"' in text
    assert "private" not in text
    assert "link.txt" not in text


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["banana_compressed.glb", "banana_full.glb", "banana.glb"], "banana.glb", id="the-short-name"),
        pytest.param(["model.obj", "preview_0.png"], None, id="none-that-the-viewer-reads"),
    ],
)
def test_the_page_shows_the_best_mesh_for_the_viewer(names: list[str], expected: str | None) -> None:
    assert shown_mesh(names) == expected


def test_a_result_without_a_mesh_has_no_viewer(folder: Path) -> None:
    (folder / "model.glb").unlink()
    with served(pages_of(folder, "banana")) as address:
        assert b"<model-viewer" not in get(address, urlsplit(address).path)[2]


def test_a_report_is_sent_only_to_its_frame_and_no_other_file_runs_scripts(folder: Path) -> None:
    (folder / "report.html").write_text("report")
    (folder / "other.html").write_text("<script>")
    with served(pages_of(folder, "banana")) as address:
        path = urlsplit(address).path
        assert b'<iframe src="report.html" sandbox="allow-scripts"' in get(address, path)[2]
        assert get(address, f"{path}report.html")[0] == 404
        assert plugin.get(f"{address}report.html", **{"Sec-Fetch-Dest": "iframe"}).content == b"report"
        assert "allow-scripts" not in plugin.get(f"{address}other.html").headers["Content-Security-Policy"]


def test_a_page_for_one_use_is_sent_once_and_only_in_time() -> None:
    with served({"": Page("secret")}, once_within=60) as address:
        assert [plugin.get(address).status for _ in range(2)] == [200, 404]
    with served({"": Page("secret")}, once_within=0) as address:
        assert plugin.get(address).status == 404


def test_a_browser_that_disconnects_causes_no_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.glb").write_bytes(b"x" * 50_000_000)
    with served(pages_of(folder, "banana")) as address:
        parts = urlsplit(address)
        with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)) as connection:
            connection.request("GET", f"{parts.path}model.glb", headers={"Host": parts.netloc})
            assert connection.getresponse().read(10) == b"x" * 10
        assert get(address, parts.path)[0] == 200  # another thread: the first one has most likely ended

    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("path", "host"),
    [
        pytest.param("/", "", id="without-the-secret"),
        pytest.param("/model.glb", "", id="a-file-without-the-secret"),
        pytest.param("{root}../private.txt", "", id="a-way-up"),
        pytest.param("{root}link.txt", "", id="a-link-that-leads-out"),
        pytest.param("{root}", "rebound.example", id="another-host"),
    ],
)
def test_other_paths_and_hosts_are_rejected(address: str, path: str, host: str) -> None:
    assert get(address, path.format(root=urlsplit(address).path), host)[0] == 404
