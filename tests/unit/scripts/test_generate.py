"""The generator writes and checks. That this checkout is up to date is checked by `make lint`."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.generate import __main__ as generate


def test_a_missing_or_changed_file_is_out_of_date_until_it_is_written(tmp_path: Path) -> None:
    made = generate.SUBJECTS["crd"]()
    first = next(iter(made))
    (tmp_path / first).parent.mkdir(parents=True)
    (tmp_path / first).write_text("changed")

    assert generate.outdated("crd", tmp_path) == made

    for name, text in made.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert generate.outdated("crd", tmp_path) == {}


def test_check_writes_nothing_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "outdated", lambda subject: {f"docs/{subject}.md": "new"})
    monkeypatch.setattr(generate, "CHECKOUT", tmp_path)

    assert generate.main(["--check", "docs"]) == 1
    assert capsys.readouterr().err == "generate: docs/docs.md is out of date: run `make generate`\n"
    assert list(tmp_path.iterdir()) == []

    assert generate.main(["docs"]) == 0
    assert (tmp_path / "docs/docs.md").read_text() == "new"


def test_an_unknown_subject_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        generate.main(["dosc"])
    assert (
        "cannot generate dosc; known: chart, crd, dashboard, docs, integrations, manifests, package"
        in capsys.readouterr().err
    )
