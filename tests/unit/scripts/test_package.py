"""Chart.yaml is made from the changelog, the project's URLs, the CRD, the examples and the values."""

from __future__ import annotations

import pytest

from scripts.generate import package

CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

- Chart value `extraObjects` ([docs/helm.md](docs/helm.md)).
- A job may be cancelled.

### Security

- `helm test` runs as another user.

## [0.1.0]

### Added

- The chart.
"""


def test_the_changes_are_those_of_the_chart_in_the_newest_version() -> None:
    assert package.changes(CHANGELOG) == [
        ("added", "Chart value `extraObjects`."),
        ("security", "`helm test` runs as another user."),
    ]


def test_every_kind_of_change_is_one_of_artifact_hub() -> None:
    kinds = {"added", "changed", "deprecated", "removed", "fixed", "security"}

    assert package.sections(package.read("CHANGELOG.md")).keys() <= kinds


@pytest.mark.parametrize(
    ("urls", "found"),
    [
        pytest.param({}, {}, id="none"),
        pytest.param(
            {
                "Homepage": "https://example.com",
                "Source": "https://git.example.com/a",
                "Issues": "https://example.com/i",
            },
            {
                "home": "https://example.com",
                "sources": ["https://git.example.com/a"],
                "links": [
                    {"name": "Homepage", "url": "https://example.com"},
                    {"name": "Source", "url": "https://git.example.com/a"},
                    {"name": "Issues", "url": "https://example.com/i"},
                ],
            },
            id="all",
        ),
        pytest.param(
            {"Repository": "https://git.example.com/a"},
            {
                "sources": ["https://git.example.com/a"],
                "links": [{"name": "Repository", "url": "https://git.example.com/a"}],
            },
            id="only the source",
        ),
    ],
)
def test_addresses_follow_from_the_projects_urls(urls: dict[str, str], found: dict[str, object]) -> None:
    assert package.addresses(urls) == found


def test_the_hand_written_part_is_kept() -> None:
    head, marker, _ = package.chart_yaml().partition(package.MARKER)

    assert marker
    assert package.read(package.TARGET).startswith(head + marker)
    assert "\nname: reconstruction-operator\n" in head
