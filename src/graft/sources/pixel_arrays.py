"""Pictures that lie in arrays, served as PNG files that are encoded when they are read."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from graft.errors import GraftError
from graft.sources.source import ImageSource, Record, make_records


def serve_arrays(
    parts: Sequence[tuple[str, np.ndarray, np.ndarray]],
    names: Sequence[str] | None = None,
    splits: Mapping[str, str] | None = None,
) -> ImageSource:
    """Serve arrays of pixels as a source.

    Args:
        parts: For each, the prefix of its names, pixels (N, H, W) or (N, H, W, 3), uint8, and
            whole-numbered labels (N,). The pictures are named ``prefix_00042.png``.
        names: Names of the classes by number. Else the numbers name them, with zeros before,
            so that their order as text is that of the numbers.
        splits: Prefix to the split that its pictures were given.

    Returns:
        The source. The pixels stay where they are, mapped or in memory.
    """
    highest = max((int(labels.max()) for _, _, labels in parts if len(labels)), default=0)
    digits = len(str(highest))
    places: dict[str, tuple[np.ndarray, int]] = {}
    rows = []
    for prefix, pixels, labels in parts:
        for row, number in enumerate(labels.tolist()):
            name = f"{prefix}_{row:05d}.png"
            places[name] = pixels, row
            label = names[number] if names else f"{number:0{digits}d}"
            rows.append(Record(name, label, given_split=(splits or {}).get(prefix)))

    def read(image_id: str) -> bytes:
        pixels, row = places[image_id]
        return encode_png(pixels[row])

    return ImageSource(make_records(rows), read)


def check_limit(limit: int | None) -> None:
    """Refuse a number of pictures that is none.

    Raises:
        GraftError: If it is neither None nor a whole number from 1 on.
    """
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise GraftError(f"limit must be at least 1, or null for all pictures; got {limit!r}")


def encode_png(pixels: np.ndarray) -> bytes:
    """A PNG file of one picture, (H, W) or (H, W, 3), uint8."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "png")
    return buffer.getvalue()


def read_digits(limit: int | None = None) -> ImageSource:
    """Scikit-learn's 1,797 handwritten digits, 8×8 grey, offline.

    Their 17 levels of ink (0–16) are spread over 0–255 and served as PNG files.

    Args:
        limit: Take the first so many pictures; all of them if None.

    Raises:
        GraftError: If the limit is below 1.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    check_limit(limit)
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images[:limit] * (255 / 16)).round().astype("uint8")
    files = {
        f"digit_{number:04d}.png": encode_png(picture) for number, picture in enumerate(pixels)
    }
    labels = map(str, digits.target[:limit])
    return ImageSource(make_records(map(Record, files, labels)), files.__getitem__)
