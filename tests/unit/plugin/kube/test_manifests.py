from typing import Any

import pytest
from kubectl_recon.errors import UsageError
from kubectl_recon.kube import manifests
from kubectl_recon.kube.manifests import name_for, parameter


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("faces=200000", 200_000),
        ("texture=true", True),
        ("quality=fast", "fast"),
        ("tag=007", "007"),
        ("equation=a=b", "a=b"),
        ("steps=[1, 2]", [1, 2]),
        ('version="3"', "3"),
        ("empty=", ""),
    ],
)
def test_the_type_of_a_parameter_is_detected(text: str, value: Any) -> None:
    assert parameter(text)[1] == value
    assert type(parameter(text)[1]) is type(value)


def test_a_new_job_has_no_parameter_to_remove() -> None:
    wanted = {"model": None, "quality": None, "output": None}
    assert manifests.new(**wanted, parameters=["faces=100"]) == {"parameters": {"faces": 100}}
    assert manifests.changes(**wanted, parameters=["faces=null"]) == {"parameters": {"faces": None}}
    with pytest.raises(UsageError, match="faces=null removes a parameter of a job that is run again"):
        manifests.new(**wanted, parameters=["faces=null"])


@pytest.mark.parametrize("text", ["quality", "=fast", ""])
def test_an_invalid_parameter_is_rejected(text: str) -> None:
    with pytest.raises(UsageError, match="write name=value"):
        parameter(text)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/me/My Photos (2)", "my-photos-2"),
        ("photos/banana/", "banana"),
        ("s3://bucket/photos/banana/", "banana"),
        ("https://host/set.tar.gz?token=x", "set"),
        ("/tmp/ÄÖ", "photos"),
        ("x" * 90, "x" * 50),
    ],
)
def test_a_name_is_made_from_a_folder_or_address(path: str, name: str) -> None:
    assert name_for(path) == name
