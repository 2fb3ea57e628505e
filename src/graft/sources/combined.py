"""Several sources side by side as one."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from graft.file_hashes import Identity
from graft.sources.source import ImageSource


class Part(NamedTuple):
    """One of several sources.

    Attributes:
        name: Stands before the names of its pictures.
        images: The pictures.
        split: The word for the split that all of them were given; None leaves what each says.
        source: Where those of them come from that name no source.
    """

    name: str
    images: ImageSource
    split: str | None = None
    source: str | None = None


def combine_sources(parts: list[Part]) -> ImageSource:
    """One source of all pictures of some; ``training/cat/1.jpg`` is ``cat/1.jpg`` of ``training``.

    Groups are taken as they stand: a patient who is in two sources is one patient.
    """
    tables = []
    place_of: dict[str, tuple[ImageSource, str]] = {}
    for part in parts:
        records = part.images.records
        names = f"{part.name}/" + records["image_id"]
        place_of |= {new: (part.images, old)
                     for new, old in zip(names, records["image_id"], strict=True)}  # fmt: skip
        changes = {"image_id": names}
        if part.split is not None:
            changes["given_split"] = pd.Series(part.split, index=records.index, dtype="str")
        if part.source is not None:
            changes["source"] = records["source"].fillna(part.source)
        tables.append(records.assign(**changes))

    def read(image_id: str) -> bytes:
        source, name = place_of[image_id]
        return source.read(name)

    def identify(image_id: str) -> Identity | None:
        source, name = place_of[image_id]
        return source.identify(name)

    notes = tuple(note for part in parts for note in part.images.notes)
    return ImageSource(pd.concat(tables, ignore_index=True), read, notes, identify)
