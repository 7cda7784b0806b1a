"""Files of a Go module, and only of the release that was pinned."""

from dataclasses import replace

import pytest

from devcluster.errors import BuildError
from devcluster.programs.go_modules import GoModule

# The smallest of those that are downloaded anyhow.
MODULE = GoModule("sigs.k8s.io/yaml", "v1.6.0", "h1:G8fkbMSAFqgEFgh4b1wmtzDnioxFCUgTZhlbj5P9QYs=")


def test_a_module_that_is_the_pinned_one_is_unpacked() -> None:
    assert "module sigs.k8s.io/yaml" in (MODULE.folder() / "go.mod").read_text()


def test_module_with_another_hash_is_refused() -> None:
    with pytest.raises(BuildError, match="is not the pinned release: h1:G8fk"):
        replace(MODULE, checksum="h1:other").folder()


def test_error_names_a_missing_release() -> None:
    with pytest.raises(BuildError, match=r"v1\.6\.0-none could not be downloaded"):
        replace(MODULE, version="v1.6.0-none").folder()
