import pytest

from demo.watching import objects

EVENTS = [{"type": "ADDED", "object": {"a": "}"}}, {"type": "DELETED"}]


@pytest.mark.parametrize(
    "printed",
    [
        pytest.param('{"type":"ADDED","object":{"a":"}"}}\n{"type":"DELETED"}\n', id="one a line"),
        pytest.param(
            '{\n    "type": "ADDED",\n    "object": {\n        "a": "}"\n    }\n}\n{\n    "type": "DELETED"\n}\n',
            id="over many lines",
        ),
    ],
)
def test_the_objects_of_a_watch_are_read_one_after_the_other(printed: str) -> None:
    assert list(objects(printed.splitlines(keepends=True))) == EVENTS


def test_a_truncated_object_is_skipped() -> None:
    assert list(objects(["{\n", '    "type": "ADDED",\n'])) == []
