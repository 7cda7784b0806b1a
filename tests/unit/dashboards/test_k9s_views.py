"""The columns of k9s: all that the API server prints, since k9s would add others at the end."""

import yaml
from reconstruction_operator.api.crd import PRINTER_COLUMNS

from tests.support.paths import CHECKOUT

VIEWS = CHECKOUT / "manifests/integrations/k9s/views.yaml"


def test_the_views_name_each_column_of_the_resource() -> None:
    (view,) = yaml.safe_load(VIEWS.read_text())["views"].values()

    named = {column.partition("|")[0].partition(":")[0] for column in view["columns"]}

    assert {column["name"].upper() for column in PRINTER_COLUMNS} <= named
