"""`open` and `preview`: the meaning of a word on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubectl_recon.commands.viewing import Viewed
from kubectl_recon.errors import KubeconfigError
from kubectl_recon.kube.api import Connection


def unused() -> Connection:
    raise KubeconfigError("no cluster")


@pytest.mark.parametrize(
    ("text", "is_job"),
    [
        pytest.param("vase", True, id="folder-of-photos-of-that-name"),
        pytest.param("./vase", False, id="that-folder-itself"),
        pytest.param("vase-mesh", False, id="folder-with-a-result"),
        pytest.param("vase-report", False, id="folder-with-a-report"),
        pytest.param("vase-mesh/vase.glb", False, id="file"),
        pytest.param("elsewhere", True, id="nothing-of-that-name"),
        pytest.param("s3://meshes/vase/", False, id="address"),
    ],
)
def test_a_name_is_a_job_unless_a_folder_of_that_name_has_a_result(
    text: str, is_job: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("vase/1.jpg", "vase-mesh/vase.glb", "vase-report/report.html"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    assert Viewed(text, unused).is_job is is_job
