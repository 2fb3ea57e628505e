"""Digits as files, for tests that need pictures which a classifier knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def write_digits(folder: Path, numbers: range) -> None:
    """Some of scikit-learn's digits as files of a new folder, named by their numbers."""
    folder.mkdir()
    for number in numbers:
        pixels = (load_digits().images[number] * 15.9375).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
