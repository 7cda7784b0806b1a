"""Image similarity: one global descriptor (VLAD) for each photo. Photos of the same object have similar descriptors.

VLAD (Jegou et al. 2010, "Aggregating local descriptors into a compact image representation") takes the difference of each SIFT feature from
the nearest word of a small vocabulary, and sums the differences for each word. Each sum is scaled to length 1 (Arandjelovic and Zisserman
2013, "All about VLAD"). Then the signed square root is taken, and the whole vector is scaled to length 1 (Perronnin et al. 2010,
"Large-scale image retrieval with compressed Fisher vectors").

The vocabulary is learned from the features of the set itself, by k-means (Lloyd 1982). So no weights are needed, and most words describe
the subject of the set.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reconstruction_operator.models.photogrammetry.arrays import Integers, Singles
from reconstruction_operator.models.photogrammetry.sparse.colmap import pycolmap

_WORDS = 64
_SAMPLE = 32_768  # features of all photos from which the vocabulary is learned
_ROUNDS = 12  # of k-means; further ones change few words
_SCALE = 512.0  # COLMAP's unit of RootSIFT in a byte


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
            return descriptors.reshape(-1, 128) / _SCALE

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
