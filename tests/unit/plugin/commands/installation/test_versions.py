import pytest
from kubectl_recon.commands.installation.versions import minor, operator_version
from kubectl_recon.installation.metrics import Metrics
from kubectl_recon.installation.operator import NAMESPACE, Operator

POD = {"metadata": {"name": "operator-0", "labels": {"app.kubernetes.io/version": "0.3.1"}}}


@pytest.mark.parametrize(
    ("text", "number"), [("v1.34.1", (1, 34)), ("0.1.0", (0, 1)), ("v1.31.0+k3s1", (1, 31)), ("", None), ("dev", None)]
)
def test_the_minor_version_is_parsed(text: str, number: tuple[int, int] | None) -> None:
    assert minor(text) == number


@pytest.mark.parametrize(
    ("seen", "version"),
    [
        (Operator(NAMESPACE, metrics=Metrics(version="0.2.0"), pods=(POD,)), "0.2.0"),
        (Operator(NAMESPACE, metrics=Metrics(), pods=(POD,)), "0.3.1"),
        (Operator(NAMESPACE), ""),
    ],
)
def test_the_operators_version_comes_from_metrics_or_pods(seen: Operator, version: str) -> None:
    assert operator_version(seen) == version
