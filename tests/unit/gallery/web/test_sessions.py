"""Sessions: their ids, their end, and their CSRF tokens."""

from reconstruction_gallery.web.sessions import Sessions

from tests.support.controller.clock import Clock


def test_a_session_expires() -> None:
    clock = Clock(0.0)
    sessions = Sessions(100, monotonic=clock)
    identity = sessions.begin("anna", "token")

    session = sessions.find(identity)
    clock.now = 100.0

    assert session is not None
    assert session.token == "token"
    assert sessions.find(identity) is None


def test_a_users_oldest_session_ends_when_there_are_too_many() -> None:
    sessions = Sessions(100)
    other = sessions.begin("berta", "token")
    first, *rest = [sessions.begin("anna", "token") for _ in range(21)]

    assert sessions.find(first) is None
    assert all(map(sessions.find, [other, *rest]))


def test_csrf_tokens_differ_between_sessions_and_processes() -> None:
    first = Sessions(100)
    other = Sessions(100)

    assert first.proof("session a") == first.proof("session a")
    assert len({first.proof("session a"), first.proof("session b"), other.proof("session a")}) == 3


def test_a_token_is_not_printed() -> None:
    sessions = Sessions(100)

    assert "secret" not in repr(sessions.find(sessions.begin("anna", "secret")))
