from __future__ import annotations

import pytest
from reconstruction_operator.contract.keys import Keys

from tests.support.settings import configure


def test_key_names_are_those_of_the_protocol() -> None:
    keys = Keys(prefix="")
    names = {
        keys.job("j"): "job:j",
        keys.task("t"): "task:t",
        keys.alive("j"): "alive:j",
        keys.cancel_request("j"): "cancel_request:j",
        keys.cancel("j"): "cancel:j",
        keys.records("install"): "records:install",
        keys.fence("install"): "fence:install",
        keys.worker("celery@host"): "worker:celery@host",
        keys.draining("celery@host"): "draining:celery@host",
        keys.workers(): "workers",
        keys.epoch(): "epoch",
    }
    assert list(names) == list(names.values())


def test_the_prefix_is_the_current_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, REDIS_KEY_PREFIX="team-a:")
    assert Keys().job("j") == "team-a:job:j"
    assert Keys().workers() == "team-a:workers"


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 257], ids=["empty", "unprintable", "too-long"])
@pytest.mark.parametrize("kind", ["task", "alive", "records", "fence", "worker", "draining"])
def test_a_malformed_name_is_refused(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match="printable characters"):
        getattr(Keys(prefix=""), kind)(name)


@pytest.mark.parametrize("kind", ["job", "cancel", "cancel_request"])
def test_a_malformed_job_id_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="job id"):
        getattr(Keys(prefix=""), kind)("a/../b")
