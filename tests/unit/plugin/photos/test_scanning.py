from __future__ import annotations

from pathlib import Path

import pytest
from kubectl_recon.errors import UsageError
from kubectl_recon.photos.scanning import find, measure, scan
from PIL import Image, ImageFilter

from tests.support.paths import DATA

PHOTOS = DATA / "photos"


def real_photo() -> Path:
    return min(PHOTOS.rglob("*.jpg"))


def test_a_photo_is_measured() -> None:
    path = real_photo()
    photo = measure(path, path.name)
    with Image.open(path) as image:
        assert (photo.width, photo.height, photo.kind, photo.problem) == (*image.size, "JPEG", "")
    assert photo.bytes == path.stat().st_size
    assert photo.sharpness > 0


def test_a_jpeg_with_a_preview_after_it_is_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with Image.new("RGB", (64, 48)) as image:
        image.save(path, "MPO", save_all=True, append_images=[image])
    assert measure(path, path.name).kind == "JPEG"


def test_a_blurred_copy_is_less_sharp_and_looks_alike(tmp_path: Path) -> None:
    with Image.open(real_photo()) as image:
        image.filter(ImageFilter.GaussianBlur(12)).save(tmp_path / "blurred.jpg")
    sharp = measure(real_photo(), "a")
    blurred = measure(tmp_path / "blurred.jpg", "b")
    assert blurred.sharpness < sharp.sharpness / 5
    assert (sharp.fingerprint ^ blurred.fingerprint).bit_count() <= 6


def test_camera_focal_length_and_position_are_read(tmp_path: Path) -> None:
    image = Image.new("RGB", (64, 48))
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "EOS 80D"
    exif.get_ifd(0x8769)[0x920A] = 35.0
    exif.get_ifd(0x8825)[1] = "N"
    image.save(tmp_path / "a.jpg", exif=exif)
    photo = measure(tmp_path / "a.jpg", "a.jpg")
    assert (photo.camera, photo.focal_length, photo.has_position) == ("Canon EOS 80D", 35.0, True)


@pytest.mark.parametrize(
    ("box", "least", "most"),
    [
        pytest.param(None, 0.0, 0.0, id="whole"),
        pytest.param((0, 40, 400, 260), 0.12, 0.15, id="letterbox"),
        pytest.param((50, 0, 350, 300), 0.11, 0.14, id="pillarbox"),
        pytest.param((0, 40, 400, 300), 0.0, 0.0, id="dark-sky"),
    ],
)
def test_black_bars_at_two_edges_are_measured(
    tmp_path: Path, box: tuple[int, int, int, int] | None, least: float, most: float
) -> None:
    image = Image.new("RGB", (400, 300))
    left, top, right, bottom = box or (0, 0, 400, 300)
    with Image.open(real_photo()) as photo:
        image.paste(
            photo.convert("RGB").resize((right - left, bottom - top)).point(lambda value: 40 + value // 2), (left, top)
        )
    image.save(tmp_path / "a.jpg", quality=80)
    assert least <= measure(tmp_path / "a.jpg", "a.jpg").bars <= most


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("notes.txt", b"hello", "not a photo in a format that the workers read"),
        ("cut.jpg", None, "cannot be read"),
        ("IMG_1.CR2", b"II*\0", "a raw file of a camera: export it as JPEG"),
        ("empty.png", b"", "not a photo in a format"),
    ],
)
def test_an_unusable_file_has_a_problem(tmp_path: Path, name: str, content: bytes | None, problem: str) -> None:
    path = tmp_path / name
    path.write_bytes(real_photo().read_bytes()[:3000] if content is None else content)
    assert measure(path, name).problem.startswith(problem)


def test_a_folder_is_read_recursively_without_hidden_files(tmp_path: Path) -> None:
    for name in ("a.jpg", "left/b.jpg", ".DS_Store", "__MACOSX/._a.jpg", ".git/x", "Thumbs.db"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [name for _, name in find([str(tmp_path)])] == ["a.jpg", "left/b.jpg"]


def test_links_to_photos_are_read_and_other_links_have_a_problem(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for name, target in (("photo.jpg", real_photo()), ("gone.jpg", tmp_path / "gone"), ("masks", tmp_path)):
        (tmp_path / "set" / name).symlink_to(target)
    problem = "a link to a folder or to a missing file"
    problems = {photo.name: photo.problem for photo in scan(find([str(tmp_path / "set")]))}
    assert problems == {"photo.jpg": "", "gone.jpg": problem, "masks": problem}


def test_two_files_of_the_same_name_are_rejected(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="would have the same name"):
        find([str(tmp_path / "one"), str(tmp_path / "two")])
    with pytest.raises(UsageError, match="there is no file or folder"):
        find([str(tmp_path / "three")])
