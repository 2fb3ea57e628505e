"""Text files of labels: any encoding, and nothing guessed."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from graft.errors import GraftError
from graft.images.decoding import PictureError
from graft.images.file_names import refuse_giant

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_bytes(path: Path, what: str) -> bytes:
    """Read a whole file of labels.

    Raises:
        GraftError: If it is missing, no regular file, or as large as no such file is.
    """
    try:
        if not path.is_file():
            raise GraftError(f"needed is {what}; give one that exists; got '{path}'")
        refuse_giant(path.stat().st_size)
        return path.read_bytes()
    except (OSError, PictureError) as error:
        raise GraftError(f"this file of labels cannot be read: {error}; got '{path}'") from error


def decode_text(data: bytes, name: str | os.PathLike[str], encoding: str | None = None) -> str:
    """Decode by the byte order mark, else by the encoding given, else as UTF-8.

    Raises:
        GraftError: If the bytes are not text of that encoding.
    """
    marked = next((codec for mark, codec in _MARKS.items() if data.startswith(mark)), None)
    codec = marked or encoding or "utf-8"
    try:
        text = data.decode(codec)
        text.encode()  # a lone surrogate cannot be stored
        if "\0" in text:
            raise ValueError("NUL characters")
    except (LookupError, ValueError) as error:
        raise GraftError(
            f"'{name}' is not text in {codec} ({' '.join(str(error).split())[:120]}); save it as "
            "UTF-8, or for a table name its encoding, such as cp1252 for one of Excel's; "
            f"got encoding {encoding!r}"
        ) from error
    return text


def show(value: str) -> str:
    """A value for a one-line message: quoted, without line ends, not too long."""
    return repr(value if len(value) <= 60 else f"{value[:60]}…")
