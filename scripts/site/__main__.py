"""Command line of the site: `python -m scripts.site` builds it into site-output/ by Sphinx, in a separate virtual
environment.

Sphinx and the theme are pinned in requirements/docs.txt. Only the site needs them.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Final

from scripts.paths import CHECKOUT
from scripts.site.staging import stage

LOCK: Final = CHECKOUT / "requirements" / "docs.txt"
ENVIRONMENT: Final = CHECKOUT / ".venv-docs"
_PIP: Final = "-m pip install --quiet --disable-pip-version-check --only-binary :all:"


def main() -> int:
    """Build the site; a warning, such as a broken link or a page without a section, is an error."""
    parser = argparse.ArgumentParser(prog="python -m scripts.site", description=__doc__)
    parser.add_argument("--output", type=Path, default=CHECKOUT / "site-output", help="where to write the pages")
    output = parser.parse_args().output.absolute()
    python = _python_with_sphinx()
    with tempfile.TemporaryDirectory(prefix="site-") as folder:
        stage(CHECKOUT, Path(folder))
        options = ["--quiet", "--fail-on-warning", "--keep-going", "--nitpicky", "--fresh-env", "--doctree-dir"]
        sphinx: list[str | Path] = [python, "-m", "sphinx", "--builder", "html", "--conf-dir", Path(__file__).parent]
        done = subprocess.run([*sphinx, *options, f"{folder}/.doctrees", folder, output], check=False)
    if done.returncode == 0:
        print(f"site: {output / 'index.html'}")
    return done.returncode


def _python_with_sphinx() -> Path:
    """Return the environment's Python; make the environment again if the lock file changed."""
    python, made_of = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "requirements.done"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if not made_of.is_file() or made_of.read_text() != digest:
        print(f"site: making {ENVIRONMENT.name} with the packages of requirements/docs.txt", file=sys.stderr)
        venv.create(ENVIRONMENT, clear=True, with_pip=True)
        subprocess.run([python, *_PIP.split(), "--require-hashes", "-r", LOCK], check=True)
        made_of.write_text(digest)
    return python


if __name__ == "__main__":
    sys.exit(main())
