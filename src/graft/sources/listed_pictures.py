"""From a row of a table of labels to what it says of one picture."""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from PIL import ExifTags, Image

from graft.errors import GraftError
from graft.images.crops import format_crop, join_crop, parse_crop, scale_crop
from graft.images.decoding import open_picture
from graft.sources.class_folders import join_group
from graft.sources.file_names import leaves_folder
from graft.sources.labelled_file_names import FileNamePattern
from graft.sources.split_folders import check_split
from graft.sources.stores import FileStore
from graft.sources.table_rows import Row, TableColumns, show


def fit_crops(
    listed: dict[str, list[ListedPicture]], store: FileStore
) -> tuple[dict[str, list[ListedPicture]], int]:
    """Scale crops to the sizes of the files, where the table says in what size they were measured.

    Only the headers of the pictures are looked at. One that cannot be read keeps its crop; it
    will be set apart anyhow.

    Args:
        listed: What the table says, by file.
        store: The files, which are read in their cheapest order.

    Returns:
        What the table says, with crops that fit, and how many were scaled.
    """
    fitted = dict(listed)
    scaled = 0
    for file in store.names:
        rows = listed.get(file, [])
        if any(row.size and row.crop for row in rows) and (size := _measure(file, store)):
            fitted[file] = [_fit(row, size) for row in rows]
            scaled += sum(old.crop != new.crop for old, new in zip(rows, fitted[file], strict=True))
    return fitted, scaled


def _fit(row: ListedPicture, size: tuple[int, int]) -> ListedPicture:
    crop = parse_crop(row.crop)
    if crop is None or row.size is None:
        return row
    return replace(row, crop=join_crop(scale_crop(crop, row.size, size)))


def _measure(file: str, store: FileStore) -> tuple[int, int] | None:
    """Width and height of the upright picture; None if it cannot be read."""
    try:
        picture = open_picture(store.read(file), Image.MAX_IMAGE_PIXELS or 1)
        turned = picture.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    except Exception:  # Pillow's readers leak all kinds; checking the pictures will tell
        return None
    return picture.size[::-1] if turned else picture.size


_HOT, _COLD = {"1", "1.0", "true"}, {"0", "0.0", "false", ""}


@dataclass(frozen=True)
class ListedPicture:
    """One row of a table.

    Attributes:
        place: The row, for messages.
        file: Name of the file in its store.
        label: None if the cell is empty.
        group: None if there is none.
        source: None if the cell is empty.
        crop: As text; None for the whole picture.
        weight: As it stands; None if the column is not asked for or the cell is empty.
        size: Width and height of the picture that the crop was measured in; None if unknown.
        split: The word for its given split; None if there is none.
    """

    place: str
    file: str
    label: str | None = None
    group: str | None = None
    source: str | None = None
    crop: str | None = None
    weight: str | None = None
    size: tuple[int, int] | None = None
    split: str | None = None

    @property
    def meaning(self) -> dict[str, str]:
        """What two rows about the same part of the same file must agree in."""
        facts = {
            "label": self.label, "group": self.group, "source": self.source,
            "weight": self.weight, "split": self.split,
        }  # fmt: skip
        return {name: text for name, text in facts.items() if text is not None}


@dataclass
class RowReader:
    """Reads rows by the meaning of their columns.

    Args:
        columns: That meaning.
        names: Names of the files that are there.
    """

    columns: TableColumns
    names: list[str]
    _names: dict[str, str] = field(init=False)
    _pattern: FileNamePattern | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        # A Mac writes ä as a and two dots; the table beside it may have the one letter.
        self._names = {unicodedata.normalize("NFC", name): name for name in self.names}
        self._names.update((name, name) for name in self.names)
        if self.columns.group_pattern is not None:
            self._pattern = FileNamePattern(self.columns.group_pattern, needed="group")

    def read(self, row: Row, folder: str) -> ListedPicture:
        """Read one row; its file name is relative to ``folder``.

        Raises:
            GraftError: Names the row and the value that is wrong.
        """
        file = self._find_file(row, folder)
        label = self._find_label(row)
        source, weight = self.columns.source_column, self.columns.weight_column
        return ListedPicture(
            row.place,
            file,
            label,
            self._find_group(row, file, label),
            (row.cells[source].strip() or None) if source else None,
            self._find_crop(row),
            (row.cells[weight].strip() or None) if weight else None,
            self._find_size(row),
            self._find_split(row),
        )

    def refuse_idle_pattern(self, files: Iterable[str], place: str) -> None:
        """Refuse a pattern for groups that finds none.

        Raises:
            GraftError: Shows the first file name.
        """
        if self._pattern:
            self._pattern.refuse_unless_any(files, place)

    def _find_file(self, row: Row, folder: str) -> str:
        cell = row.cells[self.columns.file_column]
        if not cell.strip():
            raise GraftError(
                f"every row must name a file; the cell '{self.columns.file_column}' of "
                f"{row.place} is empty; got {show(cell)}"
            )
        if leaves_folder(cell.strip()):
            raise GraftError(
                "a file name in a table must stay in the folder of the pictures: no absolute "
                f"path, no '..', no drive; correct {row.place}; got {show(cell)}"
            )
        written = [cell + self.columns.file_suffix, cell.strip() + self.columns.file_suffix]
        written.append(written[-1].replace("\\", "/"))
        candidates = [posixpath.normpath(posixpath.join(folder, text)) for text in written]
        for name in candidates:
            found = self._names.get(name) or self._names.get(unicodedata.normalize("NFC", name))
            if found is not None:
                return found
        return candidates[-1]

    def _find_label(self, row: Row) -> str | None:
        if self.columns.label_column is None:
            return self._find_hot_label(row)
        label = row.cells[self.columns.label_column].strip()
        if label.isascii() and label.isdigit():
            label = label.zfill(self.columns.label_digits)
        return label or None

    def _find_hot_label(self, row: Row) -> str | None:
        cells = {name: row.cells[name].strip().lower() for name in self.columns.label_columns}
        for name, cell in cells.items():
            if cell not in _HOT | _COLD:
                raise GraftError(
                    f"{row.place}: the columns of label_columns hold 0 or 1; "
                    f"got {show(row.cells[name])} in {show(name)}"
                )
        hot = [name for name, cell in cells.items() if cell in _HOT]
        if len(hot) > 1:
            raise GraftError(
                f"{row.place}: a picture has one label, not several; keep one; "
                f"got 1 in {', '.join(map(show, hot[:4]))}"
            )
        return hot[0] if hot else None

    def _find_group(self, row: Row, file: str, label: str | None) -> str | None:
        if self._pattern:
            group = self._pattern.find(file).get("group")
            return join_group(label, group) if self.columns.group_within_class else group
        column = self.columns.group_column
        return (row.cells[column].strip() or None) if column else None

    def _find_crop(self, row: Row) -> str | None:
        if not self.columns.crop_columns:
            return None
        cells = [row.cells[column] for column in self.columns.crop_columns]
        try:
            return format_crop(cells)
        except GraftError as error:
            raise GraftError(f"{row.place}: {error}") from None

    def _find_split(self, row: Row) -> str | None:
        column = self.columns.split_column
        return check_split(row.cells[column], row.place) if column else None

    def _find_size(self, row: Row) -> tuple[int, int] | None:
        if not self.columns.size_columns:
            return None
        cells = [row.cells[column].strip() for column in self.columns.size_columns]
        if not all(re.fullmatch("[0-9]{1,9}", cell) and int(cell) for cell in cells):
            raise GraftError(
                f"{row.place}: the width and height of a picture are whole numbers of pixels; "
                f"got {show(cells[0])} and {show(cells[1])}"
            )
        return int(cells[0]), int(cells[1])
