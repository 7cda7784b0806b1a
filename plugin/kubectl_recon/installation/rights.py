"""Rights of the user, as the API server reports them to every user."""

from __future__ import annotations

from typing import Final

from reconstruction_operator.api import identity

from kubectl_recon.errors import ApiError
from kubectl_recon.kube.api import Connection

_REVIEW: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def may(connection: Connection, verb: str, core: str = "") -> bool | None:
    """Return whether the user may do that with jobs, or with objects of the core API, in the namespace; None if it is
    unknown.
    """
    resource = {"resource": core} if core else {"group": identity.GROUP, "resource": identity.PLURAL}
    attributes = {"namespace": connection.namespace, "verb": verb, **resource}
    kind = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    try:
        return bool(
            connection.api.post(_REVIEW, {**kind, "spec": {"resourceAttributes": attributes}})["status"]["allowed"]
        )
    except ApiError:
        return None
