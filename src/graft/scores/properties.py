"""Trivial properties of pictures: what can be said of a file without seeing what it shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

_MEASURED = ["width", "height", "bytes", "brightness", "contrast", "red", "green", "blue"]
CATEGORIES = ["format", "mode"]


@dataclass(frozen=True)
class Property:
    """Something that can be known of a picture without seeing what it shows.

    Attributes:
        name: For a person.
        columns: Of the table of :func:`derive_properties`.
    """

    name: str
    columns: tuple[str, ...]


PROPERTIES = (
    Property("width", ("width",)),
    Property("height", ("height",)),
    Property("aspect ratio", ("aspect_ratio",)),
    Property("file size", ("bytes",)),
    Property("brightness", ("brightness",)),
    Property("contrast", ("contrast",)),
    Property("mean colour", ("red", "green", "blue")),
    Property("file format", ("format", "mode")),
)


def derive_properties(index: pd.DataFrame) -> pd.DataFrame:
    """Everything trivial that is known of every picture.

    Args:
        index: Columns ``width``, ``height``, ``bytes``, ``brightness``, ``contrast``, ``red``,
            ``green``, ``blue``, ``format`` and ``mode``; values may be missing.

    Returns:
        A row a picture with the rows' names of ``index``. float64: ``width`` and ``height``
        (pixels), ``aspect_ratio`` (width / height), ``bytes``, ``brightness`` and ``contrast``
        (0 to 255), mean ``red``, ``green`` and ``blue`` (0 to 255), and the opponent colours
        ``red_green`` (R − G) and ``yellow_blue`` ((R + G) / 2 − B) of Hasler and Süsstrunk,
        "Measuring colourfulness in natural images", SPIE 5007, 2003. Text: ``format``,
        ``mode``.

    Examples:
        >>> row = dict.fromkeys(["brightness", "contrast", "red", "green", "blue"], 9.0)
        >>> row |= {"width": 4, "height": 2, "bytes": 70, "format": "PNG", "mode": "L"}
        >>> float(derive_properties(pd.DataFrame([row]))["aspect_ratio"].iloc[0])
        2.0
    """
    numbers = {name: index[name].to_numpy(np.float64, na_value=np.nan) for name in _MEASURED}
    numbers["aspect_ratio"] = numbers["width"] / numbers["height"]
    numbers["red_green"] = numbers["red"] - numbers["green"]
    numbers["yellow_blue"] = (numbers["red"] + numbers["green"]) / 2 - numbers["blue"]
    table = pd.DataFrame(numbers, index=index.index)
    return table.assign(**{name: index[name].astype("str") for name in CATEGORIES})
