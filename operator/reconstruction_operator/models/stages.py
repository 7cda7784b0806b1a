"""Stages: intermediate results that a model has finished, from which the next attempt, or another job with the same
photos, continues.

    <folder>/<stage>~<key>/           a sealed stage: its files, and `seal.json` with their digests
    <folder>/<stage>-<number>~<key>/  a sealed part of a stage, deleted when the whole stage is sealed
    <folder>/.<stage>-<random>/       a stage or a part that is being written, or was too large to be kept

One rename seals a stage, after all its files are on the disk. So a killed process never leaves a sealed stage with
incomplete files. The files of a sealed stage never change: a model that writes to one works on a copy. A stage is used
only for the key that it was made with, and only if its files have the digests of the seal. The key is a digest of the
photos, the model and the parameters that the stage reads.

A stage that the same model made from other photos, by the same parameters, is related: a run may copy from it what is
of its own photos.

Before the run, the worker moves sealed stages of earlier attempts into the folder, and links those of other jobs. No
other process writes there, except helpers of the run, which seal parts of a stage (`parts`). A helper reads stages up
to the one that it helps with, and neither makes nor deletes one.

A stage may be for the workers of another queue. After the stage before it is sealed, the run ends there by
StageElsewhere, and continues from that stage on the other worker.

A pipeline of functions keeps what they make by the decorators of `stage_functions`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from reconstruction_operator.models import seals
from reconstruction_operator.models.interface import HelpOver, Parts, StageElsewhere, StageFolder, Work
from reconstruction_operator.models.stage_store import StageStore, delete

_KEY_CHARS = 32
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SealedStage:
    """A sealed stage; its files must not be changed."""

    name: str
    path: Path
    maker: str  # "attempt 1", "job banana"; empty: unknown

    def __str__(self) -> str:
        """Return the text for the status: "matches of attempt 1"."""
        return f"{self.name} of {self.maker}" if self.maker else self.name


class Stages:
    """The stages of one run."""

    def __init__(
        self,
        folder: StageFolder,
        reads: Callable[[str], object] = lambda _: None,
        follows: Mapping[str, str] = MappingProxyType({}),
        parts: Parts | None = None,
        helps: str = "",
    ) -> None:
        self._folder = folder
        self._store = StageStore(folder)
        self._reads = reads
        self._follows = follows
        self.parts = parts  # other workers that help; None: this run makes all stages itself
        self.helps = helps  # as in `Work`
        self._basis = ""
        self._stages: dict[str, SealedStage] = {}  # a cache, since checking a stage reads all its files
        self._digests: dict[str, str] = {}

    @classmethod
    def of(
        cls,
        work: Work,
        reads: Callable[[str], object] | None = None,
        follows: Mapping[str, str] = MappingProxyType({}),
    ) -> Stages:
        """Return the stages of that work. Without a stage folder, they are in the scratch folder, for this run alone.

        `reads` returns the parameters that the stage of a name depends on, as JSON values; by default all. `follows`
        has the stages in order, and of each what follows it, as `Model.stage_names` calls that.
        """
        folder = work.stages or StageFolder(work.scratch_dir / "stages", "")
        return cls(folder, reads or (lambda _: dict(work.parameters)), follows, work.parts, work.helps)

    @property
    def digests(self) -> Mapping[str, str]:
        """The digest of the content of each stage that the run has made or found, in this order, by name.

        It is equal for equal files: two runs whose digests differ first in one stage differ by that stage.
        """
        return dict(self._digests)

    def turn(self, name: str) -> None:
        """Begin the stage that `Model.stage_names` calls so.

        Raises StageElsewhere if it is for the workers of another queue.
        """
        if name in self._folder.elsewhere:
            raise StageElsewhere(name)

    def _turn_after(self, sealed: str) -> None:
        """Begin what follows a stage that was sealed now, unless a later one is there already."""
        names = list(self._follows)
        if sealed in names and not any(self.find(later) for later in names[names.index(sealed) + 1 :]):
            self.turn(self._follows[sealed])

    def title(self, name: str) -> str:
        """Return the name of that stage with its key, as `Parts` gets it."""
        return self._path(name).name

    def miss(self, name: str) -> None:
        """Begin to make the stage of that name.

        Raises HelpOver in a helper, unless the stage that it helps with is this one or comes before it.
        """
        if self.helps and self._rank(name) < self._rank(self.helps.partition("~")[0]):
            raise HelpOver

    def find(self, name: str) -> SealedStage | None:
        """Return the sealed stage of that name and key; None if there is none. An incomplete stage is deleted.

        Raises HelpOver in a helper whose stage is finished by then.
        """
        found = self._find(name)
        if found and self.helps and self._rank(name) >= self._rank(self.helps.partition("~")[0]):
            raise HelpOver
        return found

    def _rank(self, name: str) -> int:
        """Return the place of that stage in their order; what is not kept as a stage is the last."""
        names = list(self._follows)
        return names.index(name) if name in names else len(names)

    def _find(self, name: str) -> SealedStage | None:
        path = self._path(name)
        if name in self._stages:
            return self._stages[name]
        if not os.path.lexists(path):
            return None
        seal = seals.read(path)
        maker = None if seal is None else self._store.maker_in(seal)
        if seal is None or maker is None:
            logger.warning("stage %s is not used: it is incomplete", name)
            if not self.helps:
                delete(path)
            return None
        # Those of stages before it that it has replaced, or that stayed with another leg, are in its seal alone
        self._digests = {**seals.earlier(seal), **self._digests, name: seals.content_digest(seals.files_of(seal))}
        self._stages[name] = SealedStage(name, path, maker)
        return self._stages[name]

    def related(self, name: str) -> SealedStage | None:
        """Return a sealed stage of that name which the same model made from other photos, by the same parameters."""
        own = self._path(name)
        for path in sorted(self._folder.path.glob(f"{_checked(name)}~*")):
            seal = seals.read(path) if path != own else None
            if seal is not None and self._folder.family and seal.get("kin") == self._kin(name):
                return SealedStage(name, path, self._store.maker_in(seal) or "")
        return None

    def rest_on(self, name: str) -> None:
        """Let the keys of other stages from now on depend on the content of that stage: they fit no other."""
        self.find(name)
        # Of a stage that could not be written, nothing is known: what rests on it is of no use to another run.
        self._basis = self._digests.get(name) or uuid.uuid4().hex

    def begin(self, name: str) -> Path:
        """Make an empty folder for that stage.

        Raises OSError, also FileNotFoundError if another attempt has taken over.
        """
        return self._store.begin(_checked(name))

    def seal(self, name: str, written: Path) -> Path:
        """Seal the folder that `begin` has made; return the new path of the folder. Waits for the disk.

        A stage that would exceed the size limit of all stages is not moved, and no later attempt finds it.

        Raises OSError, also FileNotFoundError if another attempt has taken over.
        """
        if self.helps:
            raise HelpOver
        described = seals.describe(written)
        about = {"kin": self._kin(name), "earlier": self.digests}
        self._digests[name] = seals.content_digest(described)
        parts = [path for path in self._store.sealed() if re.match(rf"{name}-[0-9]+~", path.name)]
        target = self._path(name)
        is_kept = self._store.publish(target, written, described, about, parts)
        for path in parts:  # the stage has all that is in them
            delete(path)
        # Of helpers that were killed, or still make a part that another one has made as well
        self._store.delete_unfinished(name, but=written)
        if not is_kept:
            return written
        self._stages[name] = SealedStage(name, target, "")
        return target

    def part(self, name: str, number: int, made_from: object) -> Path | None:
        """Return the folder of a sealed part of that stage; None if there is none, or if it is damaged.

        The part depends on `made_from`, a JSON value, and on what the stage depends on.
        """
        path = self._part_path(name, number, made_from)
        return path if seals.read(path) else None

    def seal_part(self, name: str, number: int, made_from: object, written: Path) -> Path:
        """Seal the folder that `begin` has made as a part of that stage; raises and returns as `seal`.

        Another worker may have sealed the same part meanwhile: then it is used, and `written` deleted.
        """
        path = self._part_path(name, number, made_from)
        try:
            return path if self._store.publish(path, written, seals.describe(written), {}) else written
        except OSError:
            if not seals.read(path):
                raise
            delete(written)
            return path

    def made(self, name: str, fill: Callable[[Path], None]) -> Path:
        """Return the folder of the stage of that name. Without the stage, `fill` fills a new folder."""
        stage = self.find(name)
        if stage is not None:
            return stage.path
        self.miss(name)
        folder = Path(os.devnull) if self.helps else self.begin(name)
        fill(folder)  # of a helper: makes parts, and raises HelpOver
        sealed = self.seal(name, folder)
        if sealed != folder:
            self._turn_after(name)
        return sealed

    def keep(self, name: str, fill: Callable[[Path], None], replaces: Collection[str] = ()) -> None:
        """Keep a stage that the run itself does not need, and delete those that it replaces. Failures are logged."""
        if self.helps:
            raise HelpOver
        try:
            folder = self.begin(name)
            fill(folder)
            if self.seal(name, folder) == folder:
                shutil.rmtree(folder)
                return
            self.drop(*replaces)
        except OSError as error:  # a full disk fails the run elsewhere; a superseded run fails at its end
            logger.warning("stage %s is not kept: %s", name, error)
            return
        self._turn_after(name)

    def drop(self, *names: str) -> None:
        """Delete stages that a later one has made unnecessary."""
        for name in names:
            delete(self._path(name))
            self._stages.pop(name, None)

    def drop_others(self) -> None:
        """Delete the stages that this run has neither made nor found: those of other parameters."""
        if self.helps:
            return
        own = {stage.path for stage in self._stages.values()}
        for path in self._store.sealed():
            if path not in own:
                delete(path)

    def _path(self, name: str) -> Path:
        if name in self._stages:
            return self._stages[name].path
        depends_on = [self._folder.key, _checked(name), self._reads(name), self._basis]
        return self._folder.path / f"{name}~{_key(depends_on)}"

    def _part_path(self, name: str, number: int, made_from: object) -> Path:
        return self._folder.path / f"{name}-{number}~{_key([self.title(name), number, made_from])}"

    def _kin(self, name: str) -> str:
        """Return what related stages of that name have in common."""
        return _key([self._folder.family, name, self._reads(name)])


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.80} is not a stage name: use at most 32 lower-case letters, digits and dashes")
    return name


def _key(depends_on: object) -> str:
    text = json.dumps(depends_on, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_KEY_CHARS]
