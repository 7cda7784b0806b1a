"""Users: what a token or a proxy may name, and the headers of requests as a user."""

import pytest
from reconstruction_gallery.kube.users import NotAuthenticatedError, RefusedUserError, User, proxied


def test_a_request_with_the_users_token_has_no_other_identity() -> None:
    assert User("anna", groups=("team",), token="t").request_headers == [("Authorization", "Bearer t")]


def test_a_proxys_user_is_impersonated_with_every_group() -> None:
    user = proxied("anna", ["team", "", "system:authenticated", "other"])

    assert user.request_headers == [
        ("Impersonate-User", "anna"),
        ("Impersonate-Group", "team"),
        ("Impersonate-Group", "other"),
        ("Impersonate-Group", "system:authenticated"),
    ]


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        pytest.param("system:admin", [], id="user"),
        pytest.param("system:serviceaccount:kube-system:default", [], id="account"),
        pytest.param("anna", ["system:masters"], id="masters"),
        pytest.param("anna", ["system:nodes"], id="nodes"),
        pytest.param("anna\r\nImpersonate-Group: system:masters", [], id="line-break"),
        pytest.param("anna", [f"group-{number}" for number in range(501)], id="too-many"),
    ],
)
def test_a_proxy_may_not_name_the_systems_own(name: str, groups: list[str]) -> None:
    with pytest.raises(RefusedUserError):
        proxied(name, groups)


def test_a_proxy_must_name_a_user() -> None:
    with pytest.raises(NotAuthenticatedError):
        proxied("", ["team"])


def test_a_token_is_not_printed() -> None:
    assert "secret" not in repr(User("anna", token="secret"))
