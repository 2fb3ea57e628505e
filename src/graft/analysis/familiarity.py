"""Is a picture like those that were trained on? A distance on features, and where it ends.

Source: Sun, Ming, Zhu and Li, "Out-of-distribution detection with deep nearest neighbors", ICML
2022. ``benchmarks/unknown.py`` compares it with Mahalanobis' distance (Lee et al., NeurIPS 2018).
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from graft.errors import GraftError

FAMILIARITY = "familiarity.npz"
_ROWS_A_BLOCK = 512
# Of a distance, by features in 16 bits and by other formats of the network.
_ROUNDING = 1e-3
# A feature of many numbers costs more a picture: fewer pictures are kept then, for the champion's
# folder is to stay small.
MOST_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Familiarity:
    """What training looked like, as far as it takes to tell what does not.

    Attributes:
        reference: Features of some pictures of train, scaled to length 1, float16 (m, D).
        neighbours: A picture is as far away as its so-many-th nearest of them.
        threshold: Pictures that are farther away are unlike anything in training.
    """

    reference: np.ndarray
    neighbours: int
    threshold: float

    def measure(self, features: np.ndarray) -> np.ndarray:
        """How far pictures are from those of train, float32 (n,), 0 to 2.

        The distance is that of points on the unit sphere, so it depends on the angle alone.

        Args:
            features: (n, D), float.
        """
        return self._measure(features)

    def measure_among(self, clusters: np.ndarray) -> np.ndarray:
        """How far the remembered pictures are from those of other clusters, float32 (m,).

        Args:
            clusters: Of the remembered pictures, in their order, (m,): copies and groups are one
                cluster, and would vouch for each other as nothing vouches for a new picture.
        """
        return self._measure(self._wide, clusters)

    def _measure(self, features: np.ndarray, clusters: np.ndarray | None = None) -> np.ndarray:
        reference = self._wide
        place = min(self.neighbours, len(reference)) - 1
        found = np.empty(len(features), np.float32)
        for start in range(0, len(features), _ROWS_A_BLOCK):
            rows = slice(start, start + _ROWS_A_BLOCK)
            cosines = scale_to_unit(features[rows]) @ reference.T
            if clusters is not None:
                cosines[clusters[rows, np.newaxis] == clusters] = -1
            nearest = -np.partition(-cosines, place, axis=1)[:, place]
            found[rows] = np.sqrt(np.maximum(0, 2 - 2 * nearest))
        return found

    def find_nearest(self, feature: np.ndarray, count: int) -> list[tuple[int, float]]:
        """The nearest of the remembered pictures: their rows, and how far they are.

        Args:
            feature: Of one picture, (D,), float.
            count: How many, at most.
        """
        (cosines,) = scale_to_unit(feature[np.newaxis]) @ self._wide.T
        rows = np.argsort(-cosines, kind="stable")[:count]
        return [(int(row), float(np.sqrt(max(0, 2 - 2 * cosines[row])))) for row in rows]

    @cached_property
    def _wide(self) -> np.ndarray:
        # Once, not with every picture: it takes as long as half a small network.
        return self.reference.astype(np.float32)

    def pack(self) -> dict[str, np.ndarray]:
        """All of it as named arrays."""
        return {
            "reference": self.reference,
            "neighbours": np.array(self.neighbours),
            "threshold": np.array(self.threshold, np.float32),
        }


def unpack_familiarity(arrays: Mapping[str, np.ndarray]) -> Familiarity:
    """The inverse of :meth:`Familiarity.pack`."""
    return Familiarity(arrays["reference"], int(arrays["neighbours"]), float(arrays["threshold"]))


def fit_familiarity(
    train: np.ndarray,
    dev: np.ndarray,
    neighbours: int,
    refused_share: float,
    clusters: np.ndarray | None = None,
) -> Familiarity:
    """Remember features of train, and find the distance that refuses a share of new pictures.

    A new picture is as likely to be the farthest, the second farthest, … as any that the distance
    was found on; so it is beyond the k-th of n with probability 1 − k / (n + 1), and k is the
    smallest that makes this no more than the share (Vovk et al., "Algorithmic learning in a random
    world", 2005: a conformal quantile). Where fewer were measured than that takes, none of them is
    refused.

    Args:
        train: Features (m, D), float; at most so many are kept as :data:`MOST_BYTES` allow.
        dev: Features (n, D), float, of pictures that were not trained on.
        neighbours: See :class:`Familiarity`.
        refused_share: Of new pictures like those of dev.
        clusters: Of train, (m,), if its features are as those of new pictures, made by a network
            that was not trained on it: then it counts too, each cluster measured against the
            others, and the distance, found on more pictures, is surer. None: dev alone counts.

    Examples:
        >>> train = np.array([[1.0, 0.0], [0.9, 0.1], [1.0, 0.1]])
        >>> dev = np.array([[1.0, 0.05], [0.9, 0.2]])
        >>> found = fit_familiarity(train, dev, neighbours=1, refused_share=0.05)
        >>> (found.measure(np.array([[2.0, 0.1], [0.0, 1.0]])) > found.threshold).tolist()
        [False, True]
    """
    count = max(neighbours, MOST_BYTES // (2 * train.shape[1]))
    reference = scale_to_unit(train[:count]).astype(np.float16)
    # A feature of one of these pictures, stored in 16 bits, is a little off from itself.
    found = Familiarity(reference, neighbours, threshold=0.0)
    distances = found.measure(dev)
    if clusters is not None:
        distances = np.r_[distances, found.measure_among(clusters[:count])]
    return Familiarity(reference, neighbours, max(_find_quantile(distances, refused_share), 1e-2))


def _find_quantile(distances: np.ndarray, refused_share: float) -> float:
    """The conformal quantile, and a little more, so that rounding does not decide about it."""
    ordered = np.sort(distances)
    place = min(math.ceil((len(ordered) + 1) * (1 - refused_share)), len(ordered)) - 1
    beyond = ordered[place + 1] if place + 1 < len(ordered) else np.inf
    return float(min((ordered[place] + beyond) / 2, ordered[place] + _ROUNDING))


def scale_to_unit(features: np.ndarray) -> np.ndarray:
    """Features (n, D) of length 1, float32; a feature of nothing but zeros stays so."""
    wide = features.astype(np.float32)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)


def read_familiarity(folder: Path) -> Familiarity | None:
    """What tells pictures unlike those of train, from a champion's folder; None if it is not there.

    Raises:
        GraftError: If the file is damaged.
    """
    try:
        with np.load(folder / FAMILIARITY, allow_pickle=False) as arrays:
            return unpack_familiarity(arrays)
    except FileNotFoundError:  # of a champion that was made before
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise GraftError(
            f"{FAMILIARITY} of a champion must be as it was saved; make the champion again with "
            f"`kedro run`; got a damaged one in '{folder}'"
        ) from error
