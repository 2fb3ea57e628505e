"""Which columns of a table of labels mean what."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from graft.parameters import StageParameters


class TableColumns(StageParameters):
    r"""How a table of labels is to be understood.

    Attributes:
        file_column: Name of the column of file names, relative to the folder of the pictures.
        label_column: Name of the column of labels; an empty cell is an unlabelled picture.
        group_column: Name of a column of groups, such as patients; taken as it stands.
        group_pattern: Instead of it, a regular expression for a whole file name (without its
            folders) with the named group ``group``, such as ``(?P<group>\d+)_\d+\.ppm``.
        group_within_class: What ``group_pattern`` finds is made unique by the class, for numbers
            of tracks begin anew in each. Set it to false where one group (a patient) has pictures
            of several classes.
        source_column: Name of a column that says where a picture comes from.
        weight_column: Name of a column of numbers from 0 on: what a picture counts in training
            where ``sample_weights: weight`` asks for it.
        crop_columns: Names of four columns: left, top, right and bottom of the part of the
            picture that the row is about, in pixels, right and bottom exclusive. Four empty cells
            are the whole picture.
        size_columns: Names of two columns: width and height of the picture that the crop was
            measured in. Where the file has another size, for copies are often made smaller, its
            crop is scaled with it.
        file_suffix: Added to every file name, such as ``.jpg`` where the table lists bare names.
        label_digits: Labels that are whole numbers get zeros before them up to so many digits,
            so that their order as text is that of the numbers.
        separator: Character between cells; unless given, the one of ``,``, ``;``, tab and ``|``
            that makes the header hold the columns named here.
        encoding: Of tables that are not UTF-8 and have no byte order mark, such as ``cp1252``.
    """

    file_column: str
    label_column: str
    group_column: str | None = None
    group_pattern: str | None = None
    group_within_class: bool = True
    source_column: str | None = None
    weight_column: str | None = None
    crop_columns: list[str] = Field(default_factory=list)
    size_columns: list[str] = Field(default_factory=list)
    file_suffix: str = ""
    label_digits: int = Field(0, ge=0, le=20)
    separator: str | None = None
    encoding: str | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.group_column is not None and self.group_pattern is not None:
            raise ValueError(
                "a group is found by group_column or by group_pattern, not by both; "
                f"got '{self.group_column}' and '{self.group_pattern}'"
            )
        if len(self.crop_columns) not in (0, 4):
            raise ValueError(
                "crop_columns must be the names of four columns, left, top, right and bottom; "
                f"got {self.crop_columns}"
            )
        if len(self.size_columns) not in (0, 2):
            raise ValueError(
                "size_columns must be the names of two columns, width and height; "
                f"got {self.size_columns}"
            )
        if self.size_columns and not self.crop_columns:
            raise ValueError(
                f"size_columns are of use to crop_columns alone; got only {self.size_columns}"
            )
        return self

    @field_validator("separator")
    @classmethod
    def _is_one_character(cls, separator: str | None) -> str | None:
        if separator is not None and (
            len(separator) != 1 or separator in '"\r\n' or not separator.isascii()
        ):
            raise ValueError("separator must be one character")
        return separator

    @property
    def needed(self) -> list[str]:
        """Names of all columns that the table must have."""
        single = [
            self.file_column, self.label_column, self.group_column, self.source_column,
            self.weight_column,
        ]  # fmt: skip
        names = [*single, *self.crop_columns, *self.size_columns]
        return [name for name in dict.fromkeys(names) if name is not None]
