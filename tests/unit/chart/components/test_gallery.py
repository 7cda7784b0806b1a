"""Gallery: off by default, with least permissions, and with the volumes, settings and routes of the values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chart import Refuse, Render, env_of

ON: dict[str, Any] = {"gallery": {"enabled": True}}
HTTP_ROUTE = "gateway.networking.k8s.io/v1/HTTPRoute"


def on(**values: Any) -> dict[str, Any]:
    return {"gallery": {"enabled": True, **values}}


def test_the_gallery_of_an_operator_of_one_namespace_is_limited_to_it(render: Render) -> None:
    objects = render(ON | {"operator": {"watchNamespaces": ["one"]}})

    assert ("ClusterRoleBinding", "reconstruction-gallery-jobs") not in objects
    assert objects["RoleBinding", "reconstruction-gallery-jobs"]["metadata"]["namespace"] == "one"
    assert env_of(objects, "gallery")["GALLERY_NAMESPACES"] == "one"


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


def test_the_route_leads_to_the_service(render: Render) -> None:
    route = {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["gallery.example.com"]}

    spec = render(on(httpRoute=route), apis=(HTTP_ROUTE,))["HTTPRoute", "reconstruction-gallery"]["spec"]

    assert (spec["parentRefs"], spec["hostnames"]) == ([{"name": "public"}], ["gallery.example.com"])
    assert spec["rules"][0]["backendRefs"] == [{"name": "reconstruction-gallery", "port": 80}]
