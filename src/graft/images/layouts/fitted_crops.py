"""Crops that were measured in pictures of another size than the files have now."""

from __future__ import annotations

from dataclasses import replace

from PIL import ExifTags, Image

from graft.images.crops import join_crop, parse_crop, scale_crop
from graft.images.decoding import open_picture
from graft.images.layouts.listed_pictures import ListedPicture
from graft.images.stores import FileStore


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
