"""Fixtures of the photogrammetry engine on real photos."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from PIL import Image
from reconstruction_operator.models.interface import Photo, Result, StageFolder, Step, Work
from reconstruction_operator.models.photogrammetry import PhotogrammetryModel

from tests.support.paths import CHECKOUT

BANANA = CHECKOUT / "examples" / "photos" / "banana"


@dataclass
class Run:
    """One run of the engine: its reports and its result."""

    output: Path
    result: Result | None = None
    reports: list[tuple[Step, float, str]] = field(default_factory=list)
    resumed_from: str = ""

    @property
    def quality(self) -> dict[str, int | float | str]:
        assert self.result is not None
        return dict(self.result.quality)


def reconstruct(
    photos: Iterable[Path],
    folder: Path,
    *,
    stages: StageFolder | None = None,
    hear: Callable[[str], None] = lambda _: None,
    threads: int = 0,
    **parameters: object,
) -> Run:
    """Run the engine on `photos` in this process, in that many threads (0: as many as cores).

    Raises what the engine raises, and what `hear` raises about a message.
    """
    checked = []
    for path in photos:
        with Image.open(path) as image:
            checked.append(Photo(path, *image.size, path.stat().st_size))
    model = PhotogrammetryModel()
    run = Run(folder / "output")
    run.output.mkdir(parents=True)
    scratch = folder / "scratch"
    scratch.mkdir()
    filled = model.check_parameters({"quality": "fast", **parameters})
    work = Work(tuple(checked), scratch, run.output, filled, threads=threads or os.cpu_count() or 1, stages=stages)

    def report(step: Step, fraction: float, message: str = "", *, resumed: str = "", **_: object) -> None:
        run.reports.append((step, fraction, message))
        run.resumed_from = resumed or run.resumed_from
        hear(message)

    run.result = model.run(work, report)
    return run


@pytest.fixture(scope="session")
def banana(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The example photos, reconstructed once for all tests."""
    return reconstruct(sorted(BANANA.glob("*.jpg")), tmp_path_factory.mktemp("banana"))


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Iterable[Path]], Run]:
    """Runs the engine on other photos, in the test's folder."""
    return lambda photos: reconstruct(photos, tmp_path)


@pytest.fixture
def engine() -> Callable[..., Run]:
    """The function that runs the engine, for tests that run it several times."""
    return reconstruct
