"""Access: responses contain what the API server allows the user; writes are made as the user."""

import json
import shutil
from collections.abc import Iterator

import pytest
from reconstruction_operator.contract.manifest import Manifest
from reconstruction_operator.jobfiles import manifest as manifests

from devcluster.harness.gallery import Browser, Gallery
from devcluster.harness.jobs import Jobs
from devcluster.harness.system import OPERATOR_NAMESPACE
from devcluster.programs.helm import helm
from devcluster.waiting import wait_until
from tests.real.gallery.conftest import PROXY_SECRET, MakeUser, revoke_all
from tests.support.paths import CHART, CHECKOUT
from tests.support.refs import make_attempt

PATHS = [
    pytest.param("GET", "/api/jobs", id="jobs"),
    pytest.param("GET", "/api/events", id="events"),
    pytest.param("GET", "/api/namespaces/{namespace}/jobs", id="jobs-of-a-namespace"),
    pytest.param("GET", "/api/namespaces/{namespace}/jobs/one", id="job"),
    pytest.param("GET", "/api/namespaces/{namespace}/jobs/one/files/manifest.json", id="file"),
    pytest.param("GET", "/api/namespaces/{namespace}/jobs/one/result.zip", id="archive"),
    pytest.param("GET", "/api/namespaces/{namespace}/jobs/one/log", id="log"),
    pytest.param("GET", "/api/namespaces/{namespace}/jobs/one/photos.jpg", id="photos"),
    pytest.param("GET", "/api/namespaces/{namespace}/jobs/one/photo.jpg", id="first-photo"),
    pytest.param("GET", "/api/namespaces/{namespace}/jobs/one/why", id="why"),
    pytest.param("GET", "/api/estimates", id="estimates"),
    pytest.param("POST", "/api/namespaces/{namespace}/jobs/one/actions", id="action"),
    pytest.param("POST", "/api/namespaces/{namespace}/jobs/one/share", id="share"),
    pytest.param("GET", "/api/installation", id="installation"),
    pytest.param("GET", "/api/trash", id="trash"),
    pytest.param("POST", "/api/namespaces/{namespace}/jobs", id="create"),
    pytest.param("GET", "/api/namespaces/{namespace}/uploads/0", id="received"),
    pytest.param("POST", "/api/namespaces/{namespace}/uploads", id="upload"),
    pytest.param("PUT", "/api/namespaces/{namespace}/uploads/0/photos/a.jpg", id="photo"),
    pytest.param("POST", "/api/namespaces/{namespace}/uploads/0/job", id="submit"),
    pytest.param("DELETE", "/api/namespaces/{namespace}/uploads/0", id="discard"),
]


def action(gallery: Gallery, jobs: Jobs, name: str, what: str, token: str) -> int:
    body = {"action": what, "uid": jobs.get(name)["metadata"]["uid"]}
    return gallery.request("POST", f"/api/namespaces/{jobs.namespace}/jobs/{name}/actions", body, token=token).status


def names(gallery: Gallery, token: str) -> list[str]:
    return [row["name"] for row in gallery.request("GET", "/api/jobs", token=token).json["jobs"]]


def know(gallery: Gallery, jobs: Jobs, name: str) -> None:
    """Wait until the gallery's watch has the job; an administrator sees all jobs."""
    admin = jobs.system.cluster.api.token
    path = f"/api/namespaces/{jobs.namespace}/jobs/{name}"
    wait_until(lambda: gallery.request("GET", path, token=admin).status == 200, f"the gallery to know {name}")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer no.such.token"}, {"Cookie": "gallery=guess"}])
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_request_without_a_valid_token_is_rejected(
    gallery: Gallery, jobs: Jobs, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = gallery.request(method, path.format(namespace=jobs.namespace), {}, headers)

    assert answer.status == 401
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize(("method", "path"), [path for path in PATHS if "{namespace}" in str(path.values[1])])
def test_a_user_without_rights_cannot_find_out_whether_a_job_exists(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser, method: str, path: str
) -> None:
    jobs.create("one", suspend=True)
    know(gallery, jobs, "one")

    body = {"action": "suspend", "uid": jobs.get("one")["metadata"]["uid"]} if path.endswith("actions") else {}
    token = make_user("stranger")
    answer = gallery.request(method, path.format(namespace=jobs.namespace), body, token=token)
    other = gallery.request(method, path.format(namespace=jobs.namespace).replace("/one", "/two"), body, token=token)

    assert (answer.status, other.status) == (403, 403)
    assert answer.content == other.content  # the same for an existing and a missing job


def test_deleted_jobs_of_an_earlier_namespace_of_that_name_are_shown_to_nobody(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser
) -> None:
    """Nor those of other namespaces, or of namespaces whose uid was not known."""
    namespace = jobs.system.cluster.api.get(f"/api/v1/namespaces/{jobs.namespace}")["metadata"]["uid"]
    trash = jobs.system.jobs_dir / ".trash"
    for name, where, uid in (
        ("mine", jobs.namespace, namespace),
        ("earlier", jobs.namespace, "of-another-tenant"),
        ("unknown", jobs.namespace, ""),
        ("elsewhere", "default", "of-default"),
    ):
        folder = trash / where / "00" / f"{jobs.namespace}-{name}~4000000000~4096"
        folder.mkdir(parents=True)
        attempt = make_attempt(f"{jobs.namespace}-{name}", namespace=where, name=name, namespace_uid=uid)
        manifests.seal(folder, Manifest(attempt, model="placeholder"))

    def shown(token: str) -> list[str]:
        return [job["metadata"]["name"] for job in gallery.request("GET", "/api/trash", token=token).json["jobs"]]

    viewer = make_user("viewer")
    wait_until(lambda: shown(viewer) == ["mine"], "the viewer's deleted job", seen=lambda: shown(viewer))
    assert shown(make_user("stranger")) == []
    assert not {"earlier", "unknown"} & set(shown(jobs.system.cluster.api.token))
    shutil.rmtree(trash)


def test_a_viewer_sees_only_the_jobs_of_the_own_namespace(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    jobs.create("mine", suspend=True)
    jobs.system.cluster.api.post(
        "/apis/reconstruction.dev/v1alpha1/namespaces/default/reconstructionjobs",
        {
            "apiVersion": "reconstruction.dev/v1alpha1",
            "kind": "ReconstructionJob",
            "metadata": {"name": "theirs"},
            "spec": {"suspend": True, "input": {"uri": "file:///photos/x"}},
        },
    )
    try:
        token, admin = make_user("viewer"), jobs.system.cluster.api.token
        wait_until(lambda: {"mine", "theirs"} <= set(names(gallery, admin)), "both jobs")

        assert names(gallery, token) == ["mine"]
        assert names(gallery, make_user("stranger")) == []
        assert gallery.request("GET", "/api/namespaces/default/jobs", token=token).status == 403
    finally:
        jobs.system.cluster.api.delete("/apis/reconstruction.dev/v1alpha1/namespaces/default/reconstructionjobs/theirs")


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        pytest.param("viewer", {"upload": False, "cancel": False, "suspend": False, "delete": False}, id="viewer"),
        pytest.param("canceller", {"upload": False, "cancel": True, "suspend": False, "delete": False}, id="canceller"),
        pytest.param("editor", {"upload": True, "cancel": True, "suspend": True, "delete": True}, id="editor"),
    ],
)
def test_the_page_offers_what_the_role_allows(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser, role: str, allowed: dict[str, bool]
) -> None:
    jobs.create("one", suspend=True)
    know(gallery, jobs, "one")

    detail = gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/one", token=make_user(role)).json

    assert detail["permissions"] == {**allowed, "share": True}


def test_a_cancel_in_two_steps_is_the_users_own_write(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    name = jobs.create_in("Running", queue="slow")
    know(gallery, jobs, name)
    viewer = make_user("viewer")
    canceller = make_user("canceller")

    assert action(gallery, jobs, name, "request-cancel", viewer) == 403
    assert action(gallery, jobs, name, "confirm-cancel", canceller) == 422  # the API server's rule: two steps
    assert action(gallery, jobs, name, "request-cancel", canceller) == 204
    assert action(gallery, jobs, name, "withdraw-cancel", canceller) == 204
    assert action(gallery, jobs, name, "request-cancel", canceller) == 204
    assert action(gallery, jobs, name, "confirm-cancel", canceller) == 204
    jobs.wait_phase(name, "Cancelled")
    path = f"/api/namespaces/{jobs.namespace}/jobs/{name}"
    job = gallery.request("GET", path, token=viewer).json["job"]
    account = f"system:serviceaccount:{jobs.namespace}:canceller-"
    assert job["writers"]["cancelConfirmed"]["client"].startswith(f"reconstruction-gallery/{account}")


def test_a_later_job_of_the_same_name_is_not_cancelled(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    jobs.create("one", suspend=True)
    know(gallery, jobs, "one")

    path, token = f"/api/namespaces/{jobs.namespace}/jobs/one/actions", make_user("editor")

    for what in ("request-cancel", "delete"):
        body = {"action": what, "uid": "00000000-0000-0000-0000-000000000000"}
        assert gallery.request("POST", path, body, token=token).status == 409
    assert not jobs.get("one")["spec"]["cancelRequested"]


def test_a_job_is_created_checked_and_deleted_with_the_users_rights(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser
) -> None:
    path, editor = f"/api/namespaces/{jobs.namespace}/jobs", make_user("editor")
    spec = {"modelType": "placeholder", "input": {"uri": "file:///photos/x"}, "suspend": True}

    def create(token: str, name: str = "one", **body: object) -> int:
        return gallery.request("POST", path, {"name": name, "spec": spec, **body}, token=token).status

    assert create(editor, dryRun=True) == 200
    assert create(editor, dryRun=True, spec={"input": {"uri": "photos"}}) == 422
    assert create(editor) == 201  # the check stored nothing
    assert create(editor, dryRun=True) == 409  # taken
    assert create(make_user("canceller"), "two") == 403
    know(gallery, jobs, "one")
    assert action(gallery, jobs, "one", "delete", make_user("canceller")) == 403
    assert action(gallery, jobs, "one", "delete", editor) == 204
    wait_until(lambda: gallery.request("GET", f"{path}/one", token=editor).status == 404, "the job to be gone")


def test_revoked_rights_take_effect_when_the_cached_review_expires(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser
) -> None:
    jobs.create("one", suspend=True)
    know(gallery, jobs, "one")
    token = make_user("viewer")
    assert names(gallery, token) == ["one"]

    revoke_all(jobs)

    wait_until(lambda: names(gallery, token) == [], "the viewer to be shown nothing")


def test_a_deleted_account_is_signed_out(gallery: Gallery, jobs: Jobs, make_user: MakeUser) -> None:
    browser = Browser(gallery)
    assert browser.sign_in(make_user("viewer")).status == 204

    accounts = f"/api/v1/namespaces/{jobs.namespace}/serviceaccounts"
    for account in jobs.system.cluster.api.get(accounts)["items"]:
        if account["metadata"]["name"].startswith("viewer-"):
            jobs.system.cluster.api.delete(f"{accounts}/{account['metadata']['name']}")

    wait_until(lambda: browser.request("GET", "/api/jobs").status == 401, "the session to end")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"X-Forwarded-User": "anna"}, 401, id="without-the-secret"),
        pytest.param({"X-Forwarded-User": "anna", "X-Gallery-Proxy-Secret": "guess"}, 403, id="wrong-secret"),
        pytest.param({"X-Gallery-Proxy-Secret": PROXY_SECRET}, 401, id="no-user"),
        pytest.param(
            {
                "X-Forwarded-User": "anna",
                "X-Forwarded-Groups": "team,system:masters",
                "X-Gallery-Proxy-Secret": PROXY_SECRET,
            },
            403,
            id="system-group",
        ),
        pytest.param({"X-Forwarded-User": "anna", "X-Gallery-Proxy-Secret": PROXY_SECRET}, 200, id="right"),
    ],
)
def test_headers_of_a_proxy_are_accepted_only_with_its_secret(
    gallery: Gallery, headers: dict[str, str], status: int
) -> None:
    session = gallery.request("GET", "/api/session", headers=headers)

    assert gallery.request("GET", "/api/jobs", headers=headers).status == status
    assert session.json.get("user") == ("anna" if status == 200 else None)


@pytest.fixture(params=["false", "true"], ids=["impersonation", "constrained-impersonation"])
def proxy(request: pytest.FixtureRequest, gallery: Gallery, jobs: Jobs) -> Iterator[bool]:
    """The chart's permissions behind a proxy that may name anna, and the group `team`, whose members are editors."""
    cluster, template = jobs.system.cluster, "--show-only=templates/gallery/permissions.yaml"
    values = (
        "gallery.enabled=true,gallery.proxy.existingSecret=any,gallery.proxy.users={anna},gallery.proxy.groups={team}"
    )
    options = [
        template,
        "--namespace",
        OPERATOR_NAMESPACE,
        "--set",
        f"{values},gallery.proxy.constrained={request.param}",
    ]
    cluster.kubectl("apply", "-f", "-", input=helm("template", "reconstruction", CHART, *options).stdout)
    binding = ["rolebinding", "team", "--clusterrole=reconstruction-editor", "--group=team"]
    cluster.kubectl("-n", jobs.namespace, "create", *binding)
    yield request.param == "true"
    cluster.kubectl("apply", "-f", CHECKOUT / "manifests" / "gallery")


def test_writes_behind_a_proxy_are_made_as_the_proxied_user(gallery: Gallery, jobs: Jobs, proxy: bool) -> None:
    jobs.create("one", suspend=True)
    know(gallery, jobs, "one")
    headers = {"X-Forwarded-User": "anna", "X-Gallery-Proxy-Secret": PROXY_SECRET, "Sec-Fetch-Site": "same-origin"}
    member = headers | {"X-Forwarded-Groups": "other, team"}
    path = f"/api/namespaces/{jobs.namespace}/jobs/one"
    body = {"action": "request-cancel", "uid": jobs.get("one")["metadata"]["uid"]}

    def cancel(sent: dict[str, str]) -> int:
        proof = gallery.request("GET", "/api/session", headers=sent).json["proof"]
        return gallery.request("POST", f"{path}/actions", body, sent | {"X-CSRF-Token": proof}).status

    assert gallery.request("GET", path, headers=headers).status == 403
    assert gallery.request("GET", path, headers=member).status == 200
    assert gallery.request("POST", f"{path}/actions", body, member).status == 403  # without the CSRF token
    assert cancel(member | {"X-Forwarded-User": "ben"}) == 403  # the API server refuses: the chart names only anna
    assert not jobs.get("one")["spec"]["cancelRequested"]
    assert cancel(member) == 204
    assert jobs.get("one")["spec"]["cancelRequested"]
    assert gallery.request("GET", f"{path}/log", headers=member).status == 200


def test_the_gallerys_account_impersonates_only_for_its_own_requests(gallery: Gallery, jobs: Jobs, proxy: bool) -> None:
    cluster = jobs.system.cluster
    account = cluster.service_account_kubeconfig(OPERATOR_NAMESPACE, "reconstruction-gallery")
    jobs.create("one", suspend=True)

    def accepted(verb: str, *user: str) -> bool:
        path = f"/apis/reconstruction.dev/v1alpha1/namespaces/{jobs.namespace}/reconstructionjobs/one"
        done = cluster.kubectl(verb, f"--raw={path}", *user, kubeconfig=account, check=False)
        assert done.returncode == 0 or "orbidden" in done.stderr, done.stderr
        return not done.returncode

    assert not accepted("get", "--as=anna", "--as-group=system:masters")
    assert not accepted("get", "--as=system:kube-controller-manager")
    assert accepted("get", "--as=anna", "--as-group=team") is not proxy


def test_the_gallerys_own_account_may_not_write(gallery: Gallery, jobs: Jobs) -> None:
    asked = ["create", "update", "patch", "delete"]
    account = "system:serviceaccount:reconstruction-system:reconstruction-gallery"

    answers = {
        verb: jobs.system.cluster.kubectl(
            "auth", "can-i", verb, "reconstructionjobs", "-n", jobs.namespace, f"--as={account}", check=False
        ).stdout.strip()
        for verb in asked
    }

    assert answers == dict.fromkeys(asked, "no"), json.dumps(answers)


def test_a_token_for_the_gallery_alone_reads_and_never_writes(
    gallery: Gallery, jobs: Jobs, make_user: MakeUser
) -> None:
    jobs.create("one", suspend=True)
    know(gallery, jobs, "one")
    make_user("editor")
    accounts = f"/api/v1/namespaces/{jobs.namespace}/serviceaccounts"
    names_ = [account["metadata"]["name"] for account in jobs.system.cluster.api.get(accounts)["items"]]
    editor = next(name for name in names_ if name.startswith("editor-"))

    def token(*audiences: str) -> str:
        request = {"spec": {"audiences": audiences, "expirationSeconds": 600}}
        return str(jobs.system.cluster.api.post(f"{accounts}/{editor}/token", request)["status"]["token"])

    bound = token(f"reconstruction-gallery.{OPERATOR_NAMESPACE}")

    assert names(gallery, bound) == ["one"]
    assert action(gallery, jobs, "one", "request-cancel", bound) == 403
    page = gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/one", token=bound).json
    assert not any(page["permissions"][name] for name in ("upload", "cancel", "suspend", "delete"))
    assert not gallery.request("GET", "/api/session", token=bound).json["uploads"]
    log = gallery.request("GET", f"/api/namespaces/{jobs.namespace}/jobs/one/log", token=bound).json
    assert log["leftOut"].startswith("the Events are missing: this token is only for reading in the gallery")
    for audiences in (
        ("reconstruction-gallery.team",),
        ("other",),
        ("other", f"reconstruction-gallery.{OPERATOR_NAMESPACE}"),
    ):
        assert gallery.request("GET", "/api/jobs", token=token(*audiences)).status == 401
    assert not jobs.get("one")["spec"]["cancelRequested"]
