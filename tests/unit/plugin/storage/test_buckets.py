import pytest
from kubectl_recon.errors import UsageError
from kubectl_recon.storage.buckets import SCHEMES, Folder, is_address
from reconstruction_operator.readers import OBJECT_SCHEMES
from reconstruction_operator.transfer.objects.address import ObjectAddress


def test_the_schemes_match_the_workers() -> None:
    assert set(SCHEMES) == set(OBJECT_SCHEMES)


@pytest.mark.parametrize(
    "uri", ["s3://photos", "s3://photos/", "gs://photos/a/b", "az://photos/My%20Set/", "s3://b/50%25/"]
)
def test_an_address_is_parsed_as_by_the_workers(uri: str) -> None:
    ours, theirs = Folder.parse(uri), ObjectAddress.parse(uri, "INPUT_REFUSED")
    assert (ours.scheme, ours.bucket, ours.key) == (theirs.scheme, theirs.bucket, theirs.key)


@pytest.mark.parametrize("key", ["banana", "My Set (2)", "50%", "ä/ö", "a#b", "a?b"])
def test_the_workers_can_parse_our_addresses(key: str) -> None:
    assert ObjectAddress.parse(str(Folder("s3", "photos", "").below(key)), "INPUT_REFUSED").key == key


@pytest.mark.parametrize("uri", ["", "photos", "https://host/x", "s3://", "s3:///x", "s3://b/../x", "s3://b/x?y"])
def test_an_invalid_folder_is_rejected(uri: str) -> None:
    with pytest.raises(UsageError):
        Folder.parse(uri)


@pytest.mark.parametrize(
    ("text", "expected"), [("s3://a/b", True), ("s3:a", False), ("file:///x", False), ("s3", False)]
)
def test_addresses_are_distinguished_from_paths(text: str, expected: bool) -> None:
    assert is_address(text) == expected
