"""Files of a release: SBOMs, checksums, and a checkout that cannot be released."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from devcluster.errors import DevclusterError
from devcluster.node import images
from scripts.release import __main__ as release
from scripts.release import sbom
from tests.support.paths import CHECKOUT

EPOCH = 1_790_000_000
LINUX = {"sys_platform": "linux", "python_full_version": "3.13.0"}
LOCK = f"""\
pyyaml==6.0.4 \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
tzdata==2026.6 ; sys_platform == 'win32' \\
    --hash=sha256:{"c" * 64}
"""
DPKG = """\
Package: libstdc++6
Status: install ok installed
Architecture: arm64
Version: 14.2.0-19

Package: netbase
Status: install ok installed
Architecture: all
Version: 1:6.5

Package: gone
Status: deinstall ok config-files
Architecture: arm64
Version: 1
"""


def test_the_sbom_of_the_gallery_has_the_pins_of_its_image() -> None:
    document = json.loads(release.wheel_sbom("reconstruction-gallery", ["gallery.txt"], "0.1.0", EPOCH))
    components = {component["name"] for component in document["components"]}
    assert {"starlette", "uvicorn", "obstore"} <= components
    assert not components & {"kopf", "pycolmap"}


def test_sha256sum_accepts_the_checksums(tmp_path: Path) -> None:
    for name in ("b.whl", "a.tgz"):
        (tmp_path / name).write_text(name)
    release.write_checksums(tmp_path)
    release.write_checksums(tmp_path)  # never of itself

    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout) == (0, "a.tgz: OK\nb.whl: OK\n")


def test_a_folder_with_other_files_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(DevclusterError, match="choose another folder"):
        release.clear(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_the_folder_of_an_earlier_release_is_emptied(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    for _ in range(2):
        release.clear(folder)
        (folder / "old.whl").touch()
        (folder / "SHA256SUMS").touch()
    release.clear(folder)
    assert list(folder.iterdir()) == []


def test_uncommitted_changes_are_an_obstacle(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    assert release.uncommitted(tmp_path) == []

    (tmp_path / "new.py").touch()
    assert release.uncommitted(tmp_path) == ["uncommitted changes, which a tag would lack:\n?? new.py"]


def test_pins_of_another_platform_are_not_in_the_sbom(tmp_path: Path) -> None:
    lock = tmp_path / "operator.txt"
    lock.write_text(LOCK)
    assert list(sbom.locked(lock, LINUX)) == [
        sbom.Package("pkg:pypi/pyyaml@6.0.4", "pyyaml", "6.0.4", sha256=("a" * 64, "b" * 64))
    ]


def test_every_pin_of_the_images_is_in_the_sbom() -> None:
    lock = CHECKOUT / "requirements/worker.txt"
    windows = {"sys_platform": "win32", "python_full_version": "3.11.2"}
    lines = [line.split("==")[0] for line in lock.read_text().splitlines() if "==" in line and line[0] != " "]
    everywhere = {package.name for environment in (LINUX, windows) for package in sbom.locked(lock, environment)}
    assert everywhere == set(lines)


def test_packages_of_an_image_are_read_from_its_root(tmp_path: Path) -> None:
    info = tmp_path / "venv/lib/python3.13/site-packages/PyYAML-6.0.4.dist-info"
    own = info.with_name("reconstruction_operator-0.1.0.dist-info")
    for folder, name, more in ((info, "PyYAML", "License-Expression: MIT\n"), (own, "reconstruction-operator", "")):
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {name}\nVersion: 6.0.4\n{more}")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_ID="13"\n')
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(DPKG)

    assert [(package.purl, package.licence) for package in sbom.installed(tmp_path, "arm64")] == [
        ("pkg:pypi/pyyaml@6.0.4", "MIT"),
        ("pkg:deb/debian/libstdc%2B%2B6@14.2.0-19?arch=arm64&distro=debian-13", ""),
        ("pkg:deb/debian/netbase@1%3A6.5?arch=all&distro=debian-13", ""),
    ]


def test_an_sbom_is_a_reproducible_cyclonedx_document() -> None:
    parts = [
        sbom.Package("pkg:pypi/b@1", "b", "1", "MIT", is_expression=True, sha256=("a" * 64,)),
        sbom.Package("pkg:pypi/a@2", "a", "2", "BSD, as its text says"),
    ]
    text = sbom.document("reconstruction-operator", "0.1.0", "container", parts, EPOCH)
    assert text == sbom.document("reconstruction-operator", "0.1.0", "container", reversed(parts), EPOCH)

    document = json.loads(text)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert document["metadata"]["timestamp"] == "2026-09-21T14:13:20+00:00"
    assert document["components"] == [
        {
            "type": "library",
            "bom-ref": "pkg:pypi/a@2",
            "name": "a",
            "version": "2",
            "purl": "pkg:pypi/a@2",
            "licenses": [{"license": {"name": "BSD, as its text says"}}],
        },
        {
            "type": "library",
            "bom-ref": "pkg:pypi/b@1",
            "name": "b",
            "version": "1",
            "purl": "pkg:pypi/b@1",
            "licenses": [{"expression": "MIT"}],
            "externalReferences": [
                {"type": "distribution", "url": "pkg:pypi/b@1", "hashes": [{"alg": "SHA-256", "content": "a" * 64}]}
            ],
        },
    ]
    assert document["dependencies"] == [
        {"ref": "reconstruction-operator@0.1.0", "dependsOn": ["pkg:pypi/a@2", "pkg:pypi/b@1"]}
    ]


def test_an_image_that_the_kernel_cannot_run_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(DevclusterError, match="apt-get install qemu-user-static binfmt-support"):
        images._check_emulation("arm64", tmp_path)

    (tmp_path / "qemu-aarch64").touch()
    images._check_emulation("arm64", tmp_path)
