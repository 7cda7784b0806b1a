"""Parsing: JSON of the API server that is nested too deep, or is not what it should be."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from reconstruction_operator.kube import parsing

from tests.support.jobs import make_body, make_key


def nested(levels: int, opening: str = "[", closing: str = "]") -> bytes:
    return ('{"a": ' + opening * levels + closing * levels + ', "b": "[{\\"]"}').encode()


def depth(value: object) -> int:
    levels = 0
    while isinstance(value, list | dict) and value:
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
        levels += 1
    return levels


@pytest.mark.parametrize("levels", [1, 20, parsing.MAX_DEPTH - 1])
def test_json_of_a_valid_depth_is_parsed_unchanged(levels: int) -> None:
    assert parsing.parse(nested(levels)) == json.loads(nested(levels))


@pytest.mark.parametrize("levels", [70, 900, 20_000, 100_000])
def test_values_nested_too_deep_become_null_and_the_rest_is_kept(levels: int) -> None:
    parsed = parsing.parse(nested(levels))

    assert parsed["b"] == '[{"]'
    assert depth(parsed["a"]) == parsing.MAX_DEPTH - 1


def hostile(name: str, levels: int) -> bytes:
    deep = b"[" * levels + b"]" * levels
    return (
        b'{"kind":"X","metadata":{"name":"%s","namespace":"team","uid":"u","resourceVersion":"1"},"spec":{"a":%s}}'
        % (name.encode(), deep)
    )


_DEEP = 20_000
_BODIES = b",".join([hostile("first", 1), hostile("second", _DEEP), hostile("third", 1), hostile("fourth", _DEEP)])


@pytest.mark.parametrize(
    ("read", "text", "named"),
    [
        pytest.param(parsing.parse, hostile("one", _DEEP), ["team/one"], id="an-object"),
        pytest.param(parsing.page, b'{"items":[%s],"metadata":{}}' % _BODIES, ["team/second", "team/fourth"],
            id="a-list"),
        pytest.param(parsing.event, b'{"type":"ADDED","object":%s}' % hostile("one", _DEEP), ["team/one"],
            id="an-event"),
        pytest.param(parsing.parse, nested(_DEEP), ["an object without a name"], id="something-else"),
    ],
)  # fmt: skip
def test_the_log_names_the_objects_that_were_cut(
    read: Callable[[bytes], object], text: bytes, named: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    read(text)

    assert [record.getMessage().partition(" is nested")[0] for record in caplog.records] == named


def test_invalid_json_is_still_an_error() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        parsing.parse(b"{")


def managed(levels: int) -> bytes:
    """A job whose managed fields, which no policy checks, are nested that deep."""
    body = json.dumps(make_body("deep") | {"spec": {"modelType": "placeholder"}})
    fields = b'{"f:a":' * levels + b"{}" + b"}" * levels
    return (
        body.replace('"metadata": {', '"metadata": {"managedFields": [{"fieldsV1": FIELDS}], ', 1)
        .encode()
        .replace(b"FIELDS", fields)
    )


_PLAIN = json.dumps(make_body("plain")).encode()


@pytest.mark.parametrize("levels", [900, 5_000, 9_994])
def test_a_page_with_deep_managed_fields_has_all_its_objects(levels: int) -> None:
    cut: list[str] = []
    text = b'{"metadata":{"resourceVersion":"5","continue":"next"},"items":[%s,%s]}' % (managed(levels), _PLAIN)

    page = parsing.page(text, cut.append)

    assert (page.version, page.token) == (5, "next")
    assert [parsing.head(item) for item in page.items] == [
        parsing.Head(make_key("deep"), 1),
        parsing.Head(make_key("plain"), 1),
    ]
    assert parsing.mapping(page.items[0])["spec"] == {"modelType": "placeholder"}
    assert set(cut) == {"default/deep"}


def stored(managed_fields: bytes, parameters: bytes = b"{}") -> bytes:
    """A job in the API server's order of keys."""
    metadata = b'{"generation":1,"managedFields":[%s],"name":"deep","namespace":"default","uid":"u"}' % managed_fields
    return b'{"kind":"X","metadata":%s,"spec":{"parameters":%s}}' % (metadata, parameters)


_WIDE = b'{"fieldsV1":{"f:a":{},%s"f:],\\"name\\":\\"":{}}}' % b",".join(b'"f:%d":{}' % name for name in range(10_000))
_LARGE = {
    "deep": b'{"fieldsV1":%s}' % (b'{"f:a":' * 9_994 + b"{}" + b"}" * 9_994),
    "wide": _WIDE.replace(b'{}"f', b'{},"f'),
}


@pytest.mark.parametrize("fields", _LARGE.values(), ids=_LARGE.keys())
def test_large_managed_fields_of_an_event_are_neither_cut_nor_decoded(fields: bytes) -> None:
    _, body = parsing.event(b'{"type":"MODIFIED","object":%s}' % stored(fields), [].append)

    assert len(bytes(body)) < 1_000
    assert parsing.mapping(body)["metadata"]["name"] == "deep"
    assert parsing.mapping(stored(_LARGE["wide"])) == parsing.mapping(body)


def test_parameters_that_look_like_large_managed_fields_are_kept() -> None:
    items = b",".join([b"1"] * 50_000)
    text = stored(b"{}", b'{"a":1,"managedFields":[%s],"name":"x"}' % items)

    assert parsing.mapping(text.replace(b'"managedFields":[{}],', b"", 1))["spec"] == json.loads(text)["spec"]


@pytest.mark.parametrize(
    "text", [b"{}", b'{"metadata": 5}', b'{"metadata": {"name": "x", "namespace": "y"}}', b"[1]", b'"text"'], ids=str
)
def test_a_body_that_is_not_an_object_has_no_head(text: bytes) -> None:
    assert parsing.head(text) is None


@pytest.mark.parametrize(
    "text", [b"", b"page not found", b"[1]", b'{"metadata": 5}', b'{"message": {"a": 1}}', b"[" * 100_000], ids=len
)
def test_a_response_of_any_content_is_an_error_of_its_status(text: bytes) -> None:
    assert parsing.refusal(404, text).status == 404
