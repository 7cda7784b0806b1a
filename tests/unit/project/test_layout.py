"""The folders are what the design says, above all: `operator/` is a source root and never a package.

An `operator/__init__.py` shadows the standard library's `operator` wherever the checkout's root is on the path, and
then Python itself fails, pytest included. So the check is also a script that needs next to nothing:
`python -S tests/unit/project/test_layout.py [CHECKOUT]`.
"""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[3]
PACKAGE = "reconstruction_operator"
UNSEEN = {"__pycache__", ".DS_Store"}  # what tools leave there


def problems(checkout: Path) -> list[str]:
    """What is wrong with the layout, each as one sentence for people."""
    source_root = checkout / "operator"
    entries = {entry.name for entry in source_root.iterdir()} - UNSEEN
    found = []
    if "__init__.py" in entries:
        found.append("operator/__init__.py shadows the standard library's operator module: remove it")
    found += [
        f"operator/{name} is not the package {PACKAGE}: put it somewhere else"
        for name in sorted(entries - {PACKAGE, "__init__.py"})
    ]
    if not (source_root / PACKAGE / "__init__.py").is_file():
        found.append(f"operator/{PACKAGE} is no package: its __init__.py is missing")
    found += [
        f"{path.relative_to(checkout)} makes a package of the tests: remove it"
        for path in sorted((checkout / "tests").rglob("__init__.py"))
    ]
    return found


def make_checkout(folder: Path, *more: str) -> Path:
    for name in (f"operator/{PACKAGE}/__init__.py", "tests/unit/planning/test_plan.py", *more):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return folder


def run_as_script(checkout: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", __file__, str(checkout)], capture_output=True, text=True, check=False, cwd=checkout
    )


def test_this_checkout_has_the_layout_of_the_design() -> None:
    assert problems(CHECKOUT) == []


def test_a_good_checkout_has_no_problems(tmp_path: Path) -> None:
    assert problems(make_checkout(tmp_path)) == []


def test_an_operator_package_is_found(tmp_path: Path) -> None:
    assert problems(make_checkout(tmp_path, "operator/__init__.py")) == [
        "operator/__init__.py shadows the standard library's operator module: remove it"
    ]


def test_a_second_package_in_operator_is_found(tmp_path: Path) -> None:
    assert problems(make_checkout(tmp_path, "operator/helpers/__init__.py")) == [
        "operator/helpers is not the package reconstruction_operator: put it somewhere else"
    ]


def test_a_package_in_the_tests_is_found(tmp_path: Path) -> None:
    assert problems(make_checkout(tmp_path, "tests/unit/__init__.py")) == [
        "tests/unit/__init__.py makes a package of the tests: remove it"
    ]


def test_the_script_says_nothing_about_a_good_checkout(tmp_path: Path) -> None:
    done = run_as_script(make_checkout(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_script_fails_in_a_checkout_whose_operator_package_breaks_python(tmp_path: Path) -> None:
    done = run_as_script(make_checkout(tmp_path, "operator/__init__.py"))
    assert (done.returncode, done.stdout) == (
        1,
        "layout: operator/__init__.py shadows the standard library's operator module: remove it\n",
    )


def test_an_operator_package_breaks_python_so_that_the_check_is_worth_having(tmp_path: Path) -> None:
    make_checkout(tmp_path, "operator/__init__.py")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode != 0
    assert "operator" in done.stderr


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else CHECKOUT)
    for problem in wrong:
        print(f"layout: {problem}")  # noqa: T201 -- a script's way to speak
    sys.exit(1 if wrong else 0)
