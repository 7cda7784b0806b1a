"""Go build: atomic, and done once if several callers wait for it."""

import threading
from pathlib import Path

import pytest

from devcluster.errors import BuildError
from devcluster.programs import building, cache
from devcluster.programs.building import GoProgram
from devcluster.programs.cache import Spinner


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoProgram:
    """A program that takes a second to build."""
    folder = tmp_path / "modules" / "small"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module example.invalid/small\n\ngo 1.26\n")
    (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    monkeypatch.setattr(building, "_MODULES", folder.parent)
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    return GoProgram("small", links=("one", "other"))


def test_one_program_gets_a_name_for_each_part(program: GoProgram) -> None:
    folder = building.built(program)
    assert {path.name for path in folder.iterdir()} == {"small", "one", "other"}
    assert {(folder / name).resolve().name for name in program.links} == {"small"}


def test_two_callers_build_once(program: GoProgram, monkeypatch: pytest.MonkeyPatch) -> None:
    builds: list[Path] = []
    really_build = building._build

    def build(what: GoProgram, flags: list[str], folder: Path, progress: Spinner) -> None:
        builds.append(folder)
        really_build(what, flags, folder, progress)

    monkeypatch.setattr(building, "_build", build)
    threads = [threading.Thread(target=building.built, args=(program,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    building.built(program)
    assert len(builds) == 1


def test_failed_build_reports_the_compilers_message_and_leaves_nothing(program: GoProgram, tmp_path: Path) -> None:
    (program.module / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(BuildError, match="undefined: nonsense"):
        building.built(program)
    assert [path.suffix for path in (tmp_path / "small").iterdir()] == [".lock"]
