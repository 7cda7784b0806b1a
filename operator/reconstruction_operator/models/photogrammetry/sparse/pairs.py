"""Pair selection: chooses the pairs of photos to match: all in small sets, similar photos in larger ones.

Photos of the same object have similar global descriptors. VLAD (Jegou et al. 2010, "Aggregating local descriptors into
a compact image representation") takes the difference of each SIFT feature from the nearest word of a small vocabulary,
and sums the differences for each word. Each sum is scaled to length 1 (Arandjelovic and Zisserman 2013, "All about
VLAD"). Then the signed square root is taken, and the whole vector is scaled to length 1 (Perronnin et al. 2010,
"Large-scale image retrieval with compressed Fisher vectors").

The vocabulary is learned from the features of the set itself, by k-means (Lloyd 1982). So no weights are needed, and
most words describe the subject of the set.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Integers, Singles
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap
from reconstruction_operator.models.photogrammetry.sparse.features import UNIT

_EXHAUSTIVE_UP_TO = 20  # photos; their 190 pairs are no more than a selection would have
_NEAREST = 8  # most similar photos for each photo
_BESIDE = (1, 2)  # places between neighbours in the order of names
# The same as shares of the photos, 9 and 18 degrees of a round: in a dense set the next photos have too little parallax
# to begin with.
_FARTHER_SHARES = (1 / 40, 1 / 20)
_NEAREST_ALIGNED = 30  # most similar aligned photos for each photo that overlaps with none
_WORDS = 64
_SAMPLE = 32_768  # features of all photos from which the vocabulary is learned
_ROUNDS = 12  # of k-means; further ones change few words

Pair = tuple[str, str]


@dataclass(frozen=True, eq=False, slots=True)
class Descriptors:
    """Names of photos in order, and the vector of each photo."""

    names: tuple[str, ...]
    vectors: Singles  # (n, d): each of length 1, or 0 without features

    @property
    def similarity(self) -> Singles:
        """(n, n): the similarity of each two photos, -1 to 1."""
        similarity: Singles = self.vectors @ self.vectors.T
        return similarity


def choose(database: Path, seed: int) -> list[Pair]:
    """Return the pairs of photos in `database` to match first. Descriptors are computed only for larger sets."""
    images = names(database)
    few = len(images) <= _EXHAUSTIVE_UP_TO
    return list(itertools.combinations(images, 2)) if few else similar(of_photos(database, seed))


def similar(descriptors: Descriptors) -> list[Pair]:
    """Return the first pairs of a larger set, each once: the most similar photos, and neighbours in the order of names.

    This order is a ring, since a walk around an object ends where it began.
    """
    names = descriptors.names
    count = len(names)
    offsets = {*_BESIDE, *(int(count * share) for share in _FARTHER_SHARES)} - {0}
    beside = [(index, (index + offset) % count) for index in range(count) for offset in sorted(offsets)]
    return _named(names, [*beside, *_most_similar(descriptors, range(count), range(count), _NEAREST)])


def towards(descriptors: Descriptors, left_out: Collection[str], aligned: Collection[str]) -> list[Pair]:
    """Return pairs of each photo in `left_out` with the most similar photos in `aligned`."""
    index = {name: position for position, name in enumerate(descriptors.names)}
    rows = [index[name] for name in sorted(left_out)]
    columns = [index[name] for name in sorted(aligned)]
    return _named(descriptors.names, _most_similar(descriptors, rows, columns, _NEAREST_ALIGNED))


def around(overlapping: Collection[Pair], left_out: Collection[str]) -> list[Pair]:
    """Return pairs of the photos in `left_out` with the neighbours of their neighbours, by the
    pairs in `overlapping`.
    """
    near: dict[str, set[str]] = {}
    for first, second in overlapping:
        near.setdefault(first, set()).add(second)
        near.setdefault(second, set()).add(first)
    pairs = {pair for others in near.values() for pair in itertools.combinations(sorted(others), 2)}
    return sorted(pair for pair in pairs if not frozenset(pair).isdisjoint(left_out))


def _most_similar(
    descriptors: Descriptors, rows: Sequence[int], columns: Sequence[int], most: int
) -> list[tuple[int, int]]:
    """Return each of `rows` with the `most` of `columns` that are most similar to it."""
    similarity = descriptors.similarity[np.ix_(rows, columns)]
    order = np.argsort(-similarity, axis=1, kind="stable")
    pairs = []
    for row, best in zip(rows, order, strict=True):
        others = [columns[position] for position in best if columns[position] != row]
        pairs += [(row, other) for other in others[:most]]
    return pairs


def _named(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> list[Pair]:
    return [(names[first], names[second]) for first, second in sorted({(min(pair), max(pair)) for pair in pairs})]


def names(database: Path) -> list[str]:
    """Return the names of all photos in `database`, in order."""
    with pycolmap.Database.open(database) as opened:
        return sorted(str(image.name) for image in opened.read_all_images())


def of_photos(database: Path, seed: int) -> Descriptors:
    """Return the descriptors of all photos in `database`."""
    with pycolmap.Database.open(database) as opened:
        images = sorted(opened.read_all_images(), key=lambda image: str(image.name))

        def features(image_id: int) -> Singles:
            descriptors = np.asarray(opened.read_descriptors(image_id).data, dtype=np.float32)
            return descriptors.reshape(-1, 128) / UNIT

        chance = np.random.default_rng(seed)
        share = max(1, _SAMPLE // max(1, len(images)))
        sample = np.concatenate([_some(features(image.image_id), share, chance) for image in images])
        words = _vocabulary(sample, chance)
        vectors = np.stack([_vlad(features(image.image_id), words) for image in images])
    return Descriptors(tuple(str(image.name) for image in images), vectors)


def _some(rows: Singles, most: int, chance: np.random.Generator) -> Singles:
    return rows if len(rows) <= most else rows[chance.choice(len(rows), most, replace=False)]


def _vocabulary(sample: Singles, chance: np.random.Generator) -> Singles:
    """(words, 128): the centres of k-means; fewer if there are fewer features."""
    words = _some(sample, _WORDS, chance)
    for _ in range(_ROUNDS):
        sums, counts = _sums(sample, _nearest(sample, words), len(words))
        words = np.where(counts[:, None] > 0, sums / np.maximum(counts, 1.0)[:, None], words)
    return words


def _nearest(features: Singles, words: Singles) -> Integers:
    nearest: Integers = (features @ words.T - 0.5 * (words * words).sum(axis=1)).argmax(axis=1)
    return nearest


def _sums(features: Singles, word: Integers, count: int) -> tuple[Singles, Singles]:
    """Return the sum of the features of each word, and their number."""
    belongs = np.zeros((len(features), count), dtype=np.float32)
    belongs[np.arange(len(features)), word] = 1.0
    return belongs.T @ features, belongs.sum(axis=0)


def _vlad(features: Singles, words: Singles) -> Singles:
    """(words * 128,): the descriptor of one photo."""
    sums, counts = _sums(features, _nearest(features, words), len(words))
    by_word = sums - counts[:, None] * words
    by_word /= np.maximum(np.linalg.norm(by_word, axis=1, keepdims=True), 1e-9)
    vector: Singles = np.sign(by_word).ravel() * np.sqrt(np.abs(by_word)).ravel()
    vector /= max(float(np.linalg.norm(vector)), 1e-9)
    return vector
