"""Images: their tags and targets."""

import re

import yaml

from devcluster.node import images
from tests.support.paths import CHECKOUT


def test_tag_of_the_images_is_the_charts_app_version() -> None:
    chart = yaml.safe_load((CHECKOUT / "charts/reconstruction-operator/Chart.yaml").read_text())
    assert chart["appVersion"] == images.VERSION


def test_every_target_is_a_stage_of_the_dockerfile() -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (CHECKOUT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(images.TARGETS) <= set(stages)
