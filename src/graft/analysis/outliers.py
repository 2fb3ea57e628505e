"""Pictures unlike the rest by a trivial property."""

from __future__ import annotations

import numpy as np
import pandas as pd

# Ratios are what differs between sizes: twice as wide is as far off as half as wide.
_ON_LOG_SCALE = {"width", "height", "aspect_ratio", "bytes"}
# Column of `derive_properties` to its name for a person.
OUTLIER_PROPERTIES = {
    "width": "width",
    "height": "height",
    "aspect_ratio": "aspect ratio",
    "bytes": "file size",
    "brightness": "brightness",
    "contrast": "contrast",
    "red_green": "red − green",
    "yellow_blue": "yellow − blue",
}


def find_outliers(properties: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Pictures with a property far from the median of all pictures.

    Args:
        properties: As of :func:`graft.analysis.shortcuts.derive_properties`.
        threshold: A picture is an outlier if one of its modified z-scores is beyond it.
            Iglewicz and Hoaglin recommend 3.5.

    Returns:
        A row an outlier with the row's name in ``properties``, the farthest first:
        ``property`` (the one that is farthest off), ``value``, ``typical`` (the median of all)
        and ``score`` (modified z-score, see :func:`score_modified_z`).
    """
    columns = [properties[name].to_numpy() for name in OUTLIER_PROPERTIES]
    scores = np.stack(
        [
            score_modified_z(np.log(values) if name in _ON_LOG_SCALE else values)
            for name, values in zip(OUTLIER_PROPERTIES, columns, strict=True)
        ],
        axis=1,
    )
    distances = np.nan_to_num(np.abs(scores), nan=0.0)
    farthest = distances.argmax(axis=1) if len(distances) else np.zeros(0, np.int64)
    rows = np.flatnonzero(distances.max(axis=1, initial=0) > threshold)
    medians = np.array([float(properties[name].median()) for name in OUTLIER_PROPERTIES])
    table = pd.DataFrame(
        {
            "property": np.array(list(OUTLIER_PROPERTIES.values()))[farthest[rows]],
            "value": np.stack(columns, axis=1)[rows, farthest[rows]],
            "typical": medians[farthest[rows]],
            "score": scores[rows, farthest[rows]],
        },
        index=properties.index[rows],
    ).astype({"property": "str"})
    return table.sort_values("score", key=np.abs, ascending=False, kind="stable")


def score_modified_z(values: np.ndarray) -> np.ndarray:
    """Distance from the median in units of a robust standard deviation.

    The unit is 1.4826 times the median absolute deviation; where more than half of the values
    are equal, so that it is 0, 1.2533 times the mean absolute deviation. Both estimate the
    standard deviation of normal values. Source: Iglewicz and Hoaglin, "How to Detect and
    Handle Outliers", ASQC 1993.

    Args:
        values: float (n,), missing ones NaN.

    Returns:
        float (n,); 0 if all values are equal, NaN where the value is missing.

    Examples:
        >>> score_modified_z(np.array([1.0, 2.0, 3.0, 4.0, 100.0])).round(2).tolist()
        [-1.35, -0.67, 0.0, 0.67, 65.43]
    """
    if np.isnan(values).all():
        return values
    differences = values - np.nanmedian(values)
    unit = 1.4826 * np.nanmedian(np.abs(differences))
    unit = unit or 1.2533 * np.nanmean(np.abs(differences))
    return differences / (unit or 1.0)
