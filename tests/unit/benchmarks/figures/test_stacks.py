from benchmarks.figures import stacks

FOLDED = """\
main (app.py:1);write (app.py:7);encode (codec.py:3) 3
main (app.py:1);write (app.py:7) 1
main (app.py:1);wait (app.py:9) 4
"""
PPROF = """\
PeriodType: cpu nanoseconds
Samples:
samples/count cpu/nanoseconds
          2   20000000: 1 2
          6   60000000: 3
Locations
     1: 0x10 M=1 main.encode app.go:3:0 s=1
             main.inlined app.go:4:0 s=2
     2: 0x20 M=1 main.serve app.go:9:0 s=8
     3: 0x30 M=1 runtime.gcBgMarkWorker gc.go:1:0 s=1
Mappings
1: 0x1000/0x2000/0x0 app
"""


def test_a_sample_belongs_to_the_first_subject_that_matches_any_frame() -> None:
    subjects = (("encoding", r"codec\.py"), ("writing", r"write \("))
    found = stacks.shares(stacks.folded(FOLDED), subjects)
    assert list(found.items()) == [("encoding", 37.5), ("writing", 12.5), (stacks.REST, 50.0)]


def test_the_stacks_of_pprof_have_all_functions_of_a_location() -> None:
    assert list(stacks.pprof(PPROF)) == [
        (["main.encode", "main.inlined", "main.serve"], 2),
        (["runtime.gcBgMarkWorker"], 6),
    ]


def test_without_samples_there_are_no_shares() -> None:
    assert stacks.shares([], [("anything", ".")]) == {}
