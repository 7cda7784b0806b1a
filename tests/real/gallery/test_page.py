"""The page in a real Chromium: no error in the console, and no request to another host.

`wait_until` replaces Playwright's `wait_for_function`: that evaluates strings in the page, which the page's policy
forbids.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page, Route, expect
from reconstruction_operator.kube import paths

from devcluster.harness.gallery import Gallery
from devcluster.harness.jobs import Jobs
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import PROXY_SECRET, SHARE_SECRET, MakeUser
from tests.support.browser import barriers, watched
from tests.support.paths import DATA
from tests.support.photos import make_photo, write_clip
from tests.support.plugin import Program

pytestmark = pytest.mark.long

PAGE_ROWS = 50
SECONDS = 1000  # milliseconds, which Playwright counts in
WAIT = 60 * SECONDS
Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, gallery: Gallery, make_user: MakeUser) -> Iterator[Open]:
    """Open a page and sign in as a user with a role. No page may have an error or a request to another host."""
    wrong, contexts = [], []

    def opened(role: str = "editor", path: str = "/", *, quiet: bool = True, **options: object) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        wrong.append(watched(page, gallery.url, "blob:", "data:", console=quiet))
        page.goto(gallery.url + path)
        page.get_by_label("Kubernetes token").fill(make_user(role))
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#live")).to_have_text("Live", timeout=WAIT)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [error for of_page in wrong for error in of_page] == []


def test_a_running_job_progresses_and_is_cancelled_in_two_steps(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    page = open_page("canceller")
    name = jobs.create(queue="slow", parameters={"stepSeconds": 5})

    item = page.locator(".jobs li", has_text=name)
    bar = item.locator("progress")
    expect(item.locator(".badge").first).to_have_text("Running", timeout=WAIT)
    first = float(bar.evaluate("bar => bar.value"))
    wait_until(lambda: bar.evaluate("bar => bar.value") > first, "the bar to move")
    assert barriers(page) == []

    item.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    expect(page.get_by_role("button", name="Suspend")).to_have_count(0)  # the canceller may not
    page.get_by_role("button", name="Request cancel…").click()
    page.get_by_role("button", name="Request cancel", exact=True).click()
    expect(page.get_by_text("A cancel is requested by reconstruction-gallery/")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("A cancel is requested")).to_have_count(0, timeout=WAIT)
    page.get_by_role("button", name="Request cancel…").click()
    page.get_by_label("Reason").fill("Wrong photos")
    page.screenshot(path=tmp_path / "request.png")
    assert barriers(page) == []
    page.keyboard.press("Enter")
    expect(page.get_by_text(": Wrong photos. The job continues")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Confirm cancel…").click()
    page.screenshot(path=tmp_path / "confirm.png")
    assert barriers(page) == []
    page.get_by_role("button", name="Confirm cancel", exact=True).click()

    expect(page.locator(".now .badge")).to_have_text("Cancelled", timeout=WAIT)
    assert jobs.get(name)["status"]["phase"] == "Cancelled"
    assert jobs.get(name)["spec"]["cancelReason"] == "Wrong photos"


def test_the_history_shows_deleted_jobs_and_what_they_used(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    done = jobs.create_in("Succeeded", "statue")
    jobs.create_in("Failed", "broken", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    page = open_page("viewer")
    page.get_by_role("link", name="History", exact=True).click()
    row = page.get_by_role("row", name=re.compile(f"{jobs.namespace}.statue.*Succeeded"))

    def recorded() -> bool:
        page.reload()
        expect(page.locator(".count")).to_contain_text(" jobs", timeout=WAIT)
        return row.count() == 1

    wait_until(recorded, "the end to be recorded")
    jobs.delete(done)
    jobs.wait_gone(done)

    page.reload()

    expect(row).to_be_visible(timeout=WAIT)
    expect(page.get_by_role("row", name=re.compile(f"^\\d+-\\d+ {jobs.namespace} 2 1 1 0"))).to_be_visible(timeout=WAIT)
    page.screenshot(path=tmp_path / "history.png", full_page=True)
    assert barriers(page) == []
    page.get_by_label("Phase").select_option("Failed")
    expect(row).to_have_count(0)
    expect(page.get_by_role("row", name=re.compile("broken.*Failed: INPUT_REFUSED"))).to_be_visible()
    with page.expect_download() as started:
        page.get_by_role("link", name="Download all as CSV").click()
    assert f"{jobs.namespace},statue," in started.value.path().read_text()


def test_a_user_who_asks_for_it_is_told_the_end_of_a_job(open_page: Open, jobs: Jobs) -> None:
    name = jobs.create(queue="slow", suspend=True)
    page = open_page("viewer", f"/jobs/{jobs.namespace}/{name}")
    # A headless browser shows no notifications
    page.evaluate("""() => {
      window.told = [];
      window.Notification = class {
        static permission = "default";
        static async requestPermission() { return this.permission = "granted"; }
        constructor(title) { window.told.push(title); }
      };
    }""")

    page.get_by_role("button", name="Tell me when it ends").click()
    expect(page.get_by_role("button", name="Tell me when it ends")).to_have_count(0)
    page.get_by_role("link", name="All jobs").click()
    jobs.cancel(name)

    wait_until(lambda: page.evaluate("window.told") == [f"{name}: Cancelled"], "the notification")
    page.locator(".jobs li", has_text=name).click()
    expect(page).to_have_title(re.compile(f"^Cancelled: {name} "))


def test_a_mesh_can_be_turned_and_files_can_be_downloaded(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    name = jobs.create()
    jobs.wait_phase(name, "Succeeded")
    page = open_page("viewer", f"/jobs/{jobs.namespace}/{name}")

    viewer = page.locator("model-viewer")
    viewer.wait_for()
    wait_until(lambda: page.evaluate("document.querySelector('model-viewer').loaded"), "the mesh to be shown")
    angle = "document.querySelector('model-viewer').getCameraOrbit().theta"
    before = page.evaluate(angle)
    picture = viewer.screenshot(path=tmp_path / "before.png")
    box = viewer.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 200, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()

    wait_until(lambda: abs(page.evaluate(angle) - before) > 0.3, "the mesh to turn")  # radians
    assert viewer.screenshot(path=tmp_path / "after.png") != picture
    pictures = "[...document.querySelectorAll('.pictures img')].every(one => one.naturalWidth > 0)"
    wait_until(lambda: page.evaluate(pictures), "the previews to be shown")
    expect(page.locator("dl div", has_text="Generating previews")).to_contain_text("s")
    assert barriers(page) == []
    with page.expect_download() as download:
        page.locator(".files a", has_text=".glb").first.click()
    content = Path(download.value.path()).read_bytes()
    assert (
        content
        == next((jobs.system.jobs_dir / jobs.get(name)["metadata"]["uid"] / "output").glob("*.glb")).read_bytes()
    )
    menu = page.locator("summary", has_text="Download")
    menu.click()
    assert barriers(page) == []
    with page.expect_download() as download:
        page.get_by_role("link", name="All files (ZIP)").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert f"{name}/manifest.json" not in archive.namelist()
        assert archive.testzip() is None
    menu.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="USDZ, for iPhones").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
    page.get_by_role("tab", name="Log").click()
    expect(page.get_by_text("you may not read the Events")).to_be_visible(timeout=WAIT)  # of this test's viewers
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "job.png", full_page=True)


def test_a_link_shows_one_result_to_everyone_until_its_job_or_secret_goes(
    open_page: Open, gallery: Gallery, jobs: Jobs, tmp_path: Path
) -> None:
    name = jobs.create()
    jobs.wait_phase(name, "Succeeded")
    page = open_page("viewer", f"/jobs/{jobs.namespace}/{name}")
    page.get_by_role("button", name="Share…").click()
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_text("The link works until")).to_be_visible(timeout=WAIT)
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "share.png")
    link = page.get_by_label("Link").input_value()
    page.context.clear_cookies()

    page.goto(link)
    wait_until(lambda: page.evaluate("document.querySelector('model-viewer')?.loaded"), "the mesh to be shown")
    expect(page.locator(".now .badge")).to_have_text("Succeeded, simulated")
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "shared.png", full_page=True)
    api = link.replace(f"{gallery.url}/", "/api/")
    response = gallery.request("GET", api)
    assert response.json.keys() == {"name", "phase", "state", "verdict", "sentence", "size", "files"}
    paths = [f"{api}/files/{response.json['files'][0]['name']}", f"{api}/result.zip", f"{api}/files/manifest.json"]
    assert [gallery.request("GET", path).status for path in paths] == [200, 200, 404]
    assert jobs.namespace.encode() not in response.content

    secret = jobs.system.folder / "share-secret"
    secret.write_text(PROXY_SECRET)
    assert gallery.request("GET", paths[0]).status == 404
    secret.write_text(SHARE_SECRET)
    assert gallery.request("GET", paths[0]).status == 200
    jobs.delete(name)
    wait_until(lambda: gallery.request("GET", paths[0]).status == 404, "the link to end with its job")


@pytest.mark.release
@pytest.mark.timeout(900)
def test_a_running_job_shows_its_cameras_and_a_photo_until_the_mesh_replaces_them(
    open_page: Open, jobs: Jobs, photos_root: Path, tmp_path: Path
) -> None:
    page = open_page("editor")
    archive = {"uri": f"file://{shutil.make_archive(str(photos_root / 'packed'), 'zip', DATA / 'photos' / 'berlin')}"}
    # Not smaller: the page must draw the cameras before the end.
    name = jobs.create(modelType="photogrammetry", input=archive, parameters={"quality": "preview"})
    page.locator(".jobs li", has_text=name).click()
    viewer, loaded = page.locator("model-viewer"), "document.querySelector('model-viewer').loaded"
    early = jobs.wait(name, "aligned", lambda job: "registered" in job.get("status", {}).get("quality", {}))["status"]
    assert (early["phase"], early["quality"]["registered"], early["quality"]["leftOut"]) == ("Running", "3", "0")
    expect(viewer).to_have_attribute("src", re.compile("/early.glb"), timeout=10 * WAIT)
    expect(page.get_by_text("3 of 3 photos are aligned.")).to_be_visible(timeout=WAIT)
    held: list[Route] = []
    # The job may end before a busy browser has drawn anything.
    page.route(f"**/jobs/{name}", lambda route: held.append(route))  # noqa: PLW0108  # Playwright sets attributes of it
    page.evaluate("document.kept = true")
    wait_until(lambda: page.evaluate(loaded), "the cameras to be shown")
    page.screenshot(path=tmp_path / "early.png", timeout=10 * WAIT)
    photo = "document.querySelector('.sheet')?.naturalWidth"  # of an archive, which the gallery itself does not unpack
    wait_until(lambda: page.evaluate(photo) == 320, "the first photo to be shown")

    for route in held:
        route.continue_()
    page.unroute(f"**/jobs/{name}")
    expect(viewer).to_have_attribute("src", re.compile("/model.glb$"), timeout=10 * WAIT)
    wait_until(lambda: page.evaluate(loaded), "the mesh to be shown")
    expect(page.get_by_text("photos are aligned")).to_have_count(0)
    assert page.evaluate("document.kept")  # it was not reloaded
    status = jobs.get(name)["status"]
    assert "early.glb" not in {file["name"] for file in status["outputs"]["files"]}
    assert status["message"].startswith("Succeeded: a mesh of 3 of 3 photos, sharp to ")
    expect(page.locator(".message")).to_contain_text(status["message"].removeprefix("Succeeded: a mesh of "))
    expect(page.locator(".said")).to_contain_text("3 of 3 photos show it, and agree to ")
    expect(page.locator(".said")).to_contain_text("more photos would show ")
    advised = page.get_by_role("button", name=re.compile("Where .* photos? helps?"))
    advised.click()
    address = viewer.evaluate("one => new URL('advice.json', new URL(one.src, location)).href")
    standpoints = page.request.get(address).json()["standpoints"]
    expect(page.locator(".standpoint")).to_have_count(len(standpoints))
    expect(page.locator(".standpoints li").last).to_contain_text(standpoints[-1]["text"])
    rectangles = "[...document.querySelectorAll('.standpoint')].map((one) => one.getBoundingClientRect())"

    def placed() -> bool:
        box = viewer.bounding_box()
        assert box
        return all(
            box["x"] < x < box["x"] + box["width"] and box["y"] < y < box["y"] + box["height"]
            for x, y in page.evaluate(f"{rectangles}.map(({{ x, y }}) => [x, y])")
        )

    wait_until(placed, "the standpoints to be in the picture")
    page.screenshot(path=tmp_path / "standpoints.png", full_page=True)
    assert barriers(page) == []
    advised.click()
    expect(page.locator(".standpoint")).to_have_count(0)
    page.get_by_role("link", name="New job").click()
    page.locator("#photos").set_input_files(sorted((DATA / "photos" / "berlin").glob("*.jpg")))
    high = page.locator(".quality", has_text="the finest: 90,000 triangles")
    expect(high).to_contain_text(re.compile(r"about \d+ (min|h)( \d+ min)? here"), timeout=WAIT)
    expect(page.locator(".zone .sheet")).to_be_visible(timeout=WAIT)
    page.screenshot(path=tmp_path / "form.png")
    assert barriers(page) == []


def test_the_mesh_fills_its_box_and_a_distance_on_it_is_measured(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    name = jobs.create()
    jobs.wait_phase(name, "Succeeded")
    page = open_page("viewer", f"/jobs/{jobs.namespace}/{name}")
    viewer = page.locator("model-viewer")
    viewer.wait_for()
    wait_until(lambda: page.evaluate("document.querySelector('model-viewer').loaded"), "the mesh to be shown")
    page.evaluate("document.querySelector('model-viewer').shadowIntensity = 0")
    expect(page.locator(".loading")).to_have_text("")

    def filled() -> bool:
        with Image.open(io.BytesIO(viewer.screenshot(path=tmp_path / "filled.png"))) as picture:
            empty = Image.new("RGB", picture.size, picture.convert("RGB").getpixel((2, 2)))
            left, top, right, bottom = ImageChops.difference(picture.convert("RGB"), empty).getbbox() or (0, 0, 0, 0)
            return bottom - top > 0.85 * picture.height or right - left > 0.85 * picture.width

    wait_until(filled, "the mesh to fill its box")
    box = viewer.bounding_box()
    assert box is not None
    page.get_by_role("button", name="Measure").click()
    expect(page.get_by_text("Click a first point of the mesh.")).to_be_visible()
    page.mouse.click(box["x"] + 3, box["y"] + 3)
    expect(page.get_by_text("There is no surface at that point.")).to_be_visible()
    page.get_by_role("button", name="Point in the middle").click()
    page.mouse.click(box["x"] + box["width"] / 2 + 60, box["y"] + box["height"] / 2)
    page.get_by_label("is really").fill("30")
    page.keyboard.press("Tab")
    expect(page.locator(".distance")).to_have_text("30 cm")
    page.screenshot(path=tmp_path / "measured.png")
    assert barriers(page) == []
    page.get_by_role("button", name="Point in the middle").click()
    page.mouse.click(box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2)
    expect(page.locator(".distance")).to_have_text(re.compile(r"^(?!30 )\d+(\.\d+)? cm$"))
    page.get_by_role("button", name="Measure").click()
    expect(page.locator(".point")).to_have_count(0)


def test_each_job_has_a_picture_and_why_answers_as_the_plugin(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    photos = {"input": {"uri": f"file://{DATA}/photos/berlin"}}
    jobs.create("waits", queue="gpu", **photos)
    jobs.cancel(jobs.create("cancelled", queue="slow", suspend=True, **photos))
    jobs.create_in("Failed", "late", queue="slow", activeDeadlineSeconds=1, **photos)
    jobs.create_in("Failed", "none", modelType="photogrammetry", input={"uri": "file:///nowhere"})
    jobs.wait_phase("cancelled", "Cancelled")
    page = open_page("viewer")

    for name in ("waits", "cancelled", "late"):
        picture = page.locator(".jobs li", has_text=name).locator(".picture img")
        picture.wait_for()
        wait_until(lambda one=picture: one.evaluate("one => one.naturalWidth") == 320, f"the photo of {name}")
    expect(page.locator(".jobs li", has_text="none").locator(".tile")).to_have_text("N")
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "pictures.png")
    page.locator(".jobs li", has_text="waits").click()
    page.get_by_role("button", name="Why?").click()
    recon = Program(jobs.system.cluster.kubeconfig, jobs.namespace)
    answer = json.loads(recon("why", "waits", "-o", "json").stdout)
    expect(page.get_by_role("dialog")).to_contain_text(answer["answer"], timeout=WAIT)
    expect(page.get_by_role("dialog")).to_contain_text(f"What an editor of {jobs.namespace} can do")
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "why.png")


def test_a_viewer_on_a_phone_has_a_header_of_one_line_without_a_form(open_page: Open, jobs: Jobs) -> None:
    name = jobs.create(suspend=True)
    jobs.patch(name, cancelRequested=True, cancelReason="<b>x</b> " + 200 * "a")
    page = open_page("viewer", viewport={"width": 375, "height": 700})

    bar = page.locator(".bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 64
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert "system:" not in page.locator("#user").inner_text()
    expect(page.get_by_role("link", name="New job")).to_have_count(0)
    page.locator(".jobs a").click()
    expect(page.get_by_text("A cancel is requested")).to_contain_text("<b>x</b>", timeout=WAIT)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    page.goto(page.url.partition("/jobs/")[0] + "/new")
    expect(page.get_by_text("You may not create jobs here")).to_be_visible(timeout=WAIT)
    assert barriers(page) == []


def test_every_surface_shows_the_same_verdict_with_its_sentence(
    open_page: Open, jobs: Jobs, photos_root: Path, tmp_path: Path
) -> None:
    (photos_root / "vase").mkdir(exist_ok=True)
    for number in range(2):
        (photos_root / "vase" / f"{number}.jpg").write_bytes(make_photo())
    vase = {"uri": f"file://{photos_root}/vase"}
    jobs.create_in("Succeeded", "vase", modelType="rough-warned", queue="rough", input=vase)
    jobs.create_in("Failed", "typo", modelType="photogrammetry", parameters={"quality": "fsat"}, input=vase)
    jobs.create_in("Succeeded", "cube")
    recon = Program(jobs.system.cluster.kubeconfig, jobs.namespace)
    rows = {line.split()[0]: line for line in recon("get").stdout.splitlines()}
    columns = jobs.system.cluster.kubectl("-n", jobs.namespace, "get", "recon", "-o", "wide").stdout
    page = open_page("viewer", quiet=False)  # the mesh is no real one

    for name, state in {"vase": "Succeeded, warning", "typo": "Failed", "cube": "Succeeded, simulated"}.items():
        status = jobs.get(name)["status"]
        verdict, sentence = status["verdict"], status["message"].removeprefix(f"{status['verdict']}: ")
        row = page.locator(".jobs li", has_text=name)
        badge = row.locator(".badge").first
        expect(badge).to_have_text(state, timeout=WAIT)
        expect(badge).to_have_attribute("data-verdict", verdict)
        expect(row).to_contain_text(sentence)
        assert state in rows[name]
        assert sentence in rows[name]
        assert status["message"] in columns
    assert jobs.wait_event("vase", "ResultWarning")[::2] == ("Warning", "5 of 9 photos were aligned")
    page.screenshot(path=tmp_path / "verdicts.png", full_page=True)
    page.locator(".jobs li", has_text="vase").click()
    expect(page.locator(".now .badge")).to_have_text("Succeeded, warning", timeout=WAIT)
    expect(page.locator(".message")).to_contain_text("Warning: 5 of 9 photos were aligned")
    page.screenshot(path=tmp_path / "poor.png", full_page=True)


def test_page_and_plugin_show_how_far_the_parts_of_a_job_are(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    name = jobs.create("castle", managedBy="example.com/test")  # so the operator leaves the status
    status = {"phase": "Running", "worker": "cpu@one", "parts": {"total": 12, "done": 5, "running": 2}}
    jobs.system.cluster.api.patch(f"{paths.job(jobs.namespace, name)}/status", {"status": status})

    assert "5 of 12 parts made, 2 workers" in Program(jobs.system.cluster.kubeconfig, jobs.namespace)("workers").stdout
    page = open_page("viewer", f"/jobs/{jobs.namespace}/{name}")
    expect(page.locator("dl div", has_text="Parts")).to_contain_text("5 of 12 made, 2 workers", timeout=WAIT)
    page.screenshot(path=tmp_path / "parts.png", full_page=True)


def test_a_job_that_took_too_long_runs_again_without_its_deadline(open_page: Open, jobs: Jobs) -> None:
    jobs.create_in("Failed", "late", queue="slow", parameters={"stepSeconds": 0.5}, activeDeadlineSeconds=1)
    page = open_page("editor", f"/jobs/{jobs.namespace}/late")

    page.get_by_role("button", name="Run again without the deadline…").click(timeout=WAIT)
    expect(page.get_by_role("button", name="quality fast")).to_have_count(0)  # the placeholder has no such parameter
    page.get_by_role("dialog").get_by_role("button", name="Run again").click()

    spec = jobs.wait_phase("late-2", "Succeeded")["spec"]
    assert ("activeDeadlineSeconds" in spec, spec["parameters"]) == (False, {"stepSeconds": 0.5})


def test_a_report_in_its_frame_cannot_reach_the_gallery_or_another_site(
    open_page: Open, jobs: Jobs, tmp_path: Path
) -> None:
    """A hostile model's report sends requests to the gallery as the user, and leads its frame to another site."""
    name = jobs.create()
    jobs.wait_phase(name, "Succeeded")
    output = jobs.system.jobs_dir / jobs.get(name)["metadata"]["uid"] / "output"
    report = (
        b"<p id=state>started</p><script>"
        b"const tries = [() => fetch('/api/jobs'), async () => parent.document.title, async () => document.cookie];"
        b"Promise.allSettled(tries.map(one => Promise.resolve().then(one))).then(all => {"
        b"state.textContent = all.map(one => one.status).join(' '); });</script>"
    )
    (output / "report.html").write_bytes(report)
    manifest = json.loads((output / "manifest.json").read_text())
    manifest["files"].append({"name": "report.html", "bytes": len(report), "sha256": "0" * 64})
    (output / "manifest.json").write_text(json.dumps(manifest))
    page = open_page("viewer", f"/jobs/{jobs.namespace}/{name}#report", quiet=False)

    state = page.frame_locator("iframe.report").locator("#state")
    expect(state).to_have_text("rejected rejected rejected", timeout=WAIT)


def test_chosen_photos_become_a_job(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    page = open_page("editor")
    page.get_by_role("link", name="New job").click()
    photos = sorted((DATA / "photos" / "berlin").glob("*.jpg"))[:3]
    page.locator("#photos").set_input_files([*photos, DATA / "bad_manifests.yaml"])
    expect(page.get_by_text("3 photos")).to_contain_text("1 other files are left out")
    page.get_by_label("Namespace").fill(jobs.namespace)
    page.get_by_label("Model").select_option("placeholder")
    page.get_by_label("Name", exact=True).fill("from-the-page")
    page.get_by_label("Queue").select_option("rough")
    page.get_by_label("Queue").select_option("celery")
    page.get_by_text("More parameters").click()
    page.get_by_label("Seconds of each step").fill("0.1")
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "new.png")

    page.get_by_role("button", name="Upload and start").click()
    expect(page.get_by_text("3 photos: 20 or more")).to_be_visible(timeout=WAIT)
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "checked.png")
    expect(page.locator("form .primary:visible")).to_have_count(1)
    page.get_by_role("button", name="Start anyway").click()

    expect(page).to_have_url(re.compile(f"/jobs/{jobs.namespace}/from-the-page$"), timeout=WAIT)
    expect(page.locator(".now .badge")).to_have_text("Succeeded, simulated", timeout=WAIT)
    expect(page.locator("dl div", has_text=re.compile("^Input"))).to_contain_text(f"/{jobs.namespace}/")
    expect(page.locator("dl div", has_text=re.compile("^Seconds of each step"))).to_contain_text("0.1")
    wait_until(lambda: page.locator(".sheet").evaluate("one => one.naturalWidth") == 3 * 160, "the photos to be shown")

    page.get_by_role("button", name="Run again…").click()  # on a queue whose jobs stay on the list as running
    page.get_by_label("Queue").select_option("slow")
    page.get_by_text("More parameters").click()
    page.get_by_label("Seconds of each step").fill("60")
    assert barriers(page) == []
    page.get_by_role("button", name="Run again", exact=True).click()
    expect(page).to_have_url(re.compile("/from-the-page-2$"), timeout=WAIT)
    first, again = (jobs.get(name)["spec"] for name in ("from-the-page", "from-the-page-2"))
    assert again == first | {"queue": "slow", "parameters": {"stepSeconds": 60}}
    page.get_by_role("link", name="All jobs").click()
    picture = page.locator(".jobs li", has_text="from-the-page-2").locator(".picture img")
    wait_until(lambda: picture.evaluate("one => one.naturalWidth") == 3 * 160, "the list to show a photo")


@pytest.mark.release
def test_a_chosen_video_becomes_a_job(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    page = open_page("editor", "/new")
    page.locator("#photos").set_input_files(write_clip(tmp_path / "walk.mp4", codec="vp09"))
    page.get_by_label("Namespace").fill(jobs.namespace)
    page.get_by_label("Model").select_option("placeholder")
    page.get_by_label("Name", exact=True).fill("from-a-video")
    page.screenshot(path=tmp_path / "chosen.png")
    page.get_by_role("button", name="Upload and start").click()
    expect(page).to_have_url(re.compile("/from-a-video$"), timeout=WAIT)
    expect(page.locator(".now .badge")).to_have_text("Succeeded, simulated", timeout=WAIT)
    wait_until(lambda: page.locator(".sheet").evaluate("one => one.naturalWidth") == 160, "a frame to be shown")
    page.screenshot(path=tmp_path / "job.png")


def test_an_upload_continues_after_a_reload_or_is_cancelled(open_page: Open, gallery: Gallery, jobs: Jobs) -> None:
    jobs.create("taken", suspend=True)
    page = open_page("editor", "/new", quiet=False)
    photos = sorted((DATA / "photos" / "berlin").glob("*.jpg"))[:3]
    sent: list[str] = []
    page.on(
        "request",
        lambda sent_request: sent.append(sent_request.url.rpartition("/")[2]) if sent_request.method == "PUT" else None,
    )
    page.context.route(f"**/{photos[2].name}", lambda _route: None)  # hangs
    page.get_by_label("Model").select_option("placeholder")
    page.locator("#photos").set_input_files(photos)
    page.get_by_label("Namespace").fill(jobs.namespace)
    page.get_by_label("Name", exact=True).fill("taken")
    expect(page.get_by_text(f"There is a job taken in {jobs.namespace} already.")).to_be_visible(timeout=WAIT)
    page.get_by_role("button", name="Upload and start").click()
    assert sent == []
    page.get_by_label("Name", exact=True).fill("continued")
    page.get_by_role("button", name="Upload and start").click()
    expect(page.get_by_text("2 of 3 photos are uploaded")).to_be_visible(timeout=WAIT)

    page.get_by_role("link", name="Reconstructions").click()
    expect(page.get_by_text("If you leave this page")).to_be_visible()
    page.get_by_role("button", name="Stay here").click()
    assert not page.evaluate("dispatchEvent(new Event('beforeunload', { cancelable: true }))")  # the browser asks
    page.get_by_role("button", name="Cancel the upload").click()
    expect(page.get_by_text("The upload was cancelled; 3 photos are chosen.")).to_be_visible(timeout=WAIT)
    page.context.route(f"**/{photos[2].name}", lambda route: route.abort())  # one that hung would be sent at the close
    page.get_by_role("button", name="Upload and start").click()
    expect(page.get_by_role("button", name="Continue")).to_be_enabled(timeout=WAIT)
    page.close()
    page = page.context.new_page()
    page.context.unroute_all()
    page.goto(f"{gallery.url}/new")
    expect(page.get_by_text("2 of 3 photos of continued are uploaded")).to_be_visible(timeout=WAIT)
    sent.clear()
    page.on(
        "request",
        lambda sent_request: sent.append(sent_request.url.rpartition("/")[2]) if sent_request.method == "PUT" else None,
    )
    page.locator("#photos").set_input_files(photos)
    page.get_by_role("button", name="Upload and start").click()
    page.get_by_role("button", name="Start anyway").click()

    expect(page).to_have_url(re.compile("/continued$"), timeout=WAIT)
    assert sent == [photos[2].name, ".sheet.jpg"]


def test_a_failed_job_offers_other_photos_and_a_deleted_one_is_restored(
    open_page: Open, gallery: Gallery, make_user: MakeUser, jobs: Jobs, tmp_path: Path
) -> None:
    name = jobs.create()
    uid = jobs.wait_phase(name, "Succeeded")["metadata"]["uid"]
    failed = jobs.create(modelType="photogrammetry", input={"uri": f"file://{DATA}/photos/none"})
    page = open_page("editor", f"/jobs/{jobs.namespace}/{failed}")
    expect(page.locator(".now .badge")).to_have_text("Failed", timeout=WAIT)
    page.get_by_role("link", name="Upload other photos").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value(f"{failed}-2")

    page.get_by_role("link", name="Reconstructions").click()
    page.get_by_label("Search").fill(name)
    page.locator(".jobs a").click()
    page.get_by_role("button", name="Delete…").click()
    assert barriers(page) == []
    page.get_by_role("button", name="Delete the job").click()
    expect(page.get_by_role("button", name="Restore")).to_be_visible(timeout=WAIT)
    page.get_by_role("link", name="All jobs").click()
    expect(page).to_have_url(re.compile(f"/\\?search={name}$"))
    expect(page.locator(".count")).to_have_text("0 of 1 jobs")
    page.evaluate("localStorage.removeItem('gallery.deleted')")  # as if it had been deleted elsewhere
    trash = jobs.system.jobs_dir / ".trash"
    wait_until(lambda: list(trash.glob(f"*/*/{uid}~*")), "the result to be in the trash")
    assert gallery.request("GET", "/api/trash", token=make_user("stranger")).json == {"jobs": []}
    page.get_by_text("Deleted jobs").click()
    link = page.get_by_role("link", name=f"{jobs.namespace}/{name}")
    expect(link).to_be_visible(timeout=WAIT)
    page.screenshot(path=tmp_path / "trash.png")
    link.click()
    page.get_by_role("button", name="Restore").click()

    expect(page.locator(".now .badge")).to_contain_text("Succeeded", timeout=WAIT)
    assert jobs.get(name)["status"]["reusedFrom"]


def test_an_unknown_address_is_a_page_of_its_own(open_page: Open) -> None:
    page = open_page("viewer", "/no/such/page", quiet=False)  # the browser reports the status 404

    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    assert barriers(page) == []


def test_a_dropped_folder_becomes_a_job_of_its_name(open_page: Open, jobs: Jobs, tmp_path: Path) -> None:
    folder = tmp_path / "My Vase"
    photos = sorted((DATA / "photos" / "berlin").glob("*.jpg"))[:3]
    for name, photo in (("a.jpg", photos[0]), ("side/a.jpg", photos[1]), ("side/b.jpg", photos[2])):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(photo.read_bytes())
    for name in ("masks/a.png", ".hidden.jpg", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(make_photo("PNG"))
    jobs.create("my-vase", suspend=True)
    page = open_page("editor")
    expect(page.locator(".jobs li")).to_have_count(1)

    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    devtools = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 600, "y": 400, "data": data})

    expect(page).to_have_url(re.compile("/new$"), timeout=WAIT)
    expect(page.get_by_text("4 photos")).to_contain_text("2 other files are left out")
    page.get_by_label("Namespace").fill(jobs.namespace)
    expect(page.get_by_label("Name", exact=True)).to_have_value("my-vase-2")
    page.get_by_label("Model").select_option("placeholder")
    page.get_by_role("button", name="Upload and start").click()
    page.get_by_role("button", name="Start anyway").click()
    expect(page).to_have_url(re.compile(f"/jobs/{jobs.namespace}/my-vase-2$"), timeout=WAIT)
    uploaded = Path(jobs.get("my-vase-2")["spec"]["input"]["uri"].removeprefix("file://"))
    assert sorted(path.name for path in uploaded.iterdir()) == [
        ".sheet.jpg",
        "a.jpg",
        "a.mask.png",
        "side_a.jpg",
        "side_b.jpg",
    ]


@pytest.mark.parametrize("many", [500, pytest.param(2000, marks=pytest.mark.release)])
def test_the_page_stays_small_with_many_jobs(open_page: Open, jobs: Jobs, tmp_path: Path, many: int) -> None:
    """One page of rows at a time; used by keyboard, on a phone, in dark mode."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: jobs.create(f"many-{number:04}", managedBy="example.com/none"), range(many)))
    page = open_page("viewer", viewport={"width": 390, "height": 800}, color_scheme="dark")
    expect(page.locator(".count")).to_have_text(f"{many} of {many} jobs", timeout=WAIT)

    assert page.locator(".jobs li").count() == PAGE_ROWS
    assert page.evaluate("document.querySelectorAll('*').length") < 1500
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert barriers(page) == []
    page.screenshot(path=tmp_path / "phone.png")
    page.keyboard.press("/")
    page.keyboard.type(f"many-{many - 1:04}")
    expect(page.locator(".count")).to_have_text(f"1 of {many} jobs")
    jobs.delete("many-0000")
    expect(page.locator(".count")).to_have_text(f"1 of {many - 1} jobs", timeout=WAIT)
    page.locator(".jobs a").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"many-{many - 1:04}")


def test_signing_out_removes_all_jobs_from_the_page(open_page: Open, jobs: Jobs) -> None:
    name = jobs.create(suspend=True)
    page = open_page("viewer")
    expect(page.locator(".jobs li", has_text=name)).to_be_visible(timeout=WAIT)

    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_label("Kubernetes token")).to_be_visible()
    assert barriers(page) == []
    assert name not in page.content()
    page.go_back()
    assert name not in page.content()
