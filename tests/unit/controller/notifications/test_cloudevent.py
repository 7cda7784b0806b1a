"""CloudEvent: the headers and the data of one event."""

from __future__ import annotations

import json

import pytest
from reconstruction_operator.api.identity import JobRef
from reconstruction_operator.api.notification import Notification
from reconstruction_operator.controller.notifications.cloudevent import cloud_event, gallery_page

from tests.support.jobs import NOON

KEY = JobRef("team", "banana", "uid-1")
STATUS = {"phase": "Succeeded", "verdict": "Fine", "notifications": [{"kind": "Fine"}]}


def test_an_event_has_the_attributes_in_its_headers_and_the_status_in_its_data() -> None:
    event = cloud_event(KEY, Notification("Fine", 2, NOON), STATUS, "https://gallery/jobs/team/banana")

    assert event.headers == {
        "Content-Type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": "uid-1-2-Fine",
        "ce-source": "/apis/reconstruction.dev/v1alpha1/namespaces/team/reconstructionjobs/banana",
        "ce-type": "dev.reconstruction.job.fine",
        "ce-subject": "team/banana",
        "ce-time": "2026-03-01T12:00:00Z",
    }
    assert json.loads(event.body) == {
        "kind": "Fine",
        "attempt": 2,
        "job": {"namespace": "team", "name": "banana", "uid": "uid-1"},
        "gallery": "https://gallery/jobs/team/banana",
        "status": {"phase": "Succeeded", "verdict": "Fine"},
    }


@pytest.mark.parametrize(
    ("address", "page"),
    [
        pytest.param("https://gallery/", "https://gallery/jobs/team/banana", id="URL"),
        pytest.param("service/gallery", "", id="no address for users"),
        pytest.param("", "", id="no gallery"),
    ],
)
def test_the_page_of_a_job_needs_a_gallery_with_a_url(address: str, page: str) -> None:
    assert gallery_page(address, KEY) == page
