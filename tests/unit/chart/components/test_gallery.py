"""Gallery: off by default, with least permissions, and with the volumes, settings and routes of the values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chart import RESTRICTED, Objects, Refuse, Render, container_of, env_of, labels, pod_of

ON: dict[str, Any] = {"gallery": {"enabled": True}}
UPLOADS = {"name": "mine", "mountPath": "/photos/mine", "existingClaim": "photos", "subPath": "new"}
HTTP_ROUTE = "gateway.networking.k8s.io/v1/HTTPRoute"


def on(**values: Any) -> dict[str, Any]:
    return {"gallery": {"enabled": True, **values}}


def rules(objects: Objects, name: str) -> list[tuple[str, str]]:
    """Return resource and verb of each rule of the ClusterRole."""
    found = objects["ClusterRole", name]["rules"]
    return sorted((resource, verb) for rule in found for resource in rule["resources"] for verb in rule["verbs"])


def test_the_gallery_is_not_rendered_by_default(render: Render) -> None:
    assert not [name for _, name in render() if "gallery" in name]


def test_the_account_may_only_list_jobs_and_review_users(render: Render) -> None:
    objects = render(ON)

    assert rules(objects, "reconstruction-gallery") == [("subjectaccessreviews", "create"), ("tokenreviews", "create")]
    assert rules(objects, "reconstruction-gallery-jobs") == [
        ("reconstructionjobs", "list"),
        ("reconstructionjobs", "watch"),
    ]


def test_the_gallery_of_an_operator_of_one_namespace_is_limited_to_it(render: Render) -> None:
    objects = render(ON | {"operator": {"watchNamespaces": ["one"]}})

    assert ("ClusterRoleBinding", "reconstruction-gallery-jobs") not in objects
    assert objects["RoleBinding", "reconstruction-gallery-jobs"]["metadata"]["namespace"] == "one"
    assert env_of(objects, "gallery")["GALLERY_NAMESPACES"] == "one"


def test_the_pod_is_restricted_and_mounts_only_the_jobs_read_only(render: Render) -> None:
    objects = render(ON)
    container = container_of(objects, "gallery")

    assert container["securityContext"] == RESTRICTED
    assert container["volumeMounts"] == [
        {"name": "jobs", "mountPath": "/jobs", "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    assert pod_of(objects, "gallery")["serviceAccountName"] == "reconstruction-gallery"
    assert env_of(objects, "gallery") == {"JOBS_DIR": "/jobs", "GALLERY_SYSTEM_NAMESPACE": "recon"}
    assert objects["Service", "reconstruction-gallery"]["spec"]["selector"] == labels("gallery")


def test_uploads_go_to_the_named_volume(render: Render) -> None:
    objects = render(on(uploads={"photosVolume": "mine"}) | {"photos": [UPLOADS]})

    mounts = container_of(objects, "gallery")["volumeMounts"]
    assert {"name": "uploads", "mountPath": "/photos/mine", "subPath": "new"} in mounts
    claim = {"name": "uploads", "persistentVolumeClaim": {"claimName": "photos"}}
    assert claim in pod_of(objects, "gallery")["volumes"]
    assert env_of(objects, "gallery")["GALLERY_UPLOADS_DIR"] == "/photos/mine"


STORED = on(jobsVolume=False, objectStorage={"enabled": True, "existingSecret": "read-only"}) | {
    "objectStorage": {
        "schemes": ["s3"],
        "existingSecret": "may-write",
        "s3": {"endpoint": "https://minio.example.com"},
        "ca": {"existingSecret": "authority"},
    },
    "settings": {"NAMESPACE_OUTPUTS": "*=s3://meshes/{namespace}"},
}


def test_results_in_object_storage_are_read_with_the_gallerys_credentials(render: Render) -> None:
    objects = render(STORED)
    container = container_of(objects, "gallery")

    assert container["envFrom"] == [{"secretRef": {"name": "read-only"}}]
    env = env_of(objects, "gallery")
    assert (env["STORAGE_SCHEMES"], env["NAMESPACE_OUTPUTS"]) == ("s3", "*=s3://meshes/{namespace}")
    assert env["AWS_ENDPOINT_URL"] == "https://minio.example.com"
    mounted = {one["name"] for one in container["volumeMounts"]}
    assert mounted == {"storage-ca", "tmp"} == {one["name"] for one in pod_of(objects, "gallery")["volumes"]}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(on(uploads={"photosVolume": "other"}), "no volume of that name", id="unknown-volume"),
        pytest.param(
            on(uploads={"photosVolume": "nas"})
            | {"photos": [{"name": "nas", "mountPath": "/photos", "volume": {"emptyDir": {}}}]},
            "needs an existingClaim",
            id="no-claim",
        ),
        pytest.param(on(httpRoute={"enabled": True}), "parentRefs", id="no-gateway"),
        pytest.param(on(settings={"LOG_LEVEL": "INFO"}), "LOG_LEVEL", id="another-setting"),
        pytest.param(on(url="gallery.example.com"), "url", id="no-scheme"),
    ],
)
def test_inconsistent_values_are_rejected(refuse: Refuse, values: dict[str, Any], message: str) -> None:
    assert message in refuse(values, apis=(HTTP_ROUTE,))


def test_a_proxy_gets_its_secret_and_the_account_may_impersonate(render: Render) -> None:
    objects = render(on(proxy={"existingSecret": "proxy", "key": "token"}))

    assert ("users", "impersonate") in rules(objects, "reconstruction-gallery")
    assert env_of(objects, "gallery")["GALLERY_PROXY_SECRET_FILE"] == "/etc/gallery-proxy/secret"
    (volume,) = (one for one in pod_of(objects, "gallery")["volumes"] if one["name"] == "proxy")
    assert volume["secret"] == {"secretName": "proxy", "items": [{"key": "token", "path": "secret"}]}


def test_the_route_leads_to_the_service(render: Render) -> None:
    route = {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["gallery.example.com"]}

    spec = render(on(httpRoute=route), apis=(HTTP_ROUTE,))["HTTPRoute", "reconstruction-gallery"]["spec"]

    assert (spec["parentRefs"], spec["hostnames"]) == ([{"name": "public"}], ["gallery.example.com"])
    assert spec["rules"][0]["backendRefs"] == [{"name": "reconstruction-gallery", "port": 80}]


def test_the_network_policy_allows_only_the_api_server_and_dns(render: Render) -> None:
    source = [{"namespaceSelector": {"matchLabels": {"name": "gateways"}}}]
    objects = render(ON | {"networkPolicy": {"enabled": True, "galleryFrom": source}})

    spec = objects["NetworkPolicy", "reconstruction-gallery"]["spec"]
    assert spec["podSelector"] == {"matchLabels": labels("gallery")}
    assert spec["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}], "from": source}]
    assert [{port["port"] for port in one["ports"]} for one in spec["egress"]] == [{53}, {443, 6443}]
