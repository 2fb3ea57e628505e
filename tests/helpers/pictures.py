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
