"""Go modules: files come only from the pinned release."""

from dataclasses import replace

import pytest

from devcluster.errors import DevclusterError
from devcluster.programs.go_modules import GoModule

# The smallest one that other tests download too.
MODULE = GoModule("sigs.k8s.io/yaml", "v1.6.0", "h1:G8fkbMSAFqgEFgh4b1wmtzDnioxFCUgTZhlbj5P9QYs=")


def test_pinned_module_is_unpacked() -> None:
    assert "module sigs.k8s.io/yaml" in (MODULE.folder() / "go.mod").read_text()


def test_module_with_another_hash_is_rejected() -> None:
    with pytest.raises(DevclusterError, match="is not the pinned release: h1:G8fk"):
        replace(MODULE, checksum="h1:other").folder()


def test_error_names_a_missing_release() -> None:
    with pytest.raises(DevclusterError, match=r"v1\.6\.0-none could not be downloaded"):
        replace(MODULE, version="v1.6.0-none").folder()
