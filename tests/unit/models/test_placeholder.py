from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trimesh
from PIL import Image
from reconstruction_operator.models.interface import ModelFailure, Report, StageFolder, Step, Work
from reconstruction_operator.models.placeholder import PlaceholderModel


@pytest.fixture
def output(tmp_path: Path) -> Path:
    work = Work((), tmp_path / "scratch", tmp_path, {}, 1)
    heard: list[Step] = []
    result = PlaceholderModel().run(work, lambda step, *_, **__: heard.append(step))
    assert result.simulated
    assert heard == [Step.PREPROCESS, Step.RECONSTRUCT, Step.POSTPROCESS, Step.PREVIEW]
    return tmp_path


def collecting(heard: list[tuple[Step, str]]) -> Report:
    """A report that collects the steps, and the stage after which a run continues."""

    def report(step: Step, _fraction: float, _message: str = "", *, resumed: str = "", **_: object) -> None:
        heard.append((step, resumed))

    return report


def test_a_run_continues_after_the_last_stage_of_an_earlier_one(tmp_path: Path) -> None:
    class StoppedError(Exception):
        """The run has to end, in its fourth step."""

    work = Work((), tmp_path / "scratch", tmp_path, {}, 1, StageFolder(tmp_path / "stages", "key", attempt=1))

    def stopping(step: Step, _fraction: float, _message: str = "", **_: object) -> None:
        if step is Step.PREVIEW:
            raise StoppedError

    with pytest.raises(StoppedError):
        PlaceholderModel(kept_seconds=0.0).run(work, stopping)
    heard: list[tuple[Step, str]] = []
    PlaceholderModel().run(work, collecting(heard))
    assert heard[0] == (Step.POSTPROCESS, "reconstructed of attempt 1")
    assert [step for step, _ in heard] == [Step.POSTPROCESS, Step.PREVIEW]


def test_steps_that_take_no_time_are_not_kept_as_stages(output: Path) -> None:
    assert not (output / "scratch").exists()


def test_files_are_a_cube_that_trimesh_reads_and_two_pictures(output: Path) -> None:
    mesh: Any = trimesh.load(output / "model.glb", force="mesh")
    assert (len(mesh.faces), mesh.is_watertight or mesh.merge_vertices(merge_norm=True) is None) == (12, True)
    assert mesh.extents.tolist() == [1.0, 1.0, 1.0]
    assert mesh.volume == pytest.approx(1.0)
    assert "SIMULATED" in (output / "SIMULATED.txt").read_text()
    for name in ("preview_0.png", "preview_1.png"):
        with Image.open(output / name) as image:
            assert image.size == (256, 256)
            assert len(image.convert("RGB").getcolors(65_536) or []) == 4  # three faces and the background


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"stepSeconds": 3}, {"stepSeconds": 3.0}),
    ],
)
def test_step_seconds_is_the_only_parameter(given: dict[str, object], expected: dict[str, object]) -> None:
    assert PlaceholderModel().check_parameters(given) == expected
    with pytest.raises(ModelFailure, match="unknown parameter 'quality': known are stepSeconds"):
        PlaceholderModel().check_parameters({**given, "quality": "fast"})


@pytest.mark.parametrize("seconds", [-1, 601, "2", None, True, [2], float("nan")], ids=repr)
def test_a_bad_step_duration_is_refused_with_the_allowed_range(seconds: object) -> None:
    with pytest.raises(ModelFailure, match=r"INVALID_PARAMETERS: parameter stepSeconds is .* 0 to 600"):
        PlaceholderModel().check_parameters({"stepSeconds": seconds})
