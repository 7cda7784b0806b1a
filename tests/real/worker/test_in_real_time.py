"""The contract in real time, as a user sees it in a shell."""

import json
import subprocess
import sys
import time

from celery.result import AsyncResult

from devcluster import Redis
from devcluster.harness.workers import Farm
from tests.support.worker.attempts import SIX_PAIRS


def test_delay_runs_six_steps_in_about_twelve_seconds(server: Redis) -> None:
    with Farm(server, PLACEHOLDER_STEP_SECONDS="2", RECONSTRUCTION_SIMULATE="unavailable") as farm:
        farm.start_worker()
        code = (
            "from reconstruction_operator.tasks.reconstruction import process_reconstruction;"
            'print(process_reconstruction.delay("test123", "reconviagen").id)'
        )
        command = [sys.executable, "-c", code]
        sent = subprocess.run(command, env=farm.environment(), capture_output=True, text=True, check=True, timeout=120)
        result = AsyncResult(sent.stdout.strip(), app=farm.app)
        seen: list[tuple[str, int]] = []
        started = ended = 0.0
        while not result.ready():
            task = result.backend.get_task_meta(result.id)  # one read: the state may change between two
            meta = task["result"]
            if task["status"] == "PROGRESS" and (meta["step"], meta["progress"]) not in seen:
                seen.append((meta["step"], meta["progress"]))
                started = started or meta["startedAt"]
            ended = time.time()
            time.sleep(0.02)  # polls the backend, as dashboards do
        assert seen == SIX_PAIRS
        assert 11.5 <= ended - started <= 20.0
        assert result.state == "SUCCESS"
        output = farm.jobs_dir / "test123" / "output"
        assert result.result["output_path"] == str(output)
        assert json.loads((output / "manifest.json").read_text())["simulated"] is True
        assert (output / "model.glb").read_bytes()[:4] == b"glTF"
