"""`submit`: the check before the upload."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubectl_recon.commands import submitting
from PIL import Image

from tests.support.paths import CHECKOUT

PHOTOS = sorted((CHECKOUT / "examples" / "photos" / "banana").glob("*.jpg"))[:4]


def test_masks_are_uploaded_but_not_checked_as_photos(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "masks").mkdir()
    for photo in PHOTOS:
        (tmp_path / photo.name).write_bytes(photo.read_bytes())
        Image.new("L", (60, 40), 255).save(tmp_path / "masks" / f"{photo.stem}.png")
    Image.new("L", (60, 40), 255).save(tmp_path / f"{PHOTOS[0].stem}.mask.png")

    files = submitting.check([str(tmp_path)], force=False)

    assert len(files) == 4 + 4 + 1
    output = capsys.readouterr()
    assert "4 photos (JPEG), 5 masks, " in output.out + output.err
    assert "look alike" not in output.out + output.err
