"""Process faults: operators, workers and their pool processes, models; and the workers' disk."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil

from chaos.faults.table import PATIENCE_SECONDS, Context, Heal, fault, nothing
from chaos.scene import OPERATORS, WORKERS
from devcluster import wait_until

# --- Operators --------------------------------------------------------------------------------------------------------


def _end_process(context: Context, name: str, number: signal.Signals) -> Heal:
    process = context.scene.process(name)
    context.victims.add(name)
    context.missed = not process.alive
    if process.alive:
        context.scene.down.add(name)
        os.kill(process.pid, number)
    return lambda: context.scene.down.discard(name)


def _pause_process(context: Context, name: str, *, alone: bool = False) -> Heal:
    """Pause the process, and its children too unless `alone`."""
    process = context.scene.process(name)
    context.victims.add(name)
    context.missed = not process.alive
    if not process.alive:
        return nothing
    if alone:
        os.kill(process.pid, signal.SIGSTOP)
    else:
        process.pause()
    return lambda: process.resume() if process.alive else None


def _leader(context: Context) -> str:
    return context.scene.leader() or context.chance.choice(OPERATORS)


@fault("operator, leader: SIGKILL", on="operators", deposes=True)
def _leader_killed(context: Context) -> Heal:
    return _end_process(context, _leader(context), signal.SIGKILL)


@fault("operator, leader: SIGTERM", on="operators", deposes=True)
def _leader_terminated(context: Context) -> Heal:
    return _end_process(context, _leader(context), signal.SIGTERM)


@fault("operator, leader: SIGSTOP, SIGCONT", on="operators", hold=(2.0, 12.0), deposes=True)
def _leader_stopped(context: Context) -> Heal:
    return _pause_process(context, _leader(context))


@fault("operator, standby: SIGKILL", on="operators")
def _standby_killed(context: Context) -> Heal:
    return _end_process(context, context.scene.standby(), signal.SIGKILL)


@fault("operator, standby: SIGTERM", on="operators")
def _standby_terminated(context: Context) -> Heal:
    return _end_process(context, context.scene.standby(), signal.SIGTERM)


@fault("operator, standby: SIGSTOP, SIGCONT", on="operators", hold=(2.0, 8.0))
def _standby_stopped(context: Context) -> Heal:
    return _pause_process(context, context.scene.standby())


@fault("jobs deleted while no operator runs", on="operators", hold=(2.0, 5.0), deposes=True)
def _deleted_while_down(context: Context) -> Heal:
    ran = [name for name in OPERATORS if context.scene.process(name).alive]
    heals = [_end_process(context, name, signal.SIGKILL) for name in OPERATORS]
    context.missed = not ran
    victims = [job for job in context.load.under_way if job.scenario == "steady"]
    context.load.delete(context.chance.sample(victims, min(5, len(victims))))

    def heal() -> None:
        for one in heals:
            one()

    return heal


@fault("operators and workers restarted one after another", on="operators", hold=(0.0, 0.5), deposes=True)
def _rolled(context: Context) -> Heal:
    for name in (*OPERATORS, *WORKERS):
        process = context.scene.process(name)
        if process.alive:
            os.kill(process.pid, signal.SIGTERM)
        wait_until(lambda gone=process: not gone.alive, f"{name} to end", timeout_seconds=PATIENCE_SECONDS)  # type: ignore[misc]
        context.scene.start(name)
    return nothing


# --- Workers ----------------------------------------------------------------------------------------------------------


@fault("worker: SIGKILL", on="workers", harms=True)
def _worker_killed(context: Context) -> Heal:
    return _end_process(context, context.chance.choice(WORKERS), signal.SIGKILL)


@fault("worker: SIGTERM", on="workers", hold=(3.0, 5.0))
def _worker_terminated(context: Context) -> Heal:
    return _end_process(context, context.chance.choice(WORKERS), signal.SIGTERM)


@fault("worker with its children: SIGSTOP, SIGCONT", on="workers", hold=(1.0, 20.0), cuts=True, harms=True)
def _worker_stopped(context: Context) -> Heal:
    return _pause_process(context, context.chance.choice(WORKERS))


@fault("worker, the parent alone: SIGSTOP, SIGCONT", on="workers", hold=(1.0, 12.0), cuts=True, harms=True)
def _worker_parent_stopped(context: Context) -> Heal:
    return _pause_process(context, context.chance.choice(WORKERS), alone=True)


def _signal_child(context: Context, number: signal.Signals) -> psutil.Process | None:
    children = [child for worker in WORKERS for child in context.scene.children(worker)]
    context.missed = not children
    if not children:
        return None
    child = context.chance.choice(children)
    context.victims.add(str(child.pid))
    with contextlib.suppress(psutil.Error):
        child.send_signal(number)
    return child


@fault("worker, a child: SIGKILL", on="workers", harms=True)
def _child_killed(context: Context) -> Heal:
    _signal_child(context, signal.SIGKILL)
    return nothing


@fault("worker, a child: SIGTERM", on="workers", harms=True)
def _child_terminated(context: Context) -> Heal:
    _signal_child(context, signal.SIGTERM)
    return nothing


@fault("worker, a child: SIGSTOP, SIGCONT", on="workers", hold=(1.0, 20.0), cuts=True, harms=True)
def _child_stopped(context: Context) -> Heal:
    child = _signal_child(context, signal.SIGSTOP)

    def heal() -> None:
        with contextlib.suppress(psutil.Error):
            if child is not None:
                child.send_signal(signal.SIGCONT)

    return heal


@fault("worker: clock off by minutes", on="workers", hold=(6.0, 12.0))
def _clock_off(context: Context) -> Heal:
    name = context.chance.choice(WORKERS)
    scene = context.scene
    scene.skew_seconds[name] = context.chance.choice((-1, 1)) * context.chance.randint(120, 900)
    process = scene.process(name)
    if process.alive:
        os.kill(process.pid, signal.SIGTERM)
    wait_until(lambda: not process.alive, f"{name} to end", timeout_seconds=PATIENCE_SECONDS)
    scene.start(name)

    def heal() -> None:
        scene.skew_seconds.pop(name, None)
        newest = scene.process(name)
        if newest.alive:
            os.kill(newest.pid, signal.SIGTERM)

    return heal


# --- Model processes --------------------------------------------------------------------------------------------------


def _signal_models(context: Context, number: signal.Signals) -> list[int]:
    groups = [one.pid for one in _some_models(context)]
    for group in groups:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)
    return groups


def _some_models(context: Context) -> list[psutil.Process]:
    """Pick up to three models and return their guards, which lead the models' process groups."""
    models = context.scene.model_processes()
    chosen = context.chance.sample(models, min(3, len(models)))
    context.missed = not chosen
    for guard in chosen:
        with contextlib.suppress(psutil.Error):
            context.victims |= {str(one.pid) for one in (guard, *guard.children())}
    return chosen


@fault("model process: SIGKILL", on="models", harms=True)
def _models_killed(context: Context) -> Heal:
    _signal_models(context, signal.SIGKILL)
    return nothing


@fault("model process without its guard: SIGKILL", on="models", harms=True)
def _models_out_of_memory(context: Context) -> Heal:
    """Kill the models the way the kernel's OOM killer does."""
    for guard in _some_models(context):
        with contextlib.suppress(psutil.Error):
            for one in guard.children():
                one.kill()
    return nothing


@fault("model process: SIGTERM", on="models", harms=True)
def _models_terminated(context: Context) -> Heal:
    _signal_models(context, signal.SIGTERM)
    return nothing


@fault("model process: SIGSTOP, SIGCONT", on="models", hold=(1.0, 12.0), cuts=True, harms=True)
def _models_stopped(context: Context) -> Heal:
    groups = _signal_models(context, signal.SIGSTOP)

    def heal() -> None:
        for group in groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGCONT)

    return heal


# --- Files ------------------------------------------------------------------------------------------------------------


@fault("disk of the job folders full", on="disk", hold=(1.0, 6.0), needs_disk=True, harms=True)
def _disk_full(context: Context) -> Heal:
    context.scene.fill_disk()
    return context.scene.empty_disk


@fault("job folders read-only", on="disk", hold=(1.0, 6.0), needs_disk=True, harms=True)
def _disk_read_only(context: Context) -> Heal:
    wait_until(context.scene.make_read_only, "a moment without an open file", timeout_seconds=PATIENCE_SECONDS)
    return context.scene.make_writable
