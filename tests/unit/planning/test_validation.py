"""Validation beyond the CRD's rules, which tests/real/api has: each message names the mistake and the remedy."""

from __future__ import annotations

from typing import Any

import pytest
from reconstruction_operator.api.spec import Location, Spec
from reconstruction_operator.planning.validation import problems

GOOD = "file:///photos/banana"
ENABLED = ("s3",)


def message_of(**spec: Any) -> str:
    spec.setdefault("input", Location(GOOD))
    return " ".join(problems(Spec(**spec), ENABLED))


USABLE = (
    GOOD,
    "file:///photos/set one",
    "file:///photos/set%20one.zip",
    "file:///photos/a..b",
    "https://example.com/photos.zip",
    "https://example.com:8443/a/b/photos.tar",
    "https://example.com/photos.TAR.GZ",
    "https://example.com/photos.tgz?signature=abc",
    "https://[2001:db8::1]/photos.zip",
    "s3://bucket/",
    "s3://bucket/photos/a b%20c",
    "s3://bucket/photos.zip",
)


@pytest.mark.parametrize(
    "spec",
    [
        *({"input": Location(uri)} for uri in USABLE),
        {"output": Location(GOOD)},
        {"output": Location("s3://meshes/banana/")},
    ],
    ids=str,
)
def test_a_usable_input_or_output_is_accepted(spec: dict[str, Location]) -> None:
    assert message_of(**spec) == ""


@pytest.mark.parametrize(
    ("uri", "wrong", "instead"),
    [
        pytest.param("gs://bucket/photos", "gs:// is not enabled",
            "use file:///folder, s3://bucket/folder/ or https://", id="gs"),
        pytest.param("s3:///photos", "names no bucket", "write s3://bucket/folder/", id="no-bucket"),
        pytest.param("s3://bucket:80/photos", "names no bucket", "write s3://bucket/folder/", id="a-port"),
        pytest.param("s3://bucket/a?x", "s3:// takes no '?' or '#'", "write %3F", id="an-object-and-a-query"),
        pytest.param("s3://bucket/./a", "holds '//' or '/./'", "name each folder once", id="an-invalid-folder"),
        pytest.param("s3://bucket/a//b", "holds '//'", "name each folder once", id="an-empty-folder"),
        pytest.param("s3://bucket/%2e%2e/a", "contains '..'", "the folder itself", id="out-of-a-bucket"),
        pytest.param("file:///", "the root folder cannot be used", "name a folder below it", id="the-root"),
        pytest.param("file:///./", "the root folder cannot be used", "name a folder below it", id="the-root-by-a-dot"),
        pytest.param("file:///photos/../etc", "contains '..'", "the folder itself", id="upwards"),
        pytest.param("file:///photos/a%00b", "has control characters", "write file:///folder", id="a-nul"),
        pytest.param("file:///photos/a%C2%9B2J", "has control characters", "write file:///folder", id="a-c1-control"),
        pytest.param("file:///photos/a%E2%80%AEb", "has control characters", "write file:///folder",
            id="a-turned-direction"),
        pytest.param("file:///photos\\banana", "has backslashes", "write file:///folder", id="backslashes"),
        pytest.param("file:///photos/what?x", "takes no '?' or '#'", "write %3F", id="a-query"),
        pytest.param("file:///photos/a#b", "takes no '?' or '#'", "%23", id="a-fragment"),
        pytest.param("https://:443/photos.zip", "has no host", "https://host/photos.zip", id="no-host"),
        pytest.param("https://example.com:99999/a.zip", "cannot be read", "https://host/photos.zip", id="no-port"),
        pytest.param("https://[::1/a.zip", "cannot be read", "https://host/photos.zip", id="half-an-address"),
        pytest.param("https://me@example.com/a.zip", "user name or password", "https://host/photos.zip", id="a-user"),
    ],
)  # fmt: skip
def test_an_unusable_input_is_rejected_with_advice(uri: str, wrong: str, instead: str) -> None:
    message = message_of(input=Location(uri))

    assert message.startswith("spec.input.uri")
    assert wrong in message
    assert instead in message


@pytest.mark.parametrize(
    ("uri", "wrong"),
    [
        pytest.param("gs://meshes/banana", "gs:// is not enabled", id="gs"),
        pytest.param("s3://meshes/", "the bucket itself cannot be used", id="a-bucket"),
        pytest.param("file:///meshes/../etc", "contains '..'", id="upwards"),
    ],
)
def test_an_unusable_output_is_rejected(uri: str, wrong: str) -> None:
    message = message_of(output=Location(uri))

    assert message.startswith("spec.output.uri")
    assert wrong in message


@pytest.mark.parametrize(
    "uri",
    ["https://me:secret@example.com/a.zip", "https://me:secret@[::1/a.zip", "https://e.com:99999/a.zip?key=secret"],
)
def test_messages_never_quote_a_secret(uri: str) -> None:
    message = message_of(input=Location(uri))

    assert message
    assert "secret" not in message


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth > 1 else {}


@pytest.mark.parametrize(
    ("parameters", "wrong"),
    [
        pytest.param({"quality": "fast"}, "", id="usual"),
        pytest.param({"a": "x" * (16 * 1024 - len('{"a":""}'))}, "", id="as-large-as-allowed"),
        pytest.param({"a": "x" * (16 * 1024 - len('{"a":""}') + 1)},
            "has 16385 bytes of JSON, and at most 16384 are allowed", id="too-large"),
        pytest.param({"a": "ü" * 3000}, "bytes of JSON", id="too-large-in-bytes-alone"),
        pytest.param(nested(8), "", id="as-deep-as-allowed"),
        pytest.param(nested(9), "nested more than 8 deep", id="too-deep"),
        pytest.param({"a": [[[[[[[[1]]]]]]]]}, "nested more than 8 deep", id="lists-too-deep"),
        pytest.param(nested(800), "nested more than 8 deep", id="absurdly-deep"),
    ],
)  # fmt: skip
def test_parameters_are_limited(parameters: dict[str, Any], wrong: str) -> None:
    message = message_of(parameters=parameters)

    assert (wrong in message) if wrong else message == ""


def test_all_mistakes_are_reported_together() -> None:
    mistakes = problems(Spec(input=Location("s3://a/b"), output=Location("s3://c/d"), parameters=nested(9)), ())

    fields = [mistake.split(":")[0].split()[0] for mistake in mistakes]
    assert fields == ["spec.input.uri", "spec.output.uri", "spec.parameters"]
