"""Release workflow: its own commands clone the tested commit, and `scripts/publish` and the Dockerfile refuse anything
else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.paths import CHECKOUT

TAG = "v0.2.0"
PYPROJECT = '[project]\nversion = "0.2.0"\n'
CHANGELOG = "# Changelog\n\n## [0.2.0] - 2026-09-21\n\n- All is new.\n"
REFUSAL = re.compile(r"^RUN (case .*?esac)$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """A repository as on the forge, whose branch `main` has the commit that was tested and tagged."""

    folder: Path
    tested: str

    def commit(self, text: str) -> str:
        """Commit a file on the branch that is checked out."""
        (self.folder / "README.md").write_text(text)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--message", text)
        return git(self.folder, "rev-parse", "HEAD")

    def environment(self) -> dict[str, str]:
        """Return the variables of a workflow that the tag has started."""
        return {
            "HOME": str(self.folder.parent),
            "GITHUB_SERVER_URL": f"file://{self.folder.parent}",
            "GITHUB_REPOSITORY": self.folder.name,
            "GITHUB_SHA": self.tested,
            "GITHUB_REF": f"refs/tags/{TAG}",
            "GITHUB_REF_NAME": TAG,
            "GITHUB_REF_TYPE": "tag",
            "OWNER": "owner",
        }


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "advice.detachedHead=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def shell(script: str, folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-e", "-c", script]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    folder = tmp_path / "origin"
    (folder / "scripts").mkdir(parents=True)
    shutil.copy(CHECKOUT / "scripts/publish", folder / "scripts")
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    git(folder, "init", "--quiet", "--initial-branch=main")
    tested = Origin(folder, "").commit("tested")
    git(folder, "tag", "--annotate", "--message", TAG, TAG)
    return Origin(folder, tested)


def clone(origin: Origin, workflow: str) -> Path:
    """Run the workflow's own step, and return the clone."""
    jobs = yaml.safe_load((CHECKOUT / ".github/workflows" / workflow).read_text())["jobs"]
    steps = {step.get("name", step["run"]): step["run"] for job in jobs.values() for step in job.get("steps", ())}
    folder = origin.folder.parent / "clone"
    folder.mkdir()
    done = shell(steps["clone the commit"], folder, origin.environment())
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("workflow", ["release.yml", "check.yml", "base-images.yml"])
def test_a_branch_with_the_name_of_the_tag_is_not_cloned(origin: Origin, workflow: str) -> None:
    git(origin.folder, "switch", "--quiet", "--create", TAG)
    origin.commit("not reviewed")
    assert git(clone(origin, workflow), "rev-parse", "HEAD") == origin.tested


def test_a_moved_tag_changes_nothing_of_what_is_built(origin: Origin) -> None:
    origin.commit("later")
    git(origin.folder, "tag", "--force", TAG)
    assert git(clone(origin, "release.yml"), "rev-parse", "HEAD") == origin.tested


def test_the_tested_commit_is_published(origin: Origin) -> None:
    done = shell("scripts/publish notes", clone(origin, "release.yml"), origin.environment())
    assert (done.returncode, done.stdout) == (0, "- All is new.\n"), done.stderr


def test_a_tag_that_was_moved_after_the_check_is_not_published(origin: Origin) -> None:
    folder = clone(origin, "release.yml")
    moved = origin.commit("later")
    git(origin.folder, "tag", "--force", TAG)
    done = shell("scripts/publish notes", folder, origin.environment())
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the tag {TAG} is {moved} now, but the workflow tested {origin.tested}" in done.stderr


def test_a_deleted_tag_is_not_published(origin: Origin) -> None:
    folder = clone(origin, "release.yml")
    git(origin.folder, "tag", "--delete", TAG)
    done = shell("scripts/publish notes", folder, origin.environment())
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the tag {TAG} does not exist" in done.stderr


def test_another_commit_than_the_tested_one_is_not_published(origin: Origin) -> None:
    folder = clone(origin, "release.yml")
    (folder / "README.md").write_text("changed")
    changed = shell("scripts/publish notes", folder, origin.environment())
    assert (changed.returncode, changed.stdout) == (1, "")
    assert f"this checkout differs from {origin.tested}" in changed.stderr

    git(folder, "commit", "--quiet", "--all", "--message", "not tested")
    committed = shell("scripts/publish notes", folder, origin.environment())
    assert (committed.returncode, committed.stdout) == (1, "")
    assert f"but the workflow tested {origin.tested}" in committed.stderr


@pytest.mark.parametrize(
    ("revision", "base", "status"),
    [
        pytest.param("unknown", "debian:trixie", 0, id="no release"),
        pytest.param("4f1c", f"debian:trixie@sha256:{'0' * 64}", 0, id="release"),
        pytest.param("4f1c", "debian:trixie", 1, id="release on a tag"),
    ],
)
def test_the_dockerfile_refuses_a_release_on_a_base_without_a_digest(
    revision: str, base: str, status: int, tmp_path: Path
) -> None:
    refusal = REFUSAL.search((CHECKOUT / "Dockerfile").read_text())
    assert refusal is not None
    done = shell(refusal[1].replace("\\\n", "\n"), tmp_path, {"REVISION": revision, "BASE_IMAGE": base})
    assert done.returncode == status
    assert ("needs a digest" in done.stderr) == bool(status)
