"""Small pictures of train beside an export, in the order of what is remembered of train.

They let a person see what a picture was found to be near to. They are other people's pictures, so
they are exported only if that is asked for.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

NEAREST = "nearest.npz"
# Of the longer side, in pixels: enough to see what a picture is of.
SIDE = 96
_QUALITY = 80


@dataclass(frozen=True)
class SmallPictures:
    """Small pictures of train.

    Attributes:
        labels: The class of each.
        files: JPEG, of each.
    """

    labels: Sequence[str]
    files: Sequence[bytes]

    def pack(self) -> dict[str, np.ndarray]:
        """All of it as named arrays."""
        return {
            "labels": np.array(self.labels, dtype=np.str_),
            "content": np.frombuffer(b"".join(self.files), np.uint8),
            "ends": np.cumsum([len(file) for file in self.files], dtype=np.int64),
        }


def shrink(pixels: np.ndarray) -> bytes:
    """A small JPEG of pixels (H, W, 3), uint8; nothing of the file they came from is in it."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def read_small_pictures(folder: Path) -> SmallPictures:
    """The small pictures of an export whose files were checked before."""
    with np.load(folder / NEAREST, allow_pickle=False) as arrays:
        labels, ends = arrays["labels"].tolist(), arrays["ends"].tolist()
        content = arrays["content"].tobytes()
    starts = [0, *ends[:-1]]
    return SmallPictures(labels, [content[a:b] for a, b in zip(starts, ends, strict=True)])
