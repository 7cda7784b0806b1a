"""Results on the volume: only files of the manifest are opened, and no link is followed."""

from pathlib import Path

import pytest
from reconstruction_gallery.files.opened import NoResultError
from reconstruction_gallery.files.volume import manifest_of, open_file
from reconstruction_operator.jobfiles.layout import JobFolder

from tests.support.results import JOB, seal_files


def test_a_rejected_file_leaves_no_open_descriptor(output: Path) -> None:
    seal_files(output, "model.glb", "previews/absent.png", "absent/front.png")
    before = len(list(Path("/proc/self/fd").iterdir()))

    for name in ("absent.png", "previews/absent.png", "absent/front.png"):
        with pytest.raises(NoResultError):
            open_file(JOB, name)

    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_manifest_of_another_job_is_ignored(output: Path) -> None:
    seal_files(output, "model.glb", job_id="another")

    assert manifest_of(JOB) is None
    with pytest.raises(NoResultError):
        open_file(JOB, "model.glb")


@pytest.mark.parametrize("job", ["../etc", "a/b", "", ".deleted", "x" * 200])
def test_a_job_id_that_is_not_a_folder_name_has_no_result(output: Path, job: str) -> None:
    assert manifest_of(job) is None


@pytest.mark.parametrize("linked", ["output", "job"])
def test_no_linked_folder_of_a_job_is_entered(output: Path, tmp_path: Path, linked: str) -> None:
    folder = output if linked == "output" else output.parent
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")

    with pytest.raises(NoResultError):
        open_file(JOB, "previews/front.png")


@pytest.mark.parametrize("linked", ["attempts", "9-b", "9-b/scratch", "9-b/scratch/early.glb"])
def test_the_early_look_of_the_newest_run_is_opened_without_following_a_link(
    jobs_dir: Path, tmp_path: Path, linked: str
) -> None:
    runs = JobFolder.of(JOB).attempts
    for run in ("10-c", "9-b", ".gone-a"):
        (runs / run / "scratch").mkdir(parents=True)
    (runs / "9-b" / "scratch" / "early.glb").write_bytes(b"glTF")
    with pytest.raises(NoResultError):
        open_file(JOB, "early.glb")
    (runs / "10-c" / "scratch").rename(runs / "10-c" / "output")
    (runs / "10-c").rename(tmp_path / "finished")
    with open_file(JOB, "early.glb").file as file:
        assert file.read() == b"glTF"

    folder = runs.parent / linked if linked == "attempts" else runs / linked
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    with pytest.raises(NoResultError):
        open_file(JOB, "early.glb")
