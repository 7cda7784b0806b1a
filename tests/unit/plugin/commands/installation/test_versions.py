import pytest
from kubectl_recon.commands.installation.versions import minor


@pytest.mark.parametrize(
    ("text", "number"), [("v1.34.1", (1, 34)), ("0.1.0", (0, 1)), ("v1.31.0+k3s1", (1, 31)), ("", None), ("dev", None)]
)
def test_the_minor_version_is_parsed(text: str, number: tuple[int, int] | None) -> None:
    assert minor(text) == number
