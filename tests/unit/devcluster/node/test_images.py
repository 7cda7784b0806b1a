"""Tags and targets of the images."""

import re

import yaml

from devcluster.node import images
from tests.support.paths import CHECKOUT


def test_images_are_tagged_as_the_chart_asks_for_them() -> None:
    chart = yaml.safe_load((CHECKOUT / "charts/reconstruction-operator/Chart.yaml").read_text())
    assert chart["appVersion"] == images.VERSION


def test_every_target_has_its_stage_in_the_dockerfile() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(images.TARGETS) <= set(stages)
