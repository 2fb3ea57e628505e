"""One pass over a source that hands out only what nobody has worked on yet."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, NamedTuple

from graft.compute.workers import Failure, Item
from graft.errors import PictureError
from graft.fingerprints import hash_parts
from graft.images.crops import Box, parse_crop
from graft.progress import track
from graft.sources.source import ImageSource

# Name of a picture, and the part of its file that it is, as text; None for all of it.
File = tuple[str, str | None]
# SHA-256 of files as they are read, in their order; None of those that cannot be.
Hashes = deque[str | None]
# From files and their origins to a result of each and its SHA-256, None if it cannot be read.
Work = Callable[[Sequence[File], Sequence[str]], Iterator[tuple[Any, str | None]]]


class NewPicture(NamedTuple):
    """What is known of a new content before it is worked on.

    Attributes:
        image_id: The first picture of this content.
        origin: See :mod:`graft.compute.known_rows`; None of what cannot be read.
        sha256: Of the file; None if it cannot be read.
    """

    image_id: str
    origin: str | None
    sha256: str | None


def read_files(
    read_hashed: Callable[[str], tuple[bytes, str]], files: Iterable[File], hashes: Hashes
) -> Iterator[Item | Failure]:
    """Files as decoders take them.

    Args:
        read_hashed: From a name to the bytes of a file and their SHA-256.
        files: Names and crops.
        hashes: Gets one a file.
    """
    for image_id, crop in files:
        try:
            data, sha256 = read_hashed(image_id)
        except PictureError as error:
            hashes.append(None)
            yield Failure(str(error))
        else:
            hashes.append(sha256)
            yield {"data": data, "crop": parse_crop(crop)}


def trace_files(source: ImageSource, files: Sequence[File], recipe: str) -> list[str]:
    """Origins of what is made of files that nobody here has read.

    Args:
        source: The files' source: where each lies, and what tells that it was not touched.
        files: Names and crops.
        recipe: Digest of all else that the results are made of.
    """
    return [
        hash_parts(recipe, image_id, str(crop), str(source.identify(image_id)))
        for image_id, crop in files
    ]


@dataclass
class NewPictures:
    """One pass over a source; a content that is known, or came before, is not handed out.

    Attributes:
        source: The pictures.
        recipe: Digest of all that the results are made of, but the content.
        known: Origins of the results that there are; missing ones match nothing.
        rows: For every record so far, the row of its result: among the known ones, or behind them
            among the new ones.
        waiting: Every new content so far, in the order in which it was handed out. Who takes from
            its front what the results come back of holds no more than is on the way.
    """

    source: ImageSource
    recipe: str
    known: Sequence[str | None]
    rows: array[int] = field(default_factory=lambda: array("q"))
    waiting: deque[NewPicture] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._next = len(self.known)
        origins = enumerate(self.known)
        self._row_of: dict[str | None, int] = {
            origin: row for row, origin in origins if isinstance(origin, str)
        }

    def read(self, activity: str) -> Iterator[Item | Failure]:
        """Read all files but those known to be as before; yield each new content, once.

        Args:
            activity: What is being done, in a word, for the progress.
        """
        records = zip(self.source.records["image_id"], self.source.records["crop"], strict=True)
        total = len(self.source.records)
        for image_id, crop in track(records, total, activity=activity, unit="pictures"):
            box = parse_crop(crop)
            if self.take_known(self.source.find_hash(image_id), box):
                continue
            item, sha256 = self._read_one(image_id, box)
            if not self.take_known(sha256, box):
                self.take_new(image_id, sha256, box)
                yield item

    def read_elsewhere(self, work: Work) -> Iterator[Any]:
        """Let others read all files but those known to be as before; yield what came of them.

        Of files of one content all are read, and what came of the first one counts.

        Args:
            work: Gets the files, and an origin of each, see :func:`trace_files`. Gives a result of
                each, and its SHA-256.
        """
        records = list(
            zip(self.source.records["image_id"], self.source.records["crop"], strict=True)
        )
        hashes = [self.source.find_hash(image_id) for image_id, _ in records]
        boxes = [parse_crop(crop) for _, crop in records]
        is_unread = [
            not self.is_known(sha256, box) for sha256, box in zip(hashes, boxes, strict=True)
        ]
        wanted = list(compress(records, is_unread))
        results = work(wanted, trace_files(self.source, wanted, self.recipe))
        for place, (image_id, _) in enumerate(records):
            result, sha256 = next(results) if is_unread[place] else (None, hashes[place])
            if not self.take_known(sha256, boxes[place]):
                self.take_new(image_id, sha256, boxes[place])
                yield result

    def is_known(self, sha256: str | None, box: Box | None) -> bool:
        """Whether there is a result of this content."""
        return self._trace(sha256, box) in self._row_of

    def take_known(self, sha256: str | None, box: Box | None) -> bool:
        """Give the next record the result of its content, if there is one."""
        origin = self._trace(sha256, box)
        if origin not in self._row_of:
            return False
        self.rows.append(self._row_of[origin])
        return True

    def take_new(self, image_id: str, sha256: str | None, box: Box | None) -> None:
        """Give the next record a result that is yet to come."""
        origin = self._trace(sha256, box)
        self.rows.append(self._next)
        self._next += 1
        self.waiting.append(NewPicture(image_id, origin, sha256))
        if origin is not None:
            self._row_of[origin] = self.rows[-1]

    def _read_one(self, image_id: str, box: Box | None) -> tuple[Item | Failure, str | None]:
        try:
            data, sha256 = self.source.read_hashed(image_id)
        except PictureError as error:
            return Failure(str(error)), None
        return {"data": data, "crop": box}, sha256

    def _trace(self, sha256: str | None, box: Box | None) -> str | None:
        return None if sha256 is None else hash_parts(sha256, str(box), self.recipe)
