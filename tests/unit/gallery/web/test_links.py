"""Links: valid only as signed, until they expire, and only while links are enabled."""

from pathlib import Path

import pytest
from reconstruction_gallery.kube.jobs import Jobs
from reconstruction_gallery.settings import Settings
from reconstruction_gallery.web import links
from reconstruction_gallery.web.parts import requested_job
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tests.support.gallery import Server, make_gallery

TOKEN = links.signed("secret", "a-uid.100")


@pytest.mark.parametrize(
    ("secret", "token", "now", "uid"),
    [
        pytest.param("secret", TOKEN, 99.0, "a-uid", id="valid"),
        pytest.param("secret", TOKEN, 100.0, "", id="expired"),
        pytest.param("other", TOKEN, 99.0, "", id="other-secret"),
        pytest.param("secret", TOKEN.replace("a-uid", "b-uid"), 99.0, "", id="other-job"),
        pytest.param("secret", TOKEN.replace(".100.", ".900."), 99.0, "", id="prolonged"),
        pytest.param("secret", "a-uid.1é", 99.0, "", id="unsigned"),
        pytest.param("secret", "", 99.0, "", id="empty"),
    ],
)
def test_a_link_is_valid_as_signed_until_it_expires(secret: str, token: str, now: float, uid: str) -> None:
    assert links.uid_in(secret, token, now) == uid


async def test_no_link_is_valid_while_links_are_disabled() -> None:
    scope = {"app": make_gallery(Server({"a"}), Jobs(), Settings()), "path_params": {"token": TOKEN}}

    with pytest.raises(HTTPException, match="404"):
        await requested_job(Request({"type": "http", **scope}))


def test_without_a_usable_secret_since_the_start_links_are_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "secret"
    file.write_text("short")
    sharing = links.Sharing(Settings(share_secret_file=str(file)))

    assert (sharing.enabled, sharing.secret(), sharing.secret()) == (True, "", "")
    assert [record.getMessage().endswith("no links are made, and none is valid") for record in caplog.records] == [True]
    file.write_text("x" * 32)
    assert sharing.secret() == "x" * 32
