"""Catalog types of the user's own pictures and labels: read, never written."""

from __future__ import annotations

import glob
import os
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io.core import parse_dataset_definition

from graft.datasets.atomic import SourceDataset, UserFileDataset
from graft.errors import GraftError
from graft.progress import warn
from graft.sources.class_folders import read_class_folders, read_track_folders
from graft.sources.combined import Part, combine_sources
from graft.sources.file_names import ANSWERS_FILE, walk_places
from graft.sources.idx import read_idx
from graft.sources.keras_downloads import CLASS_NAMES, download_arrays
from graft.sources.label_answers import parse_answers
from graft.sources.label_lines import read_label_line
from graft.sources.label_review import read_label_review
from graft.sources.label_tables import read_label_table
from graft.sources.labelled_file_names import read_labelled_file_names
from graft.sources.labels_by_people import join_reviews
from graft.sources.pixel_arrays import check_limit, read_digits, serve_arrays
from graft.sources.plain_files import read_plain_files
from graft.sources.remote import fetch, is_remote
from graft.sources.source import ImageSource
from graft.sources.split_folders import AUTO, check_split, refuse_wrong_choice
from graft.sources.stores import is_archive_name
from graft.sources.table_rows import TableColumns, read_bytes


class ImageSourceDataset(SourceDataset[ImageSource]):
    """Base of the image sources.

    Args:
        filepath: Where the pictures, or a file that names them, are.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    @abstractmethod
    def load(self) -> ImageSource:
        """List the pictures; none is read yet."""

    def list_places(self) -> list[Path]:
        """Files and folders that the pictures and their labels are read from."""
        return [Path(self._find(self._filepath)).expanduser()]

    # Whether links to folders are gone through, and what an address is opened with.
    _follow_links = False
    _credentials: dict[str, Any] | None = None

    def _find(self, path: str) -> str:
        """A path as it is; what lies at an address is fetched if it is not here as it is there."""
        return str(fetch(path, self._credentials)) if is_remote(path) else path

    def walk(self) -> Iterator[tuple[str, str]]:
        return walk_places(self.list_places(), self._follow_links)

    def _exists(self) -> bool:
        # Whether there is something at an address will be seen when it is fetched.
        return is_remote(self._filepath) or os.path.exists(os.path.expanduser(self._filepath))


class ClassFoldersDataset(ImageSourceDataset):
    """A folder a class, in a folder or in a ``.zip`` or ``.tar.gz`` archive.

    Args:
        filepath: The folder or archive.
        split_folders: What folders called after splits (``train``, ``val``) are: ``splits``,
            ``classes``, or ``auto``, which asks where both may be meant.
        follow_links: Whether links in a folder are followed, wherever they lead: those of Hugging
            Face's cache and of DVC do.
        credentials: Of fsspec's file system, where ``filepath`` is an address (``s3://…``); in a
            catalog a name in ``credentials.yml``.
        metadata: Ignored by Kedro; kedro-viz reads it.

    Raises:
        GraftError: If ``split_folders`` is another word.
    """

    def __init__(
        self,
        *,
        filepath: str,
        split_folders: str = AUTO,
        follow_links: bool = False,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._credentials = credentials
        refuse_wrong_choice(split_folders)
        self._split_folders = split_folders
        self._follow_links = follow_links

    def load(self) -> ImageSource:
        path = self._find(self._filepath)
        return read_class_folders(path, self._split_folders, self._follow_links)


class PlainFilesDataset(ImageSourceDataset):
    """Pictures without labels: all files of a folder or an archive, or a single file."""

    def load(self) -> ImageSource:
        return read_plain_files(self._filepath)


class TrackFoldersDataset(ImageSourceDataset):
    """Class folders of tracks: ``00025/00038_00005.ppm``.

    Args:
        filepath: The folder or archive of class folders.
        pattern: Regular expression for a whole file name with the named group ``group``, the
            track; unless given, what stands before the last ``_``.
        split_folders: As for :class:`ClassFoldersDataset`.
        follow_links: As for :class:`ClassFoldersDataset`.
        credentials: As for :class:`ClassFoldersDataset`.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        pattern: str | None = None,
        split_folders: str = AUTO,
        follow_links: bool = False,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._credentials = credentials
        refuse_wrong_choice(split_folders)
        self._options = {"split_folders": split_folders}
        self._options |= {} if pattern is None else {"pattern": pattern}
        self._follow_links = follow_links

    def load(self) -> ImageSource:
        path = self._find(self._filepath)
        return read_track_folders(path, **self._options, follow_links=self._follow_links)


class LabelledFileNamesDataset(ImageSourceDataset):
    """Labels in file names, in a folder or in an archive.

    Args:
        filepath: The folder or archive.
        pattern: Regular expression for a whole file name with the named group ``label`` and,
            optionally, ``group``, ``source`` and ``split``.
        follow_links: As for :class:`ClassFoldersDataset`.
        credentials: As for :class:`ClassFoldersDataset`.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        pattern: str,
        follow_links: bool = False,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._credentials = credentials
        self._pattern = pattern
        self._follow_links = follow_links

    def load(self) -> ImageSource:
        path = self._find(self._filepath)
        return read_labelled_file_names(path, self._pattern, self._follow_links)


def _resolve_beside(images: str | None, filepath: str) -> str | None:
    """A relative folder of pictures where a command is typed in a folder below the project.

    Kedro makes ``filepath`` absolute, from the folder of the project, and no other path: what is
    not there from here is looked for from the folders around the file of labels.
    """
    if images is None or is_remote(images) or os.path.exists(os.path.expanduser(images)):
        return images
    around = Path(filepath).parents if Path(filepath).is_absolute() else []
    return next((str(one / images) for one in around if (one / images).exists()), images)


class LabelTableDataset(ImageSourceDataset):
    """A table of labels (CSV, TSV, ``;``), or one in each folder.

    Args:
        filepath: A table, a folder or archive of tables, or a pattern for their names.
        images: Folder or archive that the file names are relative to; unless given, each table's
            own folder.
        credentials: As for :class:`ClassFoldersDataset`.
        metadata: Ignored by Kedro; kedro-viz reads it.
        **columns: The fields of :class:`~graft.sources.table_rows.TableColumns`, of which
            ``file_column`` and ``label_column`` are needed.
    """

    def __init__(
        self,
        *,
        filepath: str,
        images: str | None = None,
        credentials: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
        **columns: Any,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._credentials = credentials
        self._images = _resolve_beside(images, filepath)
        self._columns = TableColumns.model_validate(columns)

    def load(self) -> ImageSource:
        images = None if self._images is None else self._find(self._images)
        return read_label_table(self._find(self._filepath), self._columns, images)

    def list_places(self) -> list[Path]:
        pattern = os.path.expanduser(self._find(self._filepath))
        exact = os.path.exists(pattern)
        tables = [Path(pattern)] if exact else sorted(map(Path, glob.glob(pattern, recursive=True)))
        if self._images is not None:
            return [*tables, Path(self._find(self._images)).expanduser()]
        folders = {path if path.is_dir() or is_archive_name(path.name) else path.parent
                   for path in tables}  # fmt: skip
        return sorted(folders)

    def _exists(self) -> bool:
        path = os.path.expanduser(self._filepath)
        is_here = os.path.exists(path) or any(glob.iglob(path, recursive=True))
        return is_here or is_remote(self._filepath)


class LabelLineDataset(ImageSourceDataset):
    """One character a picture (``OOMM…``), in the natural order of the pictures' names.

    Args:
        filepath: The text file.
        images: Folder or archive of the pictures; unless given, the folder of the text file.
        class_names: Name of the class of each character, such as ``{O: old, M: modern}``.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(
        self,
        *,
        filepath: str,
        images: str | None = None,
        class_names: dict[Any, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._images = _resolve_beside(images, filepath)
        self._class_names = class_names

    def load(self) -> ImageSource:
        return read_label_line(self._filepath, self._images, self._class_names)

    def list_places(self) -> list[Path]:
        labels = Path(self._filepath).expanduser()
        return (
            [labels.parent] if self._images is None else [labels, Path(self._images).expanduser()]
        )


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
    """A data set of pictures that Keras downloads by its name, with its own train and test.

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
        splits = {f"{self._name}_{part}": part for part in ("train", "test")}
        return serve_arrays(parts, CLASS_NAMES[self._name], splits)

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


class SeveralSourcesDataset(ImageSourceDataset):
    """Sources side by side, each with a layout of its own.

    Examples:
        ::

            raw_images:
              type: graft.datasets.SeveralSourcesDataset
              sources:
                training: {type: graft.datasets.ClassFoldersDataset, filepath: data/01_raw/web}
                official:
                  {type: graft.datasets.LabelTableDataset, filepath: data/01_raw/test.csv,
                   file_column: file, label_column: class, split: test, source: phone}

    Args:
        sources: Name, which stands before the names of its pictures, to the definition of an
            image source. A mapping, not a list: a picture keeps its name, and so its split, when
            another source comes or the order changes. Beside the arguments of its type a
            definition may say ``split``: the split that all its pictures were given; and
            ``source``: where those of them come from that name none.
        metadata: Ignored by Kedro; kedro-viz reads it.

    Raises:
        GraftError: If there are no sources, one is none, or its split is no word for one.
    """

    def __init__(
        self, *, sources: dict[str, dict[str, Any]], metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath="several", metadata=metadata)
        if not isinstance(sources, dict) or not sources:
            raise GraftError(
                "sources are names, each with the definition of one, such as {training: {type: …, "
                f"filepath: …}}, official: {{…, split: test}}}}; got {sources!r}"
            )
        self._parts = {name: _define_part(str(name), one) for name, one in sources.items()}

    def load(self) -> ImageSource:
        return combine_sources(
            [
                Part(str(name), dataset.load(), split, source)
                for name, (dataset, split, source) in self._parts.items()
            ]
        )

    def list_places(self) -> list[Path]:
        return [place for dataset, _, _ in self._parts.values() for place in dataset.list_places()]

    def _exists(self) -> bool:
        return all(dataset._exists() for dataset, _, _ in self._parts.values())

    def _describe(self) -> dict[str, Any]:
        return {name: dataset._describe() for name, (dataset, _, _) in self._parts.items()}


def _define_part(
    name: str, definition: dict[str, Any]
) -> tuple[ImageSourceDataset, str | None, str | None]:
    """The data set of one of several sources, the split and the source of its pictures."""
    options = dict(definition) if isinstance(definition, dict) else {}
    split, source = options.pop("split", None), options.pop("source", None)
    for key, word in (("split", split), ("source", source)):
        if not isinstance(word, str | None):
            raise GraftError(
                f"{key} of the source '{name}' is text, such as {key}: test; got {word!r}"
            )
    split = check_split(split, f"the source '{name}'")
    type_, arguments = parse_dataset_definition(options) if "type" in options else (None, {})
    if not isinstance(type_, type) or not issubclass(type_, ImageSourceDataset):
        raise GraftError(
            f"the source '{name}' needs the type of an image source, such as "
            f"graft.datasets.ClassFoldersDataset; got {definition!r}"
        )
    dataset: ImageSourceDataset = type_(**arguments)
    return dataset, split, source


class LabelReviewDataset(UserFileDataset):
    """What people have decided about labels; loads as None while there is nothing.

    A filled copy of ``label_issues.csv``, see
    :func:`graft.sources.label_review.read_label_review`, and beside it the answers of the page of
    ``kedro label``, see :mod:`graft.sources.label_answers`.
    """

    def list_files(self) -> list[Path]:
        found = super().list_files()
        before = Path(self._filepath).with_name("label_verdicts.csv")
        if not found and before.exists():
            raise GraftError(
                f"label_verdicts.csv is called {Path(self._filepath).name} now, and its column "
                f"verdict is called action; rename both; got '{before}'"
            )
        return found + ([self.answers_file] if self.answers_file.is_file() else [])

    @property
    def review_file(self) -> Path:
        """Where a filled list is expected."""
        return Path(self._filepath).expanduser()

    @property
    def answers_file(self) -> Path:
        """Where the page keeps the answers."""
        return self.review_file.with_name(ANSWERS_FILE)

    def load(self) -> pd.DataFrame | None:
        found = self.list_files()
        if not found:
            return None
        tables = [read_label_review(path) for path in found if path != self.answers_file]
        is_there = self.answers_file in found
        data = read_bytes(self.answers_file, "a file of answers") if is_there else b""
        answers, damaged = parse_answers(data)
        if damaged:
            warn(
                "Answers", "%s ignored: cut short or no answers; first line %d of %s",
                f"{len(damaged):,}", damaged[0], ANSWERS_FILE,
            )  # fmt: skip
        return join_reviews(tables[0] if tables else None, answers)
