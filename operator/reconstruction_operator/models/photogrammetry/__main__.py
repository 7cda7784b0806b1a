"""Command line: `python -m reconstruction_operator.models.photogrammetry PHOTOS_DIR OUT_DIR` runs the model once."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageOps

from reconstruction_operator.models.interface import ModelFailure, Photo, Step, Work
from reconstruction_operator.models.photogrammetry.model import PhotogrammetryModel
from reconstruction_operator.models.photogrammetry.parameters import DEFAULT_QUALITY, OVERRIDES, QUALITIES, Switch

_MASK_SUFFIX = ".mask.png"
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"}


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 with a model in OUT_DIR, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m reconstruction_operator.models.photogrammetry", description=__doc__
    )
    parser.add_argument("photos", type=Path, metavar="PHOTOS_DIR", help="folder of JPEG, PNG, WebP or TIFF photos")
    parser.add_argument("output", type=Path, metavar="OUT_DIR", help="where the models and previews go")
    parser.add_argument("--quality", default=DEFAULT_QUALITY, help=f"{' or '.join(QUALITIES)} (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="default: one for each core")
    for name, parameter in OVERRIDES.items():
        if isinstance(parameter, Switch):
            parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, help=parameter.help)
        else:
            parser.add_argument(f"--{name}", type=int, help=f"{parameter.help}: {parameter.allowed}")
    options = vars(parser.parse_args(arguments))
    given = {name: options[name] for name in ("quality", *OVERRIDES) if options[name] is not None}
    try:
        quality = _run(options["photos"], options["output"], given, options["threads"])
    except ModelFailure as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(json.dumps(quality, indent=2) + "\n")
    return 0


def _run(folder: Path, output: Path, given: dict[str, object], threads: int) -> dict[str, int | float | str]:
    model = PhotogrammetryModel()
    missing = model.unavailable()
    if missing is not None:
        raise ModelFailure("BACKEND_UNAVAILABLE", missing)
    checked = model.check_parameters(given)
    output.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    def show(
        step: Step, fraction: float, message: str = "", *, remaining_seconds: float | None = None, **_: object
    ) -> None:
        seconds = time.monotonic() - started
        sys.stderr.write(
            f"{seconds:6.1f} s  {step.name:<12} {fraction:6.1%}  {remaining_seconds:5.0f} s left  {message}\n"
        )

    with tempfile.TemporaryDirectory() as scratch:
        work = Work(_photos(folder), Path(scratch), output, checked, threads)
        return dict(model.run(work, show).quality)


def _photos(folder: Path) -> tuple[Photo, ...]:
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in _SUFFIXES and not path.name.lower().endswith(_MASK_SUFFIX):
            try:
                with Image.open(path) as image:
                    width, height = ImageOps.exif_transpose(image).size
            except OSError as error:
                raise ModelFailure("CORRUPT_IMAGE", f"{path.name} cannot be read ({error})") from error
            found.append(Photo(path, width, height, path.stat().st_size, _mask(path)))
    return tuple(found)


def _mask(photo: Path) -> Path | None:
    """The mask of the photo, by the names that docs/photos.md gives."""
    beside = (photo.with_suffix(_MASK_SUFFIX), photo.with_name(photo.name + _MASK_SUFFIX))
    below = (photo.parent / "masks" / f"{name}.png" for name in (photo.stem, photo.name))
    return next((path for path in (*beside, *below) if path.is_file()), None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
