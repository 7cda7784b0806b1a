from demo.watching import objects


def test_the_objects_of_a_watch_are_read_one_after_the_other() -> None:
    printed = '{\n    "type": "ADDED",\n    "object": {\n        "a": "}"\n    }\n}\n{\n    "type": "DELETED"\n}\n'
    assert list(objects(printed.splitlines(keepends=True))) == [
        {"type": "ADDED", "object": {"a": "}"}},
        {"type": "DELETED"},
    ]


def test_an_object_that_is_cut_off_is_left_out() -> None:
    assert list(objects(["{\n", '    "type": "ADDED",\n'])) == []
