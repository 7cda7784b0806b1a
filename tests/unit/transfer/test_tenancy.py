"""Namespace allowlists: what a namespace may read, download and write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reconstruction_operator.transfer import fetch as inputs
from reconstruction_operator.transfer import tenancy
from reconstruction_operator.transfer.errors import StorageError
from reconstruction_operator.transfer.folders.delivery import FolderTarget
from reconstruction_operator.transfer.https import download
from reconstruction_operator.transfer.limits import Limits
from reconstruction_operator.transfer.runs import DeliveringRun

from tests.support.refs import make_attempt
from tests.support.settings import configure

RUN = DeliveringRun(make_attempt("job1"), folder=None)


@pytest.fixture
def photos(limits: Limits) -> Path:
    """A root with a folder for each of two namespaces, one for all, and a link between them."""
    root = limits.roots[0]
    for name in ("maps", "maps-2", "parks", "shared"):
        (root / name).mkdir()
        (root / name / "a.jpg").write_bytes(name.encode())
    (root / "maps" / "link").symlink_to(root / "parks")
    return root


def fetch(uri: str, namespace: str, into: Path, limits: Limits, *entries: str) -> bytes:
    pairs = [(name, prefix) for name, _, prefix in (entry.partition("=") for entry in entries)]
    mine = replace(limits, namespace=namespace, granted=tenancy.granted(pairs, namespace))
    return inputs.fetch(uri, into, into.with_name("fetched"), mine, lambda *_: None).photos[0].read_bytes()


@pytest.mark.parametrize(
    ("folder", "entries"),
    [
        pytest.param("maps", [], id="no entry: no limit"),
        pytest.param("maps", ["maps={root}/maps"], id="its own"),
        pytest.param("shared", ["maps={root}/maps", "*={root}/shared"], id="one for all"),
        pytest.param("maps", ["*={root}/{namespace}"], id="the placeholder"),
        pytest.param("maps", ["parks={root}/parks", "maps={root}"], id="a whole root"),
    ],
)
def test_namespace_reads_what_its_allowlist_names(
    folder: str, entries: list[str], photos: Path, into: Path, limits: Limits
) -> None:
    grants = [entry.replace("{root}", str(photos)) for entry in entries]
    assert fetch(f"file://{photos}/{folder}", "maps", into, limits, *grants) == folder.encode()


@pytest.mark.parametrize(
    ("path", "namespace", "entries", "text"),
    [
        pytest.param(
            "parks",
            "maps",
            ["*={root}/{namespace}"],
            "this worker allows it only {root}/maps",
            id="of another namespace",
        ),
        pytest.param("maps-2", "maps", ["maps={root}/maps"], "may not read", id="a longer name"),
        pytest.param("maps/link", "maps", ["maps={root}/maps"], "may not read", id="a link to another namespace's"),
        pytest.param("maps/%2e%2e/parks", "maps", ["maps={root}/maps"], "may not read", id="encoded dots"),
        pytest.param("maps", "parks", ["maps={root}/maps"], "allows it nothing", id="no entry for it"),
        pytest.param("maps", "", ["*={root}/maps"], "namespace (none) may not read", id="no namespace"),
        pytest.param("parks", "../parks", ["*={root}/{namespace}"], "allows it nothing", id="an invalid namespace"),
        pytest.param("maps", "maps", ["maps=https://host/maps"], "may not read", id="an address alone"),
        pytest.param("maps", "maps", ["maps=/elsewhere/maps"], "may not read", id="a folder that is no root"),
        pytest.param("../jobs", "maps", ["maps=/"], "is not in a folder", id="a grant widens no root"),
    ],
)
def test_a_namespace_reads_nothing_else_and_the_message_gives_the_reason(
    *, path: str, namespace: str, entries: list[str], text: str, photos: Path, into: Path, limits: Limits
) -> None:
    grants = [entry.replace("{root}", str(photos)) for entry in entries]
    with pytest.raises(StorageError) as refusal:
        fetch(f"file://{photos}/{path}", namespace, into, limits, *grants)
    assert refusal.value.reason == "INPUT_REFUSED"
    assert text.replace("{root}", str(photos)) in str(refusal.value)


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        pytest.param("https://host/maps/a.zip", True, id="below"),
        pytest.param("https://host:443/maps/a.zip", True, id="with the default port"),
        pytest.param("https://HOST/maps/a.zip?signature=x", True, id="capitals and a query"),
        pytest.param("https://host/maps-2/a.zip", False, id="a longer name"),
        pytest.param("https://host/a.zip", False, id="above"),
        pytest.param("https://host/maps/%2e%2e/a.zip", False, id="encoded dots"),
        pytest.param("https://host/maps/x\\..\\..\\a.zip", False, id="backslashes"),
        pytest.param("https://host/maps/..;/a.zip", False, id="dots with a parameter"),
        pytest.param("https://host/maps/%252e%252e/a.zip", False, id="dots encoded twice"),
        pytest.param("https://host/maps/50%25.zip", True, id="a percent sign"),
        pytest.param("https://host:8443/maps/a.zip", False, id="another port"),
        pytest.param("https://host.example/maps/a.zip", False, id="another host"),
        pytest.param("https://host@evil.example/maps/a.zip", False, id="a user that looks like the host"),
    ],
)
def test_address_is_compared_by_host_port_and_folders(uri: str, allowed: bool, tmp_path: Path, limits: Limits) -> None:
    mine = replace(limits, namespace="maps", granted=("https://host/maps",), https_hosts=())

    def resolve(*_: object) -> list[str]:
        raise OSError("asked for the address: it may")

    with pytest.raises(StorageError) as refusal:
        download.download(uri, tmp_path / "download", mine, lambda *_: None, resolve=resolve)
    assert ("it may" in str(refusal.value)) is allowed, str(refusal.value)


def test_results_are_delivered_only_to_addresses_on_the_allowlist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "meshes"
    root.mkdir()
    configure(monkeypatch, OUTPUT_ROOTS=(str(root),), NAMESPACE_OUTPUTS=(("*", f"{root}/{{namespace}}"),))

    FolderTarget(f"file://{root}/maps/banana", "maps").check(RUN)
    with pytest.raises(StorageError, match=f"namespace maps may not write to {root}/parks/banana") as refusal:
        FolderTarget(f"file://{root}/parks/banana", "maps").check(RUN)

    assert refusal.value.reason == "OUTPUT_REFUSED"


@pytest.mark.parametrize(
    ("prefix", "key", "covered"),
    [
        pytest.param("s3://photos/maps/", "maps/set", True, id="below it"),
        pytest.param("s3://photos/maps", "maps", True, id="the folder itself"),
        pytest.param("s3://photos", "any/set", True, id="a whole bucket"),
        pytest.param("s3://photos/", "", True, id="the bucket itself"),
        pytest.param("s3://photos/maps/", "maps-2/set", False, id="a longer name"),
        pytest.param("s3://photos/maps/", "", False, id="the bucket above it"),
        pytest.param("s3://photo/maps/", "maps/set", False, id="another bucket"),
        pytest.param("gs://photos/maps/", "maps/set", False, id="another store"),
        pytest.param("/photos/maps", "maps/set", False, id="a folder"),
    ],
)
def test_a_grant_of_object_storage_covers_what_lies_below_it(prefix: str, key: str, covered: bool) -> None:
    assert tenancy.covers_objects([prefix], "s3", "photos", key) is covered
