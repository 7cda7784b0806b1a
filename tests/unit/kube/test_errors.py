"""Errors: which are transient, and their texts."""

import pytest
from reconstruction_operator.kube.errors import ApiError


@pytest.mark.parametrize(
    ("status", "transient"),
    [
        *((status, True) for status in (0, 401, 429, 500, 503, 504)),
        *((status, False) for status in (400, 403, 404, 409, 422)),
    ],
)
def test_an_error_is_transient_if_a_retry_may_succeed(status: int, transient: bool) -> None:
    assert ApiError(status, "Reason", "message").transient is transient


def test_the_text_of_an_error_has_status_reason_and_message() -> None:
    assert (
        str(ApiError(422, "Invalid", "a finished phase never changes")) == "422 Invalid: a finished phase never changes"
    )
    assert str(ApiError(0, "TimeoutError", "GET /x")) == "no response TimeoutError: GET /x"
