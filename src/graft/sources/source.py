"""Sources of labelled pictures: every layout becomes the same table and the same ``read``.

A new layout is one function in :mod:`graft.sources` that returns an
:class:`ImageSource`, and one small catalog type in :mod:`graft.datasets`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from graft.compute.workers import Failure, Item
from graft.errors import PictureError
from graft.file_hashes import HASHES, Identity
from graft.images.crops import parse_crop


class Record(NamedTuple):
    """What a layout knows of one picture, or of one part of a picture.

    Attributes:
        image_id: Unique, readable name.
        label: Its class; None if unlabelled.
        group: Pictures of one group (a track, a patient) are never divided between splits.
        source: Where the picture comes from (camera, web).
        crop: ``"left,top,right,bottom"``, see :func:`graft.images.crops.parse_crop`; None for
            the whole picture.
        weight: What the picture counts in training, as text; None if nobody has said.
        given_split: The word for the split that the picture was given (``train``, ``val``), see
            :func:`graft.sources.split_folders.find_split`; None if none was.
    """

    image_id: str
    label: str | None = None
    group: str | None = None
    source: str | None = None
    crop: str | None = None
    weight: str | None = None
    given_split: str | None = None


RECORD_COLUMNS = list(Record._fields)


@dataclass(frozen=True)
class ImageSource:
    """Pictures with labels, wherever they lie.

    Attributes:
        records: A row a picture with the columns of :class:`Record`, text or missing, in the
            order in which reading is cheapest.
        read: ``image_id`` to the bytes of that picture's whole file. Raises
            :class:`~graft.errors.PictureError` if this one file cannot be read.
        notes: What a person should know of how the pictures were read, a line each.
        identify: ``image_id`` to the state in which its file is now; None if no file says.
    """

    records: pd.DataFrame
    read: Callable[[str], bytes]
    notes: tuple[str, ...] = ()
    identify: Callable[[str], Identity | None] = lambda _: None

    def find_hash(self, image_id: str) -> str | None:
        """SHA-256 of a picture's file if it is known without reading it."""
        state = self.identify(image_id)
        return None if state is None else HASHES.find(state)

    def read_hashed(self, image_id: str) -> tuple[bytes, str]:
        """The bytes of a picture's whole file, and their SHA-256, computed once a run.

        Raises:
            PictureError: If this one file cannot be read.
        """
        before = self.identify(image_id)
        data = self.read(image_id)
        # Bytes are those of a state only if it was the same before and after.
        state = before if before is not None and self.identify(image_id) == before else None
        known = None if state is None else HASHES.find(state)
        if known is not None:
            return data, known
        sha256 = hashlib.sha256(data).hexdigest()
        if state is not None:
            HASHES.add(state, sha256)
        return data, sha256


def make_records(rows: Iterable[Record]) -> pd.DataFrame:
    """The table of an :class:`ImageSource`, every column of dtype "str".

    Names of classes are brought to one spelling of the same letters (Unicode's NFC): a Mac writes
    é as e and an accent, other systems as one letter.
    """
    records = pd.DataFrame(list(rows), columns=RECORD_COLUMNS, dtype="str")
    return records.assign(label=records["label"].str.normalize("NFC"))


def read_items(source: ImageSource, records: pd.DataFrame) -> Iterator[Item | Failure]:
    """Read the pictures of some records of a source, as items with ``data`` and ``crop``."""
    for image_id, crop in zip(records["image_id"], records["crop"], strict=True):
        try:
            yield {"data": source.read(image_id), "crop": parse_crop(crop)}
        except PictureError as error:
            yield Failure(str(error))
