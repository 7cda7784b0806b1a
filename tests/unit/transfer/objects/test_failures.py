"""Storage failures: their messages for users."""

from __future__ import annotations

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError
from reconstruction_operator.transfer.objects import failures
from reconstruction_operator.transfer.objects.address import ObjectAddress

ADDRESS = ObjectAddress("s3", "photos", "set", is_folder=True)
_REFUSED_KEY = "Generic S3 error: DeleteObjects request failed for key set/a.jpg: Access Denied. (code: AccessDenied)"
_ANSWER = "Error performing GET http://10.0.0.1:9000/photos/set in 3ms - Server returned non-2xx status code: "


@pytest.mark.parametrize(
    ("error", "reason", "message"),
    [
        pytest.param(
            GenericError(_ANSWER + "404 Not Found: <Error><Code>NoSuchBucket</Code></Error>"),
            "INPUT_NOT_FOUND",
            "s3://photos/set/ cannot be read: bucket photos does not exist",
            id="no bucket",
        ),
        pytest.param(
            PermissionDeniedError(_ANSWER + "403 Forbidden: <Error><Code>SignatureDoesNotMatch</Code></Error>"),
            "INPUT_REFUSED",
            "s3://photos/set/ cannot be read: the server rejects the workers' credentials (403 SignatureDoesNotMatch)",
            id="wrong credentials",
        ),
        pytest.param(
            GenericError(_REFUSED_KEY),
            "INPUT_REFUSED",
            "s3://photos/set/ cannot be read: the server rejects the workers' credentials (AccessDenied)",
            id="no permission for one object of many",
        ),
        pytest.param(
            GenericError("PUT http://169.254.169.254/latest/api/token: refused"),
            "INPUT_REFUSED",
            "s3://photos/set/ cannot be read: the workers have no credentials for s3:// (their "
            "settings or service account)",
            id="no credentials",
        ),
        pytest.param(
            GenericError(_ANSWER + "503 Slow Down"),
            "INPUT_UNREACHABLE",
            "s3://photos/set/ cannot be read: the server returns an error (503)",
            id="a busy server",
        ),
        pytest.param(
            TimeoutError(),
            "INPUT_UNREACHABLE",
            "s3://photos/set/ cannot be read: the server sends no data",
            id="the limit of a caller",
        ),
    ],
)
def test_a_message_names_the_address_and_never_the_endpoint(error: Exception, reason: str, message: str) -> None:
    failure = failures.translated(error, ADDRESS, failures.INPUT)
    assert (failure.reason, failure.message) == (reason, message)


def test_a_failure_to_write_is_one_of_the_output() -> None:
    failure = failures.translated(GenericError(_ANSWER + "500 Internal"), ADDRESS, failures.OUTPUT)
    assert failure.reason == "OUTPUT_UPLOAD_FAILED"


@pytest.mark.parametrize(
    ("mark", "cause"),
    [
        ("ProxyAuthRequired", "the proxy requires another user or password"),
        ("TunnelUnsuccessful", "the proxy does not connect to the server"),
        ("ConnectionRefused", "the server accepts no connections"),
        ('"dns error"', "the server's name cannot be resolved"),
        ("InvalidCertificate(", "the workers do not trust the server's certificate (STORAGE_CA_FILE)"),
        ("TimedOut", "the server sends no data"),
    ],
)
def test_a_cause_in_the_clients_dump_is_named(mark: str, cause: str) -> None:
    error = GenericError(f"GET https://10.0.0.1:9000/x - HTTP error: error sending request\n\nDebug source:\n{mark}")
    assert failures.translated(error, ADDRESS, failures.INPUT).message == f"{ADDRESS} cannot be read: {cause}"
