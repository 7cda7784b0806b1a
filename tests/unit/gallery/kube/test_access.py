"""Access: a request as a user must name the user."""

import ssl

import pytest
from kubernetes.aio.client import Configuration
from reconstruction_gallery.kube.access import Api, ClusterAccess


async def test_a_request_as_a_user_without_a_name_is_not_sent() -> None:
    context = ssl.create_default_context()
    api = Api(ClusterAccess("https://127.0.0.1:1", context, context, Configuration()))
    try:
        with pytest.raises(ValueError, match="must name the user"):
            await api.request("PATCH", "/apis", as_user=[])
    finally:
        await api.close()
