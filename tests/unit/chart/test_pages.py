"""Values in pages: helm renders the chart with each block."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from scripts.checks.pages import blocks
from tests.support.chart import Render
from tests.support.pages import texts

_VALUES = [
    pytest.param(values, id=f"{block.page}:{block.line}")
    for block in blocks(texts())
    if block.language == "yaml"
    for values in yaml.safe_load_all(block.text)
    if not {"kind", "spec"} & values.keys()
]


@pytest.mark.parametrize("values", _VALUES)
def test_the_chart_is_rendered_with_the_values_of_a_page(render: Render, values: dict[str, Any]) -> None:
    assert f"Deployment/{values.get('fullnameOverride', 'reconstruction')}-operator" in render(values)
