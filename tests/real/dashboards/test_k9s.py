"""Commands of the k9s keys, run as k9s runs them: with its variables, and only the first line shown.

tests/e2e/test_k9s.py presses the keys in k9s itself, whose build takes minutes.
"""

import os
import re
import subprocess
from typing import Any

import yaml

from devcluster.harness.jobs import Jobs
from devcluster.harness.system import REPOSITORY
from devcluster.programs.toolchain import kubectl

PLUGINS: dict[str, Any] = yaml.safe_load((REPOSITORY / "manifests/integrations/k9s/plugins.yaml").read_text())[
    "plugins"
]


def press(jobs: Jobs, name: str, key: str) -> str:
    """Press a key on a job, and return what k9s shows: nothing if the command fails."""
    (plugin,) = [plugin for plugin in PLUGINS.values() if plugin["shortCut"] == key]
    kubeconfig = jobs.system.cluster.kubeconfig
    variables = {
        "$KUBECONFIG": str(kubeconfig),
        "$NAMESPACE": jobs.namespace,
        "$NAME": name,
        "$CONTEXT": yaml.safe_load(kubeconfig.read_text())["current-context"],
    }
    arguments = plugin["args"]
    for variable, value in variables.items():
        arguments = [argument.replace(variable, value) for argument in arguments]
    assert not re.search(r"\$[\w{]", " ".join(arguments)), "a variable that k9s does not have"
    done = subprocess.run(
        [plugin["command"], *arguments],
        env={
            "PATH": f"{kubectl().parent}:{os.defpath}",
            "KUBECONFIG": "/nowhere",
            "HOME": str(jobs.system.folder),  # where kubectl keeps its cache
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return done.stdout.partition("\n")[0] if done.returncode == 0 else ""


def test_the_keys_suspend_resume_and_cancel_in_two_steps(jobs: Jobs) -> None:
    name = jobs.create_in("Running", queue="slow")

    assert press(jobs, name, "Shift-S").endswith(f"{name} patched")
    jobs.wait_phase(name, "Suspended")
    assert press(jobs, name, "Shift-R").endswith(f"{name} patched")
    jobs.wait_phase(name, "Running")

    assert "a cancel takes two steps" in press(jobs, name, "Ctrl-X")
    assert not jobs.get(name)["spec"]["cancelConfirmed"]
    for key in ("Shift-X", "Shift-W", "Shift-X", "Ctrl-X"):
        assert press(jobs, name, key).endswith(f"{name} patched")
    jobs.wait_phase(name, "Cancelled")
