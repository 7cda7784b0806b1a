"""Each check of the tree rejects a tree that violates it. That this checkout passes is checked by `make lint`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.checks import layout, licences, lockfiles, texts

HASH = f"--hash=sha256:{'0' * 64}"


def make_checkout(folder: Path, *more: str) -> Path:
    for name in (f"operator/{layout.PACKAGE}/__init__.py", "tests/unit/planning/test_plan.py", *more):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return folder


def run_layout_check(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", layout.__file__, str(checkout)],
        capture_output=True,
        text=True,
        check=False,
        cwd=checkout,
    )


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("operator/__init__.py", "operator/__init__.py shadows the standard library's operator module: remove it"),
        ("operator/helpers/a.py", "operator/helpers is not the package reconstruction_operator: move it elsewhere"),
        ("tests/unit/__init__.py", "tests/unit/__init__.py makes its folder of tests a package: remove it"),
    ],
)
def test_a_file_in_the_wrong_place_is_reported(tmp_path: Path, file: str, problem: str) -> None:
    assert layout.problems(make_checkout(tmp_path, file)) == [problem]


@pytest.mark.parametrize(
    ("number", "found"), [(15, []), (16, ["devcluster/servers has 16 modules, more than 15: divide it by subject"])]
)
def test_a_package_with_many_modules_is_reported(number: int, found: list[str], tmp_path: Path) -> None:
    names = [f"devcluster/servers/m{index}.py" for index in range(number)]
    assert layout.problems(make_checkout(tmp_path, "devcluster/servers/__init__.py", *names)) == found


def test_the_layout_check_runs_where_an_operator_package_breaks_python(tmp_path: Path) -> None:
    make_checkout(tmp_path, "operator/__init__.py")
    broken = subprocess.run([sys.executable, "-m", "pip"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert broken.returncode != 0
    assert "operator" in broken.stderr

    done = run_layout_check(tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("layout: operator/__init__.py shadows")


def write_requirements(checkout: Path, **locks: str) -> Path:
    (checkout / "requirements").mkdir()
    for name in ("dev", "operator", "worker", "worker_base", "gallery", "plugin"):
        content = locks.get(name, f"redis==1.0 {HASH}\n")
        (checkout / "requirements" / f"{name.replace('_', '-')}.txt").write_text(content)
    return checkout


def test_every_violation_in_lock_files_is_reported(tmp_path: Path) -> None:
    checkout = write_requirements(
        tmp_path,
        dev=f"redis==1.0 {HASH}\nloose>=1\n--index-url https://mirror\n",
        operator=f"numpy==2.0 {HASH}\nredis==1.0 {HASH}\n",
        worker=f"kopf==1.0 {HASH}\n",
    )
    assert lockfiles.problems(checkout) == [
        "dev.txt: not an exact pin with hashes: loose>=1",
        "dev.txt: not an exact pin with hashes: --index-url https://mirror",
        "dev.txt: an address or an option of pip: --index-url https://mirror",
        "gallery.txt: this image must not contain redis",
        "operator.txt: numpy==2.0 is not pinned in dev.txt",
        "operator.txt: this image must not contain numpy",
        "plugin.txt: this image must not contain redis",
        "worker.txt: kopf==1.0 is not pinned in dev.txt",
        "worker.txt: this image must not contain kopf",
        "worker.txt lacks redis==1.0 of worker-base.txt",
    ]


def test_a_licence_that_is_not_on_the_list_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "licence_of", lambda _package: "GPL-3.0-only")
    checkout = write_requirements(tmp_path)
    assert licences.problems(checkout) == [
        "redis is in an image, but its licence is not in the list of allowed ones: 'GPL-3.0-only'"
    ]


def test_a_registrys_host_and_a_path_of_one_machine_are_reported() -> None:
    host = texts.REGISTRY_HOSTS[0]
    found = texts.forbidden_words({"a.py": f"https://{host}/x", "b.md": "/home/me/x", "c": "fine"}, [host, "/home/me/"])
    assert [text.split(":")[0] for text in found] == [f"a.py names {host}", "b.md names /home/me/"]


def test_a_long_test_name_is_reported() -> None:
    fits, too_long = f"test_{'x' * 75}", f"test_{'y' * 76}"
    text = f"def {fits}() -> None:\n    pass\nclass A:\n    async def {too_long}(self): ..."
    assert list(texts.long_test_names({"tests/unit/test_a.py": text, "docs/a.py": text})) == [
        f"tests/unit/test_a.py: {too_long} has 81 characters; at most 80"
    ]
