"""`run` as a user types it: the model's process, the output, and the exit code."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.archives import zipped
from tests.support.paths import CHECKOUT, DATA
from tests.support.plugin import PROGRAM, get, run_program, serving

OFFLINE = ["--dry-run", "--no-deps", "--no-build-isolation", "--quiet"]


def test_run_creates_a_mesh(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "mesh"

    done = run_program("run", photos, "-o", out, "--model", "placeholder", "--force")

    assert done.returncode == 0, done.stderr
    files = [line.partition("  ")[0] for line in done.stdout.splitlines()]
    assert files[0] == str(out / "model.glb")
    assert sorted(files) == sorted(map(str, out.iterdir()))
    assert "60% Running reconstruction" in done.stderr
    assert "Simulated, not made from the photos" in done.stderr


def test_a_dry_run_says_what_each_quality_takes_and_writes_nothing(photos: Path, tmp_path: Path) -> None:
    done = run_program("run", photos, "-o", tmp_path / "mesh", "--force", "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "note: quality preview takes about 1 CPU minute, " in done.stderr
    assert "note: quality high takes about " in done.stderr
    assert not (tmp_path / "mesh").exists()


@pytest.mark.parametrize(
    ("options", "folder", "early_looks"),
    [
        pytest.param(["-o", "banana-mesh", "--quality", "preview"], "banana-mesh/model.glb", 1, id="the engine"),
        pytest.param(["--model", "rough-good"], "berlin-mesh/model.glb", 0, id="without -o"),
    ],
)
def test_the_folder_of_the_result_may_be_relative(
    options: list[str], folder: str, early_looks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(DATA / "photos" / "berlin", tmp_path / "berlin")
    shutil.copy(DATA / "photos" / "lund" / "01.jpg", tmp_path / "berlin" / "lund.jpg")
    monkeypatch.chdir(tmp_path)

    done = run_program("run", "berlin", *options, PYTHONPATH=str(DATA / "models"))

    assert done.returncode == 0, done.stderr
    files = [line.partition("  ")[0] for line in done.stdout.splitlines()]
    assert folder in files
    assert done.stderr.count("3 of 4 photos aligned; left out: lund.jpg") == early_looks
    assert (
        len(re.findall(r"Done in \S+: 3 of 4 photos, sharp to 0\.\d\d px, [\d,]+ triangles", done.stderr))
        == early_looks
    )
    assert all(Path(file).stat().st_size for file in files)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["-o", "s3://meshes/banana"], "s3://meshes/banana is an address", id="address"),
        pytest.param(["-o", "mine"], "is not empty: name a new folder", id="used-folder"),
        pytest.param(["--quality", "hihg"], "did you mean high? allowed is one of preview, fast", id="quality"),
        pytest.param(["--model", "photogrametry"], "did you mean photogrammetry? This machine has", id="model"),
        pytest.param(["--param", "textureSiez=512"], "did you mean textureSize?", id="parameter"),
        pytest.param(
            ["--model", "rough-described", "--param", "points=0"], "a whole number of at least 2", id="number"
        ),
    ],
)
def test_all_that_needs_no_photo_is_checked_before_the_photos(
    options: list[str], message: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    monkeypatch.chdir(tmp_path)

    done = run_program("run", photos, *options, PYTHONPATH=str(DATA / "models"), RECONSTRUCTION_SIMULATE="never")

    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["My Vase", "mine"]


def test_photos_at_an_address_are_to_be_downloaded(tmp_path: Path) -> None:
    done = run_program("run", "s3://photos/banana", "-o", tmp_path / "mesh")

    assert (done.returncode, done.stderr.splitlines()) == (
        2,
        [
            (
                "error: s3://photos/banana is an address: download the photos, or submit it to a "
                "cluster (kubectl recon submit)"
            )
        ],
    )


def test_an_archive_is_unpacked(photos: Path, tmp_path: Path) -> None:
    archive = tmp_path / "My Vase.zip"
    archive.write_bytes(zipped(*((f"vase/{path.name}", path.read_bytes()) for path in sorted(photos.iterdir()))))

    done = run_program(
        *("run", archive, "-o", tmp_path / "mesh", "--model", "rough-good", "--force"),
        PYTHONPATH=str(DATA / "models"),
        TMPDIR=str(tmp_path),
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mesh" / "seen.txt").read_text().splitlines()[0] == "photos=0.jpg,1.jpg,2.jpg"
    assert not list(tmp_path.glob("recon-*"))


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK\x03\x04 and no more")

    done = run_program("run", tmp_path / "photos.zip", "-o", tmp_path / "mesh")

    assert (done.returncode, "photos.zip" in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_run_with_open_shows_the_mesh_in_the_browser(photos: Path, tmp_path: Path) -> None:
    command = [str(PROGRAM), "run", str(photos), "-o", str(tmp_path / "mesh"), "--model", "placeholder", "--force"]

    with serving([*command, "--param", "stepSeconds=0", "--open"], os.environ) as address:
        assert get(address).status == 200
        assert get(f"{address}model.glb").content == (tmp_path / "mesh" / "model.glb").read_bytes()


def test_preview_fails_in_a_pipe(tmp_path: Path) -> None:
    done = run_program("preview", tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "preview needs a colour terminal" in done.stderr


def test_a_failed_run_reports_the_reason_and_leaves_no_folder(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "mesh"

    done = run_program(
        "run", photos, "-o", out, "--model", "rough-segfault", "--force", PYTHONPATH=str(DATA / "models")
    )

    assert done.returncode == 3
    assert "error: BACKEND_CRASHED after" in done.stderr
    assert not out.exists()


def test_photos_that_would_fail_are_rejected(photos: Path, tmp_path: Path) -> None:
    done = run_program("run", photos / "0.jpg", "-o", tmp_path / "mesh")

    assert (done.returncode, "this photo set would fail" in done.stderr) == (2, True)


def test_without_models_the_message_has_a_command_that_installs_them(photos: Path) -> None:
    program = "import sys; sys.modules['psutil'] = None; from kubectl_recon.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program, "run", photos], capture_output=True, text=True, check=False)
    advised = re.search(r"in a checkout of the project, run (.+) \(Linux\)", done.stderr)

    assert (done.returncode, advised is not None) == (1, True), done.stderr
    assert advised is not None
    subprocess.run([*shlex.split(advised[1]), *OFFLINE], cwd=CHECKOUT, check=True)
