"""A process that imports the model: what that loads, and what still works then."""

from __future__ import annotations

import subprocess
import sys


def test_compression_works_in_a_process_that_has_loaded_pycolmap() -> None:
    # pycolmap brings its own zlib; see photogrammetry/colmap.py.
    program = (
        "from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap; "
        "import gzip, io, zlib; from PIL import Image; import cv2, numpy; "
        "assert zlib.decompress(zlib.compress(b'0' * 100000)) == gzip.decompress(gzip.compress(b'0' * 100000)); "
        "Image.new('RGB', (64, 64)).save(io.BytesIO(), 'PNG'); "
        "assert cv2.imencode('.png', numpy.zeros((64, 64), numpy.uint8))[0]; print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
