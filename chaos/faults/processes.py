"""Process faults: operators, workers, pool processes and models; also the workers' disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Final

import psutil

from chaos.faults.table import PATIENCE_SECONDS, Context, Fault, Heal, Inject, nothing, together, undoable
from chaos.system.scene import OPERATORS, WORKERS
from devcluster import wait_until

Pick = Callable[[Context], str]
"""Returns the name of the process to hit."""


def _leader(context: Context) -> str:
    return context.scene.leader() or context.chance.choice(OPERATORS)


def _standby(context: Context) -> str:
    return context.scene.standby()


def _any_worker(context: Context) -> str:
    return context.chance.choice(WORKERS)


def _ends(pick: Pick, number: Signals) -> Inject:
    return lambda context: end_process(context, pick(context), number)


def end_process(context: Context, name: str, number: Signals) -> Heal:
    """Send the signal, which ends the process; it is started again when the fault is healed."""
    process = context.scene.process(name)
    context.victims.add(name)
    context.missed = not process.alive
    if process.alive:
        context.scene.down.add(name)
        os.kill(process.pid, number)
    return lambda: context.scene.down.discard(name)


def _pauses(pick: Pick, *, alone: bool = False) -> Inject:
    """Pause the process, and its children too unless `alone`."""

    def inject(context: Context) -> Heal:
        name = pick(context)
        process = context.scene.process(name)
        context.victims.add(name)
        context.missed = not process.alive
        if not process.alive:
            return nothing
        if alone:
            os.kill(process.pid, SIGSTOP)
        else:
            process.pause()
        return lambda: process.resume() if process.alive else None

    return inject


def _delete_while_down(context: Context) -> Heal:
    ran = [name for name in OPERATORS if context.scene.process(name).alive]
    heals = [end_process(context, name, SIGKILL) for name in OPERATORS]
    context.missed = not ran
    victims = [job for job in context.load.under_way if job.scenario == "steady"]
    context.load.delete(context.chance.sample(victims, min(5, len(victims))))
    return together(heals)


def _terminate(context: Context, name: str) -> None:
    """Send SIGTERM to a process, and wait until it ends."""
    process = context.scene.process(name)
    if process.alive:
        os.kill(process.pid, SIGTERM)
    wait_until(lambda: not process.alive, f"{name} to end", timeout_seconds=PATIENCE_SECONDS)


def _roll(context: Context) -> Heal:
    for name in (*OPERATORS, *WORKERS):
        _terminate(context, name)
        context.scene.start(name)
    return nothing


def _signals(
    pick: Callable[[Context], Sequence[Callable[[Signals], None]]], number: Signals, heal_number: Signals | None = None
) -> Inject:
    """Signal what `pick` returns; `heal_number` undoes it."""

    def inject(context: Context) -> Heal:
        targets = pick(context)

        def send(signal: Signals) -> None:
            for target in targets:
                with contextlib.suppress(psutil.Error, ProcessLookupError):
                    target(signal)

        send(number)
        return nothing if heal_number is None else lambda: send(heal_number)

    return inject


def _child(context: Context) -> list[Callable[[Signals], None]]:
    """Pick a worker's pool process."""
    children = [child for worker in WORKERS for child in context.scene.children(worker)]
    chosen = context.chance.sample(children, min(1, len(children)))
    context.missed = not chosen
    context.victims |= {str(child.pid) for child in chosen}
    return [child.send_signal for child in chosen]


def _models(context: Context) -> list[Callable[[Signals], None]]:
    """Pick some models with their guards."""
    return [partial(os.killpg, guard.pid) for guard in _some_models(context)]


def _set_clock_off(context: Context) -> Heal:
    name = _any_worker(context)
    scene = context.scene
    scene.skew_seconds[name] = context.chance.choice((-1, 1)) * context.chance.randint(120, 900)
    _terminate(context, name)
    scene.start(name)

    def heal() -> None:
        scene.skew_seconds.pop(name, None)
        newest = scene.process(name)
        if newest.alive:
            os.kill(newest.pid, SIGTERM)

    return heal


def _some_models(context: Context) -> list[psutil.Process]:
    """Pick up to three models and return their guards, which lead the models' process groups."""
    models = context.scene.model_processes()
    chosen = context.chance.sample(models, min(3, len(models)))
    context.missed = not chosen
    for guard in chosen:
        with contextlib.suppress(psutil.Error):
            context.victims |= {str(process.pid) for process in (guard, *guard.children())}
    return chosen


def _kill_models_alone(context: Context) -> Heal:
    """Kill models without their guards, as the kernel's OOM killer does."""
    for guard in _some_models(context):
        with contextlib.suppress(psutil.Error):
            for model in guard.children():
                model.kill()
    return nothing


_fill_disk = undoable(lambda scene: scene.disk.fill(), lambda scene: scene.disk.empty())


def _make_read_only(context: Context) -> Heal:
    wait_until(context.scene.disk.make_read_only, "a moment without an open file", timeout_seconds=PATIENCE_SECONDS)
    return context.scene.disk.make_writable


_OPERATORS: Final = (
    Fault("operator, leader: SIGKILL", "operators", _ends(_leader, SIGKILL), deposes=True),
    Fault("operator, leader: SIGTERM", "operators", _ends(_leader, SIGTERM), deposes=True),
    Fault("operator, leader: SIGSTOP, SIGCONT", "operators", _pauses(_leader), hold=(2.0, 12.0), deposes=True),
    Fault("operator, standby: SIGKILL", "operators", _ends(_standby, SIGKILL)),
    Fault("operator, standby: SIGTERM", "operators", _ends(_standby, SIGTERM)),
    Fault("operator, standby: SIGSTOP, SIGCONT", "operators", _pauses(_standby), hold=(2.0, 8.0)),
    Fault("jobs deleted while no operator runs", "operators", _delete_while_down, hold=(2.0, 5.0), deposes=True),
    Fault("operators and workers restarted one after another", "operators", _roll, hold=(0.0, 0.5), deposes=True),
)
_STOPS: Final = {"cuts": True, "harms": True}
_WORKERS: Final = (
    Fault("worker: SIGKILL", "workers", _ends(_any_worker, SIGKILL), harms=True),
    Fault("worker: SIGTERM", "workers", _ends(_any_worker, SIGTERM), hold=(3.0, 5.0)),
    Fault("worker with its children: SIGSTOP, SIGCONT", "workers", _pauses(_any_worker), hold=(1.0, 20.0), **_STOPS),
    Fault(
        "worker, the parent alone: SIGSTOP, SIGCONT",
        "workers",
        _pauses(_any_worker, alone=True),
        hold=(1.0, 12.0),
        **_STOPS,
    ),
    Fault("worker, a child: SIGKILL", "workers", _signals(_child, SIGKILL), harms=True),
    Fault("worker, a child: SIGTERM", "workers", _signals(_child, SIGTERM), harms=True),
    Fault(
        "worker, a child: SIGSTOP, SIGCONT", "workers", _signals(_child, SIGSTOP, SIGCONT), hold=(1.0, 20.0), **_STOPS
    ),
    Fault("worker: clock off by minutes", "workers", _set_clock_off, hold=(6.0, 12.0)),
)
_MODELS: Final = (
    Fault("model process: SIGKILL", "models", _signals(_models, SIGKILL), harms=True),
    Fault("model process without its guard: SIGKILL", "models", _kill_models_alone, harms=True),
    Fault("model process: SIGTERM", "models", _signals(_models, SIGTERM), harms=True),
    Fault("model process: SIGSTOP, SIGCONT", "models", _signals(_models, SIGSTOP, SIGCONT), hold=(1.0, 12.0), **_STOPS),
)
_DISK: Final = (
    Fault("disk of the job folders full", "disk", _fill_disk, hold=(1.0, 6.0), needs_disk=True, harms=True),
    Fault("job folders read-only", "disk", _make_read_only, hold=(1.0, 6.0), needs_disk=True, harms=True),
)
FAULTS: Final = (*_OPERATORS, *_WORKERS, *_MODELS, *_DISK)
