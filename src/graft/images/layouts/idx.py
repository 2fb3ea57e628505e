"""IDX files: the pictures and labels of MNIST, Fashion-MNIST, EMNIST and their kin."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from graft.errors import GraftError
from graft.images.file_names import to_path
from graft.images.layouts.idx_files import read_idx_array
from graft.images.layouts.pixel_arrays import check_limit, serve_arrays
from graft.images.sources import ImageSource

_IMAGES = re.compile(r"[-_.]?images([-_.]?)idx3", re.IGNORECASE)


def read_idx(
    path: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    limit: int | None = None,
) -> ImageSource:
    """Pictures and labels in IDX files, gzipped or not.

    Args:
        path: The file of the pictures (``t10k-images-idx3-ubyte.gz``), or a folder: then every
            such file in it is taken, each with its labels, and ``train`` and ``t10k`` together
            are one source.
        labels: The file of the labels; unless given, the one beside the pictures that is named
            alike (``t10k-labels-idx1-ubyte.gz``).
        limit: Take the first so many pictures of each file; all of them if None.

    Returns:
        A source of PNG files, ``t10k_00042.png``, encoded when they are read. Files that are not
        gzipped are mapped; the others are unpacked to memory.

    Raises:
        GraftError: If a file is missing, is no IDX file, is longer or shorter than its header
            says, or if there are not as many labels as pictures.

    Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    check_limit(limit)
    location = to_path(path)
    if not location.is_dir():
        pairs = [(location, to_path(labels) if labels else _find_labels(location))]
    elif labels is None:
        pairs = [(images, _find_labels(images)) for images in _find_images(location)]
    else:
        raise GraftError(f"a file of labels needs one file of pictures; got the folder '{path}'")
    return serve_arrays([_read_pair(images, names, limit) for images, names in pairs])


def _read_pair(images: Path, labels: Path, limit: int | None) -> tuple[str, np.ndarray, np.ndarray]:
    numbers = read_idx_array(labels, dimensions=1)
    pixels = read_idx_array(images, dimensions=3)
    if len(numbers) != len(pixels):
        raise GraftError(
            f"there must be as many labels as pictures: '{images}' holds {len(pixels):,} pictures; "
            f"got {len(numbers):,} labels in '{labels}'"
        )
    return _derive_prefix(images), pixels[:limit], numbers[:limit]


def _derive_prefix(images: Path) -> str:
    return _IMAGES.split(images.name)[0].partition(".")[0] or "picture"


def _find_images(folder: Path) -> list[Path]:
    # One that lies there packed and unpacked is taken once, unpacked.
    found = {
        path.name.removesuffix(".gz"): path
        for path in sorted(folder.iterdir(), reverse=True)
        if _IMAGES.search(path.name) and path.is_file()
    }
    if not found:
        raise GraftError(
            "there is no file of pictures in IDX format here; put '…-images-idx3-ubyte.gz' and "
            f"'…-labels-idx1-ubyte.gz' there, or name another source; got '{folder}'"
        )
    # Train and test of one set share their labels; two sets (of EMNIST's six) do not.
    sets = {re.sub("train|test|t10k", "", _derive_prefix(path)) for path in found.values()}
    if len(sets) > 1:
        raise GraftError(
            f"'{folder}' holds several sets of pictures; name the file of one as the source; "
            f"got {', '.join(sorted(found))}"
        )
    return sorted(found.values())


def _find_labels(images: Path) -> Path:
    name, count = _IMAGES.subn(lambda found: _name_labels(found[0]), images.name)
    if not images.is_file() or not count:
        what = "name its labels too" if images.is_file() else "give one that exists"
        raise GraftError(
            "pictures in IDX format are a folder or a file such as 't10k-images-idx3-ubyte.gz'; "
            f"{what}; got '{images}'"
        )
    expected = images.with_name(name.removesuffix(".gz"))
    for path in (expected, expected.with_name(f"{expected.name}.gz")):
        if path.is_file():
            return path
    raise GraftError(
        f"the labels of '{images.name}' are missing; put '{expected.name}' or "
        f"'{expected.name}.gz' beside it; got '{images.parent}'"
    )


def _name_labels(part: str) -> str:
    return part.lower().replace("images", "labels").replace("idx3", "idx1")
