"""Scikit-learn's handwritten digits."""

from __future__ import annotations

from graft.images.layouts.pixel_arrays import check_limit, encode_png
from graft.images.sources import ImageSource, Record, make_records


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
