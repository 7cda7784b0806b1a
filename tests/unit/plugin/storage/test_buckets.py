import pytest
from kubectl_recon.errors import UsageError
from kubectl_recon.storage.buckets import Folder
from reconstruction_operator.transfer.objects.address import ObjectAddress


@pytest.mark.parametrize("key", ["banana", "My Set (2)", "50%", "ä/ö", "a#b", "a?b"])
def test_the_workers_can_parse_our_addresses(key: str) -> None:
    assert ObjectAddress.parse(str(Folder.of("s3://photos/").folder(key)), "INPUT_REFUSED").key == key


@pytest.mark.parametrize("uri", ["", "photos", "https://host/x", "s3://", "s3:///x", "s3://b/../x", "s3://b/x?y"])
def test_an_invalid_folder_is_rejected(uri: str) -> None:
    with pytest.raises(UsageError):
        Folder.of(uri)
