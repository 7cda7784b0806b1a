"""Photo check: what `kubectl recon submit` finds, in a process that can open nothing else."""

import subprocess
import sys
from pathlib import Path

from kubectl_recon.photos import advice, estimates, scanning
from reconstruction_gallery.files import checking

from tests.support.paths import DATA
from tests.support.photos import make_photo


async def test_photos_are_checked_as_before_a_submit(tmp_path: Path) -> None:
    photos = {
        "a.jpg": make_photo(),
        "b.jpg": make_photo()[:900],
        "c.webp": make_photo("WEBP"),
        "d.png": make_photo("PNG"),
    }
    photos["phone.HEIC"] = (DATA / "photos/heic/plain.heic").read_bytes()
    for name, content in photos.items():
        (tmp_path / name).write_bytes(content)
    scanned = scanning.scan(scanning.find([str(tmp_path)]))
    expected = [*advice.findings(scanned), *estimates.estimates(scanned)]
    for name in (".sheet.jpg", "a.mask.png"):
        (tmp_path / name).write_bytes(b"")

    assert await checking.findings(tmp_path) == [{"level": finding.level, "text": finding.text} for finding in expected]
    assert expected[-1].text.startswith("quality high takes about ")
    assert expected[0].text.startswith("1 of 5 files: cannot be read")


def test_the_process_that_decodes_photos_can_open_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(make_photo())
    program = (
        "import sys; from kubectl_recon.photos import scanning; from reconstruction_gallery.files import checking;"
        f"scanning.measure = lambda *_: open({__file__!r}); checking.perform(sys.argv[1], None)"
    )

    done = subprocess.run([sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=False)

    assert "Too many open files" in done.stderr, done.stderr
