"""Sources of labelled pictures: every layout becomes the same table and the same ``read``.

A new layout is one function that returns an :class:`ImageSource`, and one small catalog type
in :mod:`graft.datasets.image_sources`.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from PIL import Image

from graft.errors import GraftError
from graft.images.stores import FileStore, open_store

RECORD_COLUMNS = ["image_id", "label", "group"]


@dataclass(frozen=True)
class ImageSource:
    """Pictures with labels, wherever they lie.

    Attributes:
        records: A row a picture: ``image_id`` (unique text), ``label`` and ``group`` (text, or
            missing: unlabelled, in no group), in the order in which reading is cheapest.
        read: ``image_id`` to the bytes of that picture's file. Raises
            :class:`~graft.images.decoding.PictureError` if this one file cannot be read.
    """

    records: pd.DataFrame
    read: Callable[[str], bytes]


def read_class_folders(path: str | os.PathLike[str]) -> ImageSource:
    """A folder a class (``daisy/1.jpg``), in a folder or an archive.

    The label is the first folder of a picture's path, however deep the picture lies below it.
    An archive that packs everything in one outer folder (``flowers/daisy/1.jpg``) is read as
    if packed without it. Pictures outside any class folder are unlabelled.

    Raises:
        GraftError: If there is no file at all.
    """
    store = open_store(path)
    outer = _outer_folder(store)
    return _make_source(store, path, lambda name: (_first_folder(name[len(outer) :]), None))


def read_labelled_file_names(path: str | os.PathLike[str], pattern: str) -> ImageSource:
    r"""Labels in the file names, found by a regular expression.

    Args:
        path: Folder or archive; pictures may lie in folders below it.
        pattern: Regular expression that must match a whole file name (without its folders),
            with a named group ``label`` and, optionally, ``group``. For ``cat.0.jpg``:
            ``(?P<label>\w+)\.\d+\.jpg``. Files that do not match are unlabelled.

    Raises:
        GraftError: If the expression is wrong, or no file matches it.
    """
    expression = _compile(pattern)

    def describe(name: str) -> tuple[str | None, str | None]:
        match = expression.fullmatch(PurePosixPath(name).name)
        groups = match.groupdict() if match else {}
        return groups.get("label"), groups.get("group")

    source = _make_source(open_store(path), path, describe)
    if source.records["label"].isna().all():
        raise GraftError(
            f"no file name in '{path}' matches the pattern '{pattern}'; "
            f"the first file is '{source.records['image_id'].iloc[0]}'"
        )
    return source


def read_digits(limit: int | None = None) -> ImageSource:
    """Scikit-learn's 1,797 handwritten digits, 8×8 grey, offline.

    Their 17 levels of ink (0–16) are spread over 0–255 and served as PNG files.

    Args:
        limit: Take the first so many pictures; all of them if None.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    pixels = (digits.images[:limit] * (255 / 16)).round().astype("uint8")
    names = [f"digit_{number:04d}.png" for number in range(len(pixels))]
    files = dict(zip(names, map(_encode_png, pixels), strict=True))
    labels = [str(label) for label in digits.target[:limit]]
    rows = [(name, label, None) for name, label in zip(names, labels, strict=True)]
    return ImageSource(_make_records(rows), files.__getitem__)


def _make_source(
    store: FileStore,
    path: str | os.PathLike[str],
    describe: Callable[[str], tuple[str | None, str | None]],
) -> ImageSource:
    if not store.names:
        raise GraftError(f"'{path}' holds no files; put pictures there, or name another source")
    rows = [(name, *describe(name)) for name in store.names]
    return ImageSource(_make_records(rows), store.read)


def _make_records(rows: Sequence[tuple[str, str | None, str | None]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=RECORD_COLUMNS, dtype="str")


def _first_folder(name: str) -> str | None:
    folder, slash, _ = name.partition("/")
    return folder if slash else None


def _outer_folder(store: FileStore) -> str:
    """The one folder, with its slash, around all class folders of an archive; else ''."""
    folders = {_first_folder(name) for name in store.names}
    if not store.is_archive or len(folders) != 1 or None in folders:
        return ""
    outer = f"{folders.pop()}/"
    inside = [PurePosixPath(name[len(outer) :]) for name in store.names]
    # A licence may lie beside the class folders; a picture there makes the folder a class.
    pictures = Image.registered_extensions()
    is_class = any(len(path.parts) == 1 and path.suffix.lower() in pictures for path in inside)
    return "" if is_class else outer


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise GraftError(
            f"the file name pattern is no regular expression: {error}; got {pattern!r}"
        ) from None
    if "label" not in expression.groupindex:
        raise GraftError(f"the file name pattern needs a named group (?P<label>…); got {pattern!r}")
    return expression


def _encode_png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()
