"""Bodies: encoded objects are decoded to the same jobs as parsed ones."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from reconstruction_operator.controller.kube import bodies, objects
from reconstruction_operator.controller.kube.cache import Cache
from reconstruction_operator.kube import parsing

from tests.support.jobs import make_body, make_key

_TIMES = st.sampled_from(["2026-03-01T12:00:00Z", "2026-03-01T12:00:00.5+01:00", "yesterday", "", None, 7])
_STATUS = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["Succeeded", "Failed", "Cancelled", "Running", "Dancing", None, 3]),
        "observedGeneration": st.sampled_from([-1, 0, 1, 2, "1", None]),
        "attempt": st.sampled_from([0, 1, 2, "two", None]),
        "worker": st.sampled_from(["worker-1", "", None, 5]),
        "message": st.text(max_size=5),
        "dispatchTime": _TIMES,
        "startTime": _TIMES,
        "completionTime": _TIMES,
        "installation": st.sampled_from([{"id": "a", "lease": "b/c"}, {}, None, "text", {"id": 1}]),
        "failure": st.sampled_from([{"reason": "TIMEOUT", "message": "long"}, {}, None, [], {"reason": 5}]),
        "cancel": st.sampled_from([{"requestedAt": "2026-03-01T12:00:00Z"}, None, 1]),
        "conditions": st.sampled_from([[{"type": "Finished", "status": "True", "reason": "Succeeded"}], [], None]),
    },
)
_SPEC = st.fixed_dictionaries(
    {},
    optional={
        "queue": st.sampled_from(["gpu", "", None, 4]),
        "priority": st.sampled_from(["high", "normal", None]),
        "ttlSecondsAfterFinished": st.sampled_from([0, 60, None, "60"]),
        "managedBy": st.sampled_from(["example.com/other", None]),
        "cancelRequested": st.sampled_from([True, False, None, "yes"]),
        "cancelConfirmed": st.booleans(),
        "parameters": st.sampled_from([{"a": [1, {"b": 2}]}, None]),
    },
)


@given(spec=_SPEC, status=_STATUS, deleting=st.booleans(), generation=st.sampled_from([1, 2]))
def test_an_encoded_object_decodes_to_the_same_job_as_a_parsed_one(
    spec: dict[str, Any], status: dict[str, Any], deleting: bool, generation: int
) -> None:
    body = make_body(version=9, **status)
    body["spec"] = spec
    body["metadata"] |= {"generation": generation} | ({"deletionTimestamp": "2026-03-01T12:00:00Z"} if deleting else {})
    encoded = json.dumps(body).encode()

    head = parsing.head(encoded)

    assert head == parsing.Head(make_key(), 9)
    assert bodies.job(encoded, head) == objects.job_of(body, make_key())


def test_a_finished_job_takes_little_memory() -> None:
    """About 900 bytes on 64 bits; its body has some thousand, and its decoded form has more."""
    number = 2_000
    texts = []
    for index in range(number):
        body = make_body(
            f"job-{index:06}",
            uid=f"00000000-0000-0000-0000-{index:012}",
            phase="Succeeded",
            observedGeneration=1,
            attempt=1,
            worker="worker@host",
            message="x" * 500,
            dispatchTime=f"2026-03-01T12:{index // 60 % 60:02}:{index % 60:02}Z",
            completionTime=f"2026-03-01T13:{index // 60 % 60:02}:{index % 60:02}Z",
            conditions=[
                {"type": f"T{kind}", "status": "True", "reason": "x", "message": "y" * 50} for kind in range(11)
            ],
        )
        texts.append(json.dumps(body).encode())
    cache = Cache()
    gc.collect()
    tracemalloc.start()
    for text in texts:
        head = parsing.head(text)
        cache.store(bodies.job(text, head))
    gc.collect()
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert used / number < 1_500
