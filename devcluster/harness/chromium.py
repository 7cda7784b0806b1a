"""Chromium for tests of pages: Debian's, installed or unpacked into the cache, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from devcluster.programs import debs

_INSTEAD = "Install Chromium: apt-get install chromium"
# WebGL by the processor: no test needs a GPU.
_ARGUMENTS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


@contextmanager
def running_chromium(home: Path) -> Iterator[Browser]:
    """Run a headless Chromium with profile and caches in `home`. Raise DevclusterError if there is none."""
    program, libraries = _chromium()
    environment: dict[str, str | float | bool] = {**os.environ, "HOME": str(home)}
    if libraries:
        environment["LD_LIBRARY_PATH"] = ":".join(libraries)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            env=environment,
            args=[*_ARGUMENTS],
            chromium_sandbox=False,  # with a sandbox it does not run as root; it opens only pages of this project
        )
        try:
            yield browser
        finally:
            browser.close()


def _chromium() -> tuple[str, list[str]]:
    """Return the program, and the folders of libraries that it needs beside the system's."""
    installed = shutil.which("chromium")
    if installed:
        return installed, []
    root = debs.unpacked("chromium", instead=_INSTEAD)
    libraries = {str(path.parent) for folder in ("usr/lib", "lib") for path in (root / folder).glob("**/*.so*")}
    return str(root / "usr/lib/chromium/chromium"), sorted(libraries)
