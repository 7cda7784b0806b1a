"""A result is published, reported and delivered once."""

from dataclasses import replace

import pytest

from chaos.judge.evidence import Evidence
from tests.unit.chaos.judge.cases import (
    COPY,
    CUT,
    DELETED,
    REPORTED,
    SUCCEEDED,
    broken,
    cancelled,
    delivered,
    evidence,
    output,
    problems,
    run,
)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(delivered(), id="a copy was delivered"),
        # Its attempt never published its result.
        pytest.param(
            delivered(earlier=(replace(COPY, at=15.0, digest="b"), COPY)), id="a copy of a superseded attempt was there"
        ),
        pytest.param(delivered(DELETED, outputs=()), id="the job was deleted before its files were polled"),
        pytest.param(evidence(successes=2), id="a later attempt reports the existing result"),
        pytest.param(
            cancelled(CUT, outputs=(output(at=25.0),)), id="a cut-off worker published shortly after the cancel"
        ),
    ],
)
def test_allowed_result_breaks_no_invariant(found: Evidence) -> None:
    assert problems(found) == []


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(evidence(outputs=(output(), output(at=40.0, digest="b"))), id="the result was replaced"),
        pytest.param(evidence(outputs=(output(2),)), id="its maker is unknown"),
        pytest.param(evidence(runs=(run(ended=False),)), id="its maker never finished"),
        pytest.param(evidence(outputs=(replace(output(), problem="model.glb is short"),)), id="it is not complete"),
        pytest.param(evidence(outputs=()), id="there is no result"),
        pytest.param(evidence(final=output(digest="b")), id="another one is there at the end"),
        pytest.param(evidence(final=replace(output(), problem="model.glb is short")), id="it is damaged at the end"),
        pytest.param(evidence(runs=(run(2),), outputs=(output(2),)), id="it is of a later attempt"),
        pytest.param(evidence(None, replace(SUCCEEDED, output_bytes=8)), id="the status has another size"),
        pytest.param(evidence(successes=2, outputs=(output(), output(digest="b"))), id="two attempts succeeded"),
        pytest.param(cancelled(outputs=(output(at=40.0),)), id="it came after the cancel"),
        pytest.param(cancelled(CUT, outputs=(output(at=40.0),)), id="it came long after the cut and the cancel"),
        pytest.param(delivered(there=None), id="the copy is not there"),
        pytest.param(delivered(DELETED, there=None), id="the copy does not stay when the object is deleted"),
        pytest.param(delivered(there=None, gone_at=50.0), id="the copy does not stay when the object's time is over"),
        pytest.param(delivered(there=replace(COPY, problem="model.glb is short")), id="the copy is damaged"),
        pytest.param(delivered(there=replace(COPY, digest="b")), id="the copy is another result"),
        pytest.param(delivered(there=replace(COPY, job_id="another")), id="the copy is another job's"),
        pytest.param(
            delivered(earlier=(COPY, replace(COPY, at=30.0, digest="b"))), id="the copy was replaced and put back"
        ),
        pytest.param(
            delivered(None, replace(REPORTED, output_uri="file:///jobs/x")), id="the status says another place"
        ),
    ],
)
def test_forbidden_result_breaks_the_invariant(found: Evidence) -> None:
    assert 2 in broken(found)
