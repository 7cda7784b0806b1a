"""Product: where its processes keep temporary files."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

from devcluster import wait_until
from devcluster.harness.product import Product

MAKE_A_FOLDER = "import signal, tempfile; tempfile.mkdtemp(prefix='pymp-'); signal.pause()"


def test_temporary_folders_of_killed_processes_end_with_the_run() -> None:
    redis: Any = SimpleNamespace(url=lambda db: f"redis://localhost/{db}")
    with Product(redis) as product:
        process = product.start_program("celery", [sys.executable, "-c", MAKE_A_FOLDER])
        # As Celery's pool does, which removes the folder only if it ends in order.
        wait_until(lambda: list(product.folder.glob("tmp/pymp-*")), "the folder in the run's own")
        process.kill()

    assert not product.folder.exists()
