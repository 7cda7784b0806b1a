"""Bundles: an image as a container without a cluster, run by runc with the image's configuration and the chart's
restrictions.

The root is read-only, all capabilities are dropped, only /tmp is writable, and the network is the machine's.
"""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from devcluster import commands
from devcluster.node.packages import IMAGE_NEEDS, ensure
from devcluster.servers.processes import Process
from devcluster.servers.runs import RunFolder

_TMP = "/tmp"  # noqa: S108 -- the container's own


class Bundle:
    """An unpacked image in which commands run, until the end of the `with` block."""

    def __init__(self, tag: str, *, mounts: Mapping[Path, str] | None = None) -> None:
        """Unpack an image.

        `mounts`: folders and files of the machine, which are mounted read-only -> their paths inside.
        """
        ensure(IMAGE_NEEDS)
        self._mounts = dict(mounts or {})
        self.configuration: dict[str, Any] = json.loads(_run("buildah", "inspect", "--type", "image", tag))["Docker"][
            "config"
        ]
        self._container = _run("buildah", "from", "--pull-never", tag).strip()
        self.root = Path(_run("buildah", "mount", self._container).strip())
        self._folder = Path(tempfile.mkdtemp(prefix="bundle-"))
        self._names: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._names:
            commands.run(["runc", "delete", "--force", name], check=False)
        _run("buildah", "rm", self._container)
        shutil.rmtree(self._folder)

    def run(self, *command: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end in place of the entry point."""
        return commands.run(self._prepared(command, environment or {}), check=False)

    def start(
        self, name: str, *arguments: str, run: RunFolder, environment: Mapping[str, str] | None = None
    ) -> Process:
        """Start the entry point, with the image's arguments unless others are given."""
        command = [*(self.configuration["Entrypoint"] or []), *(arguments or self.configuration["Cmd"])]
        return Process(name, self._prepared(command, environment or {}), run=run)

    def _prepared(self, command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        name = f"recon-bundle-{secrets.token_hex(4)}"
        folder = self._folder / name
        folder.mkdir()
        commands.run(["runc", "spec"], folder=folder)
        specification = json.loads((folder / "config.json").read_text())
        self._adapt(specification, name, command, environment)
        (folder / "config.json").write_text(json.dumps(specification))
        self._names.append(name)
        return ["runc", "run", "--bundle", str(folder), name]

    def _adapt(self, specification: dict[str, Any], name: str, command: Sequence[str], more: Mapping[str, str]) -> None:
        user, _, group = self.configuration["User"].partition(":")
        specification["root"] = {"path": str(self.root), "readonly": True}
        specification["hostname"] = name
        specification["process"] |= {
            "terminal": False,
            "args": list(command),
            "env": [*self.configuration["Env"], *(f"{key}={value}" for key, value in more.items())],
            "cwd": self.configuration["WorkingDir"],
            "user": {"uid": int(user), "gid": int(group)},
            "capabilities": {},
            "noNewPrivileges": True,
        }
        linux = specification["linux"]
        linux["cgroupsPath"] = f"/{name}"
        # The network is the machine's, and so is the host name.
        linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] != "network"]
        specification["mounts"].append(
            {"destination": _TMP, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]}
        )
        for source, target in self._mounts.items():
            specification["mounts"].append(
                {"destination": target, "type": "bind", "source": str(source), "options": ["rbind", "ro"]}
            )


def _run(*command: str) -> str:
    return commands.run(command).stdout
