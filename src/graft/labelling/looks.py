"""What the page shows of a picture: its pixels as JPEG, its nearest pictures, its heat map."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from graft.analysis.mistakes import find_nearest
from graft.datasets.features import FeatureTable
from graft.errors import PictureError
from graft.images.crops import parse_crop
from graft.images.decoding import cut_out, open_picture, to_rgb
from graft.images.deep_pictures import parse_range
from graft.sources.source import ImageSource

# Longer side in pixels: of the picture that is asked about, and of those beside it.
LARGE, SMALL = 1000, 260
# A longer side up to which a picture is enlarged, pixel by pixel.
_TINY = 64
_QUALITY = 88
_KEPT = 200  # pictures in memory


class Looks:
    """Pictures of the index, by row.

    Args:
        source: Reads them.
        image_index: Of the ingestion stage.
        max_pixels: Of a picture that is decoded.
    """

    def __init__(self, source: ImageSource, image_index: pd.DataFrame, max_pixels: int) -> None:
        self._source, self._index, self._max_pixels = source, image_index, max_pixels
        # One picture of an archive is read at a time, and one is decoded.
        self._lock = threading.Lock()
        self.take = lru_cache(_KEPT)(self._take)

    def find_name(self, row: int) -> str:
        """Name of a picture.

        Raises:
            PictureError: If there is no such picture.
        """
        if not 0 <= row < len(self._index):
            raise PictureError("there is no such picture")
        return str(self._index["image_id"].iloc[row])

    def _take(self, row: int, side: int) -> bytes:
        """JPEG of a picture, upright, its longer side at most so many pixels.

        Only bytes that ingestion has decoded before, in a process of its own, are decoded here.

        Raises:
            PictureError: If there is no such picture, or its file is not what was checked.
        """
        name, facts = self.find_name(row), self._index.iloc[row]
        with self._lock:
            data, sha256 = self._source.read_hashed(name)
            if sha256 != facts["sha256"]:
                raise PictureError("the picture has changed since the last run")
            values = facts["value_range"] if isinstance(facts["value_range"], str) else None
            picture = to_rgb(open_picture(data, self._max_pixels), parse_range(values))
            picture = cut_out(picture, parse_crop(facts["crop"]))
        # The pixels of a tiny picture stay squares.
        tiny = max(picture.size) <= _TINY
        how = Image.Resampling.NEAREST if tiny else Image.Resampling.LANCZOS
        shown = picture.resize(_fit(picture.size, side), how)
        buffer = io.BytesIO()
        shown.save(buffer, "JPEG", quality=_QUALITY)
        return buffer.getvalue()


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    """Width and height with the longer one at most ``side``; tiny pictures grow.

    Examples:
        >>> _fit((2000, 1000), 500), _fit((300, 200), 500), _fit((8, 8), 260)
        ((500, 250), (300, 200), (256, 256))
    """
    scale = side / max(size)
    if scale >= 1:
        scale = int(scale) if max(size) <= _TINY else 1
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def make_finder(
    features: FeatureTable, image_index: pd.DataFrame, count: int
) -> Callable[[str], list[dict[str, Any]]]:
    """A function from a picture to the labelled ones nearest to it, by the cosine of features.

    Args:
        features: Of the labelled pictures.
        image_index: Of the ingestion stage.
        count: So many of the nearest.
    """
    rows = pd.Series(np.arange(len(image_index)), index=image_index["image_id"].to_numpy())
    is_own = (features.keys["view"] == 0).to_numpy()
    names = features.keys["image_id"]
    # Row of the index of every row of the features that counts, -1 of all others.
    counted = np.where(is_own, names.map(rows).fillna(-1).to_numpy(np.int64), -1)
    labels = image_index["label"].to_numpy(object)

    def find(image_id: str) -> list[dict[str, Any]]:
        row = rows.get(image_id)
        own = np.flatnonzero(counted == row)
        if not len(own):
            return []
        is_other = (counted >= 0) & (counted != row)
        blocks = (
            (counted[place][is_other[place]], block[is_other[place]])
            for place, block in features.read_blocks()
        )
        found, similarities = find_nearest(features.read_rows(own), blocks, count)
        return [
            {"row": int(near), "label": str(labels[near]), "similarity": round(float(alike), 3)}
            for near, alike in zip(found[0], similarities[0], strict=True)
        ]

    return find


@dataclass(frozen=True)
class Beside:
    """What may stand beside a doubtful label.

    Attributes:
        find_nearest: From the name of a picture to the ``row``, ``label`` and ``similarity`` of
            others, the nearest first; empty where its features are not known.
        heat: Name of a picture to its heat map, uint8 (h, w), and the class that it speaks for.
    """

    find_nearest: Callable[[str], list[dict[str, Any]]]
    heat: dict[str, tuple[np.ndarray, str]]

    def describe(self, image_id: str) -> dict[str, Any]:
        """``nearest``; ``heat``, rows of numbers from 0 to 1 or None; ``heat_class``."""
        heat, class_name = self.heat.get(image_id, (None, ""))
        return {
            "nearest": self.find_nearest(image_id),
            "heat": None if heat is None else (heat / 255).round(3).tolist(),
            "heat_class": class_name,
        }
