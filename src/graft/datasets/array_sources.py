"""Catalog types for ``raw_images`` that lie in arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graft.datasets.image_sources import ImageSourceDataset
from graft.datasets.keras_downloads import CLASS_NAMES, download_arrays
from graft.errors import GraftError
from graft.images.layouts import read_digits, read_idx, serve_arrays
from graft.images.layouts.pixel_arrays import check_limit
from graft.images.sources import ImageSource


class IdxDataset(ImageSourceDataset):
    """IDX files, gzipped or not: MNIST and its kin.

    Args:
        filepath: The file of the pictures, or a folder of such files with their labels.
        labels: The file of the labels; unless given, the one beside the pictures.
        limit: Take the first so many pictures of each file; all of them if None.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        labels: str | None = None,
        limit: int | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._labels = labels
        self._limit = limit

    def load(self) -> ImageSource:
        return read_idx(self._filepath, self._labels, self._limit)

    def list_places(self) -> list[Path]:
        pictures = Path(self._filepath).expanduser()
        if self._labels is not None:
            return [pictures, Path(self._labels).expanduser()]
        return [pictures if pictures.is_dir() else pictures.parent]


class KerasImagesDataset(ImageSourceDataset):
    """A data set of pictures that Keras downloads by its name; train and test are one source.

    Args:
        name: ``mnist``, ``fashion_mnist``, ``cifar10`` or ``cifar100``. The classes of
            ``fashion_mnist`` and ``cifar10`` have their published names, the others are numbers.
        limit: Take the first so many pictures of train and of test; all of them if None.
        metadata: Ignored by Kedro; kedro-viz reads it.

    Raises:
        GraftError: If the name is another one.
    """

    def __init__(
        self, *, name: str, limit: int | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        if name not in CLASS_NAMES:
            raise GraftError(
                f"the data sets of Keras with pictures are {', '.join(CLASS_NAMES)}; got '{name}'"
            )
        super().__init__(filepath=f"keras.datasets.{name}", metadata=metadata)
        self._name = name
        self._limit = limit

    def load(self) -> ImageSource:
        check_limit(self._limit)
        parts = [
            (f"{self._name}_{part}", pixels[: self._limit], labels[: self._limit])
            for part, pixels, labels in download_arrays(self._name)
        ]
        return serve_arrays(parts, CLASS_NAMES[self._name])

    def list_places(self) -> list[Path]:
        # Keras checks what it downloads by a hash in its own code: the name stands for the content.
        return []

    def _exists(self) -> bool:
        return True


class DigitsDataset(ImageSourceDataset):
    """Scikit-learn's handwritten digits.

    Args:
        limit: Take the first so many pictures; all 1,797 if None.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, limit: int | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath="sklearn.datasets.load_digits", metadata=metadata)
        self._limit = limit

    def load(self) -> ImageSource:
        return read_digits(self._limit)

    def list_places(self) -> list[Path]:
        return []  # They are part of scikit-learn, whose version counts.

    def _exists(self) -> bool:
        return True
