"""Trust in galleries: an address that an operator publishes is confirmed once for each API server."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubectl_recon.errors import UsageError
from kubectl_recon.gallery.reaching import Way, named
from kubectl_recon.gallery.trusting import confirm

SERVER, LEASE, PLACE = "https://api.example.com", "recon/operator", "https://gallery.example.com"


class User:
    """Gives one answer, and counts the questions."""

    def __init__(self, answer: bool) -> None:
        self.answer, self.questions = answer, list[str]()

    def __call__(self, question: str) -> bool:
        self.questions.append(question)
        return self.answer


def asked(folder: Path, user: User, server: str = SERVER, place: str = PLACE) -> None:
    confirm(server, LEASE, place, place, environ={"XDG_CONFIG_HOME": str(folder)}, ask=user)


def test_a_confirmed_address_is_remembered_for_its_api_server_alone(tmp_path: Path) -> None:
    user = User(answer=True)
    for _ in range(2):
        asked(tmp_path, user)
    assert len(user.questions) == 1
    assert (LEASE in user.questions[0], PLACE in user.questions[0]) == (True, True)

    asked(tmp_path, user, place="https://other.example.com")
    asked(tmp_path, user, server="https://another.example.com")
    asked(tmp_path, user)
    assert len(user.questions) == 3


def test_a_refused_address_is_not_remembered(tmp_path: Path) -> None:
    user = User(answer=False)
    for _ in range(2):
        with pytest.raises(UsageError, match="nothing was sent"):
            asked(tmp_path, user)
    assert len(user.questions) == 2


def test_without_a_terminal_the_error_names_the_option(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--gallery recon/gallery"):
        confirm(SERVER, LEASE, "service/gallery in namespace recon", "recon/gallery", environ={"HOME": str(tmp_path)})


@pytest.mark.parametrize("content", ["", "[]", "{", '{"https://api.example.com": 5}', "[" * 100_000])
def test_a_malformed_file_counts_as_empty_and_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "kubectl-recon").mkdir()
    (tmp_path / "kubectl-recon" / "galleries.json").write_text(content)
    user = User(answer=True)

    asked(tmp_path, user)
    asked(tmp_path, user)

    assert len(user.questions) == 1


@pytest.mark.parametrize(
    ("text", "way"),
    [
        (None, Way()),
        (PLACE, Way(PLACE)),
        (f"{PLACE}/path", Way(f"{PLACE}/path")),
        ("recon/gallery", Way(service="service/gallery", namespace="recon")),
    ],
)
def test_the_user_names_a_url_or_a_service(text: str | None, way: Way) -> None:
    assert named(text, None) == way
