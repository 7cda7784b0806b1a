"""kubeconform: built once from its Go module, and run with our own schemas."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devcluster import commands
from devcluster.errors import DevclusterError
from devcluster.programs.building import KUBECONFORM, built
from devcluster.programs.conformance import schemas
from devcluster.programs.go_modules import GoModule

_KIND = re.compile(r"""["']?kind["']?:\s*["']?(\w+)""")  # in YAML and in JSON; also matches references to objects


def kubeconform(manifests: str, release: GoModule, *, more: Mapping[str, Any] | None = None) -> list[str]:
    """Return kubeconform's messages about manifests for a release of Kubernetes, or an empty list if they conform.

    `more`: schemas of other kinds, by the names of their files.
    """
    (openapi,) = release.files()
    with tempfile.TemporaryDirectory(prefix="kubeconform-") as temporary:
        folder = Path(temporary)
        schemas.write(openapi, folder, set(_KIND.findall(manifests)))
        for name, schema in (more or {}).items():
            (folder / name).write_text(json.dumps(schema))
        options = ["-strict", "-verbose", "-output=json", f"-schema-location={folder}/{schemas.LOCATION}"]
        done = commands.run([built(KUBECONFORM) / "kubeconform", *options, "-"], stdin=manifests, check=False)
    try:
        found = json.loads(done.stdout)["resources"]
    except (json.JSONDecodeError, KeyError) as error:
        raise DevclusterError(f"kubeconform ended with {done.returncode}: {done.stdout}{done.stderr}") from error
    if not found:
        raise DevclusterError("kubeconform found no objects")
    return [f"{one['kind']} {one['name']}: {one['msg']}" for one in found if one["status"] != "statusValid"]
