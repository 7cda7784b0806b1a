"""Object storage: endpoint, credentials, certificates and proxy of operator and workers."""

from __future__ import annotations

from tests.support.chart import Refuse, Render, container_of, env_of, pod_of

VALUES = {
    "objectStorage": {
        "schemes": ["s3", "gs"],
        "existingSecret": "storage",
        "s3": {"endpoint": "https://minio.example.com", "region": "eu-central-1"},
        "ca": {"existingSecret": "storage-ca", "key": "root.pem"},
        "proxy": {"url": "http://proxy:3128", "exclude": "minio.example.com"},
    }
}


def test_object_storage_is_not_rendered_by_default(render: Render) -> None:
    assert "STORAGE" not in str(render())


def test_operator_and_workers_get_the_schemes(render: Render) -> None:
    settings = render(VALUES)["ConfigMap", "reconstruction-settings"]["data"]
    assert settings["STORAGE_SCHEMES"] == "s3,gs"


def test_workers_get_endpoint_proxy_and_certificates(render: Render) -> None:
    objects = render(VALUES)
    env = env_of(objects, "worker-cpu")
    assert env["AWS_ENDPOINT_URL"] == "https://minio.example.com"
    assert env["AWS_REGION"] == "eu-central-1"
    assert env["HTTPS_PROXY"] == env["HTTP_PROXY"] == "http://proxy:3128"
    assert env["NO_PROXY"] == "minio.example.com"
    assert env["STORAGE_CA_FILE"] == "/etc/storage-ca/ca.crt"
    mount = {"name": "storage-ca", "mountPath": "/etc/storage-ca", "readOnly": True}
    assert mount in container_of(objects, "worker-cpu")["volumeMounts"]
    secret = {"secretName": "storage-ca", "items": [{"key": "root.pem", "path": "ca.crt"}]}
    assert {"name": "storage-ca", "secret": secret} in pod_of(objects, "worker-cpu")["volumes"]


def test_only_workers_get_the_credentials(render: Render) -> None:
    objects = render(VALUES)
    credentials = {"secretRef": {"name": "storage"}}
    assert credentials in container_of(objects, "worker-cpu")["envFrom"]
    assert credentials not in container_of(objects, "operator").get("envFrom", [])


def test_settings_that_the_chart_derives_from_these_values_are_rejected(refuse: Refuse) -> None:
    assert "set objectStorage.schemes" in refuse({"settings": {"STORAGE_SCHEMES": "s3"}})
