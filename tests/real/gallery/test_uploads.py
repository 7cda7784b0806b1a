"""Uploads: photos become a job of the user, within limits and quotas."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from devcluster.harness.gallery import Gallery, HttpAnswer
from devcluster.harness.jobs import Jobs
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import MakeUser
from tests.support.paths import DATA

JPEG = b"\xff\xd8\xff\xe0" + bytes(996)


class Sender:
    """One user's uploads into the test's namespace."""

    def __init__(self, gallery: Gallery, jobs: Jobs, token: str) -> None:
        self._gallery, self._token = gallery, token
        self._path = f"/api/namespaces/{jobs.namespace}/uploads"

    def begin(self) -> str:
        answer = self._gallery.request("POST", self._path, {}, token=self._token)
        assert answer.status == 201, answer.content
        return str(answer.json["id"])

    def photo(self, upload: str, name: str, content: bytes = JPEG) -> HttpAnswer:
        return self._gallery.request("PUT", f"{self._path}/{upload}/photos/{name}", content, token=self._token)

    def submit(self, upload: str, name: str, **spec: object) -> HttpAnswer:
        body = {"name": name, "spec": {"modelType": "placeholder", **spec}}
        return self._gallery.request("POST", f"{self._path}/{upload}/job", body, token=self._token)

    def check(self, upload: str) -> HttpAnswer:
        return self._gallery.request("GET", f"{self._path}/{upload}/check", token=self._token)

    def discard(self, upload: str) -> HttpAnswer:
        return self._gallery.request("DELETE", f"{self._path}/{upload}", token=self._token)


@pytest.fixture
def sender(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> Sender:
    return Sender(gallery, jobs, make_user("editor"))


def test_uploaded_photos_become_a_job_of_the_user(sender: Sender, jobs: Jobs, uploads_dir: Path) -> None:
    upload = sender.begin()
    photos = sorted((DATA / "photos" / "berlin").glob("*.jpg"))[:3]
    for photo in photos:
        assert sender.photo(upload, photo.name, photo.read_bytes()).status == 201

    answer = sender.submit(upload, "from-my-laptop", suspend=True)
    assert answer.status == 400  # uploads may not set this field
    answer = sender.submit(upload, "from-my-laptop")

    assert answer.status == 201, answer.content
    job = jobs.get("from-my-laptop")
    assert job["spec"]["input"]["uri"] == f"file://{uploads_dir}/{jobs.namespace}/{upload}/photos"
    assert job["metadata"]["managedFields"][0]["manager"].startswith("reconstruction-gallery/system:")
    folder = uploads_dir / jobs.namespace / upload / "photos"
    assert {entry.name: entry.read_bytes() for entry in folder.iterdir()} == {
        photo.name: photo.read_bytes() for photo in photos
    }
    assert sender.photo(upload, "late.jpg").status == 409
    assert sender.discard(upload).status == 409


def test_an_invalid_name_is_rejected_and_can_be_corrected(sender: Sender) -> None:
    upload = sender.begin()
    sender.photo(upload, "a.jpg")

    refused = sender.submit(upload, "No Such Name")

    assert refused.status == 422
    assert "Invalid value" in refused.json["error"]
    assert sender.submit(upload, "a-name").status == 201


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        pytest.param("a.html", JPEG, 400, id="no-photo"),
        pytest.param("..jpg", JPEG, 400, id="dots"),
        pytest.param(".hidden.jpg", JPEG, 400, id="hidden"),
        pytest.param("..%2f..%2fx.jpg", JPEG, 404, id="path"),
        pytest.param("a%00.jpg", JPEG, 400, id="zero-byte"),
        pytest.param("x" * 200 + ".jpg", JPEG, 400, id="long"),
        pytest.param("a.jpg", b"<script>alert(1)</script>", 415, id="a-page"),
        pytest.param("a.jpg", b"", 415, id="empty"),
        pytest.param("a.jpg", b"\xff\xd8\xff" + bytes(400_000), 413, id="too-large"),
    ],
)
def test_a_file_that_is_not_a_photo_is_rejected_and_deleted(  # noqa: PLR0917  # fixtures
    sender: Sender, jobs: Jobs, uploads_dir: Path, name: str, content: bytes, status: int
) -> None:
    upload = sender.begin()

    assert sender.photo(upload, name, content).status == status
    assert list((uploads_dir / jobs.namespace / upload / "photos").iterdir()) == []
    assert sender.submit(upload, "without-photos").status == 400


def test_limits_of_an_upload_and_of_a_user_hold(sender: Sender) -> None:
    large = b"\xff\xd8\xff" + bytes(190_000)
    first = sender.begin()
    second = sender.begin()
    third = sender.begin()

    of_one = [sender.photo(first, f"{number}.jpg", large).status for number in range(8)]
    of_the_user = [sender.photo(second, f"{number}.jpg", large).status for number in range(4)]
    of_files = [sender.photo(third, f"{number}.jpg").status for number in range(13)]

    assert of_one == [201] * 7 + [413]
    assert of_the_user == [201] * 3 + [413]
    assert of_files == [201] * 12 + [413]
    assert sender.discard(first).status == 204
    assert sender.photo(second, "more.jpg", large).status == 201


def test_a_user_has_a_limited_number_of_open_uploads(gallery: Gallery, jobs: Jobs, sender: Sender) -> None:
    for _ in range(20):
        sender.begin()

    path = f"/api/namespaces/{jobs.namespace}/uploads"
    assert gallery.request("POST", path, {}, token=sender._token).status == 429


def test_an_upload_of_another_account_of_its_namespace_is_not_found(
    gallery: Gallery, jobs: Jobs, sender: Sender, make_user: MakeUser
) -> None:
    upload = sender.begin()
    other = Sender(gallery, jobs, make_user("editor"))

    assert other.photo(upload, "a.jpg").status == 404
    assert other.submit(upload, "theirs").status == 404
    assert other.discard(upload).status == 404


@pytest.mark.parametrize("role", ["viewer", "canceller"])
def test_a_user_who_may_not_create_jobs_may_not_upload(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser, role: str
) -> None:
    path = f"/api/namespaces/{jobs.namespace}/uploads"

    assert gallery.request("POST", path, {}, token=make_user(role)).status == 403


@pytest.mark.release
def test_a_hanging_photo_check_of_two_users_ends_when_a_third_waits(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser
) -> None:
    photo = next((DATA / "photos" / "berlin").glob("*.jpg")).read_bytes()
    senders = [Sender(gallery, jobs, make_user("editor")) for _ in range(3)]
    uploads = [sender.begin() for sender in senders]
    for sender, upload in zip(senders, uploads, strict=True):
        assert sender.photo(upload, "a.jpg", photo).status == 201

    def decoders() -> list[psutil.Process]:
        children = psutil.Process(gallery.process.pid).children()
        return [child for child in children if "reconstruction_gallery.files.checking" in child.cmdline()]

    with ThreadPoolExecutor() as pool:
        hanging = []
        for number in range(2):
            hanging.append(pool.submit(senders[number].check, uploads[number]))
            wait_until(lambda count=number + 1: len(decoders()) == count, "the check to begin")
            for decoder in decoders():
                decoder.suspend()
        third = senders[2].check(uploads[2])
        answer = hanging[0].result()

        assert (third.status, [finding["level"] for finding in third.json["findings"]]) == (200, ["error"])
        assert (answer.status, answer.json) == (503, {"error": "the photos could not be checked in time"})
        assert len(decoders()) == 1
        for decoder in decoders():
            decoder.resume()
        assert hanging[1].result().status == 200
