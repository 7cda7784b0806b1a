"""Checks of the images' packages reject lock files that violate them.

That this checkout passes is checked by `make lint`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.checks import assignments, bases, circles, licences, lockfiles, settings

HASH = f"--hash=sha256:{'0' * 64}"


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


def test_every_image_without_a_digest_is_reported() -> None:
    digest, other = f"sha256:{'0' * 64}", f"sha256:{'1' * 64}"
    texts = {
        "Dockerfile": (
            f"ARG BASE_IMAGE=docker.io/library/debian:trixie@{digest}\n"
            "FROM ${BASE_IMAGE} AS tools\nFROM tools AS wheel\n"
        ),
        "a.yml": f"    container: debian:trixie@{digest} # as root\n",
        "b.yml": "    container:\n      image: debian:trixie\n",
        "c.yml": f"    container: debian:trixie@{other}\n",
    }
    assert list(bases.unpinned(texts)) == [
        "b.yml: debian:trixie can be moved at its registry: write debian:trixie@sha256:…, and run `make base-images`",
        "c.yml: debian:trixie has two digests: run `make base-images`",
    ]


def test_every_name_of_no_setting_in_a_text_for_users_is_reported() -> None:
    texts = {
        "plugin/kubectl_recon/a.py": (
            '"""Of REDIS_HOST."""\nCURE = f"check its address (REDIS_HOST, REDIS_STATE_DB) {1}"\nX = "NO_TEXT"\n'
        ),
        "gallery/reconstruction_gallery/static/a.js": "const LESS_WORK = 1; say('set REDIS_PORT first');\n",
        "charts/a/templates/NOTES.txt": '{{ fail "set OPERATOR_NAME" }}\n',
        "docs/a.md": "Set `WORKER_NAME` and `WORKER_POOLS`; `TOO_FEW_IMAGES` is a reason.\n",
        "tests/a.py": 'X = "this is REDIS_HOST"\n',
    }
    unknown = [problem.partition(", which")[0] for problem in settings.unknown(texts, settings.names())]
    assert unknown == [
        "plugin/kubectl_recon/a.py names REDIS_HOST",
        "gallery/reconstruction_gallery/static/a.js names REDIS_PORT",
        "charts/a/templates/NOTES.txt names OPERATOR_NAME",
        "docs/a.md names WORKER_NAME",
    ]


def test_modules_that_import_each_other_are_reported_wherever_the_import_is(tmp_path: Path) -> None:
    texts = {
        "a": "from demo import b\n",
        "b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from demo.sub.c import C\n",
        "sub/c": "def late():\n    import demo.a\n",
        "d": "from demo.a import x\nfrom demo import e\n",
        "e": "import json\n",
    }
    for name, text in texts.items():
        path = tmp_path / "demo" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert circles.problems(tmp_path) == ["demo.a, demo.b, demo.sub.c import each other"]


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        pytest.param("a, b = f(), g()", [1], id="two-calls"),
        pytest.param(
            "if x:\n    a, b.c = x, f(g)[0] + 1\n    a, b, c = 1, await f(), not g()", [3], id="in-expressions"
        ),
        pytest.param("a, b = f()", [], id="one-call-of-two-results"),
        pytest.param("a, b = f(), 0", [], id="one-call"),
        pytest.param("a, b = b, a", [], id="names"),
    ],
)
def test_calls_are_not_packed_into_one_assignment(statement: str, lines: list[int]) -> None:
    assert list(assignments.packed(ast.parse(statement))) == lines
