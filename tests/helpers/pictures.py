"""Pictures made in memory, and what the stages need to know of them."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pandas as pd
from PIL import Image

from graft.sources.source import ImageSource


def encode(pixels: np.ndarray, format_: str = "png") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format_)
    return buffer.getvalue()


def hash_files(source: ImageSource) -> pd.Series:
    """The column ``sha256`` of an index, row by row."""
    contents = [source.read(image_id) for image_id in source.records["image_id"]]
    return pd.Series([hashlib.sha256(data).hexdigest() for data in contents], dtype="str")


def trace_images(images: np.ndarray) -> pd.DataFrame:
    """``image_origins`` of pixels that no file was decoded for: equal for equal rows."""
    origins = [hashlib.sha256(row.tobytes()).hexdigest() for row in np.asarray(images)]
    return pd.DataFrame({"origin": pd.Series(origins, dtype="str")})


class UnreadImages:
    """Pixels that nobody may read: what is known of them is enough."""

    def __init__(self, images: np.ndarray) -> None:
        self.shape, self.dtype, self.nbytes = images.shape, images.dtype, images.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: object) -> np.ndarray:
        raise AssertionError(f"pixels were read: {rows}")
