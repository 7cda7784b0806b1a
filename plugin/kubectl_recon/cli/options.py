"""Shared options, named as in kubectl, and the connection to the cluster that they select."""

from __future__ import annotations

import enum
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from kubectl_recon.cli import completion
from kubectl_recon.errors import UsageError

if TYPE_CHECKING:
    from kubectl_recon.display.formats import Format
    from kubectl_recon.kube.api import Connection


# Formats of tables and objects; of objects that a command creates, changes or waits for; of a stream of changes; of
# other data; of the history.
Output = enum.StrEnum("Output", ["JSON", "YAML", "WIDE", "NAME"])
Objects = enum.StrEnum("Objects", ["JSON", "YAML", "NAME"])
Lines = enum.StrEnum("Lines", ["JSON"])
Data = enum.StrEnum("Data", ["JSON", "YAML"])
Wide = enum.StrEnum("Wide", ["WIDE"])
Record = enum.StrEnum("Record", ["CSV", "JSON"])

Context = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig.", autocompletion=completion.contexts)
]
Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", help="Path of the kubeconfig.")]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", "-n", help="Namespace; by default the context's.", autocompletion=completion.namespaces
    ),
]
Everywhere = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Jobs of all namespaces.")]
Selector = Annotated[str | None, typer.Option("--selector", "-l", help="Label selector, as in kubectl.")]
OutputOption = Annotated[Output | None, typer.Option("--output", "-o", help="Output format; by default a table.")]
DataOption = Annotated[Data | None, typer.Option("--output", "-o", help="Output format.")]
ObjectsOption = Annotated[
    Objects | None, typer.Option("--output", "-o", help="Print the objects; by default one line each.")
]
LinesOption = Annotated[
    Lines | None,
    typer.Option("--output", "-o", help="Print each change of a job as one line of JSON: type and object."),
]
ObjectOption = Annotated[Objects | None, typer.Option("-o", help="Print the object.")]
All = Annotated[bool, typer.Option("--all", help="All jobs of the namespace.")]
Quality = Annotated[
    str | None,
    typer.Option(
        "--quality",
        help="The model's quality; of photogrammetry: preview, fast, standard or high.",
        autocompletion=completion.among("preview", "fast", "standard", "high"),
    ),
]
Parameters = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Parameter of the model; may be repeated.")
]
GalleryUrl = Annotated[
    str | None,
    typer.Option(
        "--gallery",
        metavar="URL",
        envvar="RECON_GALLERY",
        help="Address of the gallery, or NAMESPACE/SERVICE for a port-forward; by default the published one, which you "
        "confirm once.",
    ),
]
Account = Annotated[
    str | None,
    typer.Option("--account", metavar="NAME", help="Service account of the namespace to sign in to the gallery with."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Model; by default photogrammetry.",
        autocompletion=completion.among("photogrammetry", "placeholder"),
    ),
]
Queue = Annotated[str | None, typer.Option("--queue", help="Queue of the workers.")]
StageQueues = Annotated[
    list[str] | None,
    typer.Option(
        "--stage-queue",
        metavar="STAGE=QUEUE",
        help="Queue of the workers for one stage, such as depth=gpu; may be repeated.",
    ),
]
Parts = Annotated[
    int | None,
    typer.Option(
        "--parts", min=1, max=64, metavar="N", help="How many workers may make the job's long stages together."
    ),
]
Priority = Annotated[
    str | None,
    typer.Option(
        "--priority", help="Priority: low, normal or high.", autocompletion=completion.among("low", "normal", "high")
    ),
]
Open = Annotated[bool, typer.Option("--open", help="At the end show the mesh in the browser, as the command open.")]
Force = Annotated[bool, typer.Option("--force", help="Accept photos that would fail.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME", help="Names of jobs; @latest is the newest job.", autocompletion=completion.job_names
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name of a job; @latest is the newest job.", autocompletion=completion.job_names
    ),
]


def placement(
    queue: str | None, stage_queues: list[str] | None, parts: int | None, priority: str | None
) -> dict[str, Any]:
    """Return the members of a spec that choose the workers. Raises UsageError."""
    queues = dict[str, str]()
    for text in stage_queues or ():
        stage, equals, its_queue = text.partition("=")
        if not (stage and equals and its_queue):
            raise UsageError(f"--stage-queue {text} is not STAGE=QUEUE, such as depth=gpu")
        queues[stage] = its_queue
    members = {"queue": queue, "stageQueues": queues, "parts": parts, "priority": priority}
    return {name: value for name, value in members.items() if value}


Connect: TypeAlias = "Callable[[], Connection]"
_CLUSTER: Final = tuple(
    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
    for name, kind in (("namespace", Namespace), ("context", Context), ("kubeconfig", Kubeconfig))
)


def connecting(command: Callable[..., None]) -> Callable[..., None]:
    """Add -n, --context and --kubeconfig to a command. Its first parameter, a Connect, connects to the cluster that
    they select.
    """

    @functools.wraps(command)
    def run(*, namespace: str | None, context: str | None, kubeconfig: str | None, **options: Any) -> None:
        command(lambda: connected(context, kubeconfig, namespace), **options)

    _, *own = inspect.signature(command, eval_str=True).parameters.values()
    parameters = [*own, *_CLUSTER]
    # typer reads both.
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def connected(context: str | None, kubeconfig: str | None, namespace: str | None) -> Connection:
    """Connect to the cluster that these options select."""
    from kubectl_recon.kube.api import connect

    return connect(context, kubeconfig, namespace)


def seconds(duration: str | None) -> int | None:
    """Return a duration in seconds. Raises UsageError."""
    from kubectl_recon.jobs.times import parse_duration

    try:
        return None if duration is None else parse_duration(duration)
    except ValueError as error:
        raise UsageError(str(error)) from error


def format_of(option: enum.StrEnum | None) -> Format | None:
    """Return the format that an option of -o names."""
    from kubectl_recon.display.formats import Format

    return Format(option) if option else None
