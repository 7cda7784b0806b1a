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


def test_a_clients_oldest_session_ends_when_there_are_too_many() -> None:
    sessions = Sessions(100)
    other = sessions.begin("berta", "token")
    first, *rest = [sessions.begin("anna", "token") for _ in range(101)]

    assert sessions.find(first) is None
    assert all(map(sessions.find, [other, *rest]))


def test_many_sign_ins_end_no_session_of_others() -> None:
    sessions = Sessions(100)
    other = sessions.begin("berta", "token")
    for number in range(105):
        for _ in range(100 if number else 99):
            sessions.begin(f"client {number}", "token")

    assert sessions.find(other)


def test_sessions_that_ended_count_no_longer() -> None:
    clock = Clock(0.0)
    sessions = Sessions(100, monotonic=clock)
    for number in range(100):
        sessions.end(sessions.begin("anna", "token"))
        clock.now = float(number)
    last = [sessions.begin("anna", "token") for _ in range(100)]
    assert all(map(sessions.find, last))

    clock.now = 1000.0
    sessions.begin("berta", "token")
    assert (len(sessions._sessions), list(sessions._of_client)) == (1, ["berta"])


def test_csrf_tokens_differ_between_sessions_and_processes() -> None:
    first = Sessions(100)
    other = Sessions(100)

    assert first.proof("session a") == first.proof("session a")
    assert len({first.proof("session a"), first.proof("session b"), other.proof("session a")}) == 3


def test_a_token_is_not_printed() -> None:
    sessions = Sessions(100)

    assert "secret" not in repr(sessions.find(sessions.begin("anna", "secret")))
