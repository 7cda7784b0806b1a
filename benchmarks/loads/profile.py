"""Profile: the CPU time of API server, operator and worker by subject, while jobs run as fast as they can.

The API server profiles itself (`/debug/pprof`). py-spy samples operator and worker from outside, while one of their threads holds the
GIL, so waits for a disk or a network do not count. py-spy needs the right to read them: root, or a machine on which a process may
trace its siblings.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.clients import JobWatch, LoadClient
from benchmarks.figures import stacks
from benchmarks.figures.stacks import Subjects
from benchmarks.loads.burst import burst, warm_up
from benchmarks.report import Figures
from benchmarks.systems import Measured, ours
from devcluster.programs.toolchain import go

_SECONDS: Final = 15
_SAMPLES_A_SECOND: Final = 100

_API_SERVER: Final[Subjects] = (
    ("collection of garbage", r"gcBgMarkWorker|gcAssistAlloc|bgsweep|bgscavenge"),
    ("CEL rules", r"apiserver/schema/cel|google/cel-go"),
    ("managed fields", r"fieldmanager"),
    ("status writes", r"handlers\.\(\*patcher\)|handlers\.PatchResource"),
    ("creates", r"handlers\.createHandler|restfulCreate|registry\.\(\*Store\)\.Create"),
    ("watches", r"handlers\.\(\*WatchServer\)|cacher\.|storage/etcd3\.\(\*watch"),
    ("HTTP and TLS", r"net/http\.|http2\.|crypto/tls"),
    ("scheduler of Go", r"runtime\.(mcall|schedule|findRunnable|mstart)"),
)
_OPERATOR: Final[Subjects] = (
    ("sending tasks", r"broker/dispatch|kombu/"),
    ("asking Redis", r"redis/|redis_view/observer|state/"),
    ("status writes", r"writes/status_writer"),
    ("Events", r"writes/event_"),
    ("watch", r"controller/kube/(watch|feed|cache)"),
    ("rounds of the loop", r"controller/loop/|planning/"),
    ("HTTP and TLS", r"aiohttp/|ssl\.py"),
    ("event loop", r"asyncio/|selectors\.py"),
)
_WORKER: Final[Subjects] = (
    ("model", r"reconstruction_operator/models/"),
    ("files of the job", r"reconstruction_operator/(jobfiles|transfer)/|worker/attempt/(sealing|copies|reuse)"),
    ("progress", r"worker/attempt/progress|broker/reporting"),
    ("claim, heartbeat, end", r"reconstruction_operator/(state|services|worker/heartbeat)/"),
    ("steps of the run", r"reconstruction_operator/worker/"),
    ("task of the operator's package", r"reconstruction_operator/"),
    ("Celery: messages", r"kombu/|redis/"),
    ("Celery: task and pool", r"celery/|billiard/"),
)


def profile(count: int) -> Figures:
    """Return percentages of each part's CPU time by subject, while `count` jobs with steps of 0 s run."""
    with ours() as measured, TemporaryDirectory() as folder:
        return asyncio.run(_profile(measured, count, Path(folder)))


async def _profile(measured: Measured, count: int, folder: Path) -> Figures:
    pids = measured.pids()
    async with LoadClient(measured.system.cluster) as client, JobWatch(client) as watch:
        await warm_up(client, watch)
        async with asyncio.TaskGroup() as group:
            server = group.create_task(_server_stacks(client, folder / "api-server.pb"))
            sampled = {name: group.create_task(_spy(pids[name], folder / name)) for name in ("operator", "worker")}
            group.create_task(burst(measured, client, watch, count))
    return {
        **_named("kube-apiserver", stacks.shares(stacks.pprof(server.result()), _API_SERVER)),
        **_named("operator", stacks.shares(stacks.folded(sampled["operator"].result()), _OPERATOR)),
        **_named("worker", stacks.shares(stacks.folded(sampled["worker"].result()), _WORKER)),
    }


def _named(part: str, shares: dict[str, float]) -> Figures:
    return {f"CPU of {part}, %: {subject}": share for subject, share in shares.items()}


async def _server_stacks(client: LoadClient, file: Path) -> str:
    async with client.session.get(client.url(f"/debug/pprof/profile?seconds={_SECONDS}")) as answer:
        answer.raise_for_status()
        await asyncio.to_thread(file.write_bytes, await answer.read())
    return await _output(go(), "tool", "pprof", "-raw", file)


async def _spy(pid: int, file: Path) -> str:
    command = (Path(sys.executable).with_name("py-spy"), "record", "--pid", str(pid), "--subprocesses")
    options = (
        "--duration",
        str(_SECONDS),
        "--rate",
        str(_SAMPLES_A_SECOND),
        "--nonblocking",
        "--gil",
        "--full-filenames",
    )
    await _output(*command, *options, "--format", "raw", "--output", file)
    return await asyncio.to_thread(file.read_text)


async def _output(*command: str | Path) -> str:
    """Run a program and return its output. Raises RuntimeError with its error output if it fails."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    out, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{Path(command[0]).name} failed: {errors.decode(errors='replace').strip()[-300:]}")
    return out.decode(errors="replace")
