"""Go modules: files come only from the pinned release."""

from dataclasses import replace

import pytest

from devcluster.errors import DevclusterError
from devcluster.programs.go_modules import GoModule

# The smallest one that other tests download too.
MODULE = GoModule("sigs.k8s.io/yaml", "v1.6.0", "h1:G8fkbMSAFqgEFgh4b1wmtzDnioxFCUgTZhlbj5P9QYs=")


def test_module_with_another_hash_is_rejected() -> None:
    with pytest.raises(DevclusterError, match="is not the pinned release: h1:G8fk"):
        replace(MODULE, checksum="h1:other").folder()
