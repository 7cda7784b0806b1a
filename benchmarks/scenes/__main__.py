"""Command line: `python -m benchmarks.scenes NAME FOLDER` renders a scene and writes its truth."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.scenes import catalogue


def main() -> None:
    """Render one scene."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scenes", description=__doc__)
    parser.add_argument("name", choices=catalogue.SCENES)
    parser.add_argument("folder", type=Path, help="where to write the photos")
    options = parser.parse_args()
    catalogue.write(catalogue.SCENES[options.name](), options.folder, os.cpu_count() or 1)


if __name__ == "__main__":
    main()
