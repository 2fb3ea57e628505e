"""Trivial properties of the files: pictures unlike the rest, and whether they name the class.

If they do, a network may learn these instead. Source of the idea: Geirhos et al., "Shortcut
learning in deep neural networks", Nature Machine Intelligence 2, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from graft.analysis.intervals import widen_if_perfect


def measure_correlation_ratio(values: pd.DataFrame, codes: np.ndarray) -> float:
    """Share of a property's variance that lies between the classes, 0 to 1.

    Kelley's epsilon squared, the correlation ratio without its bias (PNAS 21, 1935): of the
    ranks of numbers, so that a few giants do not decide it; of the indicators of categories
    (Light and Margolin, JASA 66, 1971). Variances of several columns are added up.

    Args:
        values: Columns of numbers, or of text for categories; missing values count as the
            median rank, missing categories as one of their own.
        codes: Class of every picture, int (n,), from 0 without a gap.
    """
    columns = _rank(values)
    sizes = np.bincount(codes)
    if len(codes) <= len(sizes):
        return 0.0
    within = total = 0.0
    for column in columns.T:
        means = np.bincount(codes, column) / sizes
        within += float(np.sum((column - means[codes]) ** 2))
        total += float(np.sum((column - column.mean()) ** 2))
    if total == 0:
        return 0.0
    unbiased = 1 - (within / (len(codes) - len(sizes))) / (total / (len(codes) - 1))
    return max(unbiased, 0.0)


def _rank(values: pd.DataFrame) -> np.ndarray:
    """Ranks of numbers and an indicator a category, float (n, d)."""
    columns = []
    for name in values.columns:
        if name in CATEGORIES:
            found = pd.Categorical(values[name]).codes
            columns += [(found == code).astype(np.float64) for code in np.unique(found)]
        else:
            ranks = scipy.stats.rankdata(values[name].to_numpy(), nan_policy="omit")
            columns.append(np.nan_to_num(ranks, nan=(np.isfinite(ranks).sum() + 1) / 2))
    return np.stack(columns, axis=1)


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


TOGETHER = Property("all together", tuple(name for one in PROPERTIES for name in one.columns))
SHORTCUT_COLUMNS = [
    "property",
    "balanced_accuracy",
    "low",
    "high",
    "chance",
    "correlation_ratio",
    "pictures",
    "classes",
    "warning",
]


@dataclass(frozen=True)
class ShortcutSettings:
    """How properties are tested.

    Attributes:
        folds: Of the cross-validation. Classes of fewer clusters are left out.
        confidence: Probability that the intervals of all properties hold together
            (Bonferroni).
        matters: A warning needs at least this share of the way from chance to certainty, the
            adjusted balanced accuracy of scikit-learn: 0.2 is 60 % right with two classes.
        seed: Of the folds and the trees.
    """

    folds: int
    confidence: float
    matters: float
    seed: int


def measure_shortcuts(
    properties: pd.DataFrame, labels: pd.Series, clusters: pd.Series, settings: ShortcutSettings
) -> pd.DataFrame:
    """How well each property alone, and all of them together, name the class.

    A decision tree with balanced class weights is cross-validated; copies and pictures of one
    group (a cluster) are never on both sides.

    Args:
        properties: As of :func:`graft.analysis.shortcuts.derive_properties`.
        labels: Of the same pictures; missing ones are left out.
        clusters: Number of each picture's cluster.
        settings: How to test.

    Returns:
        A row a property: ``property``, ``balanced_accuracy`` with its interval ``low`` to
        ``high`` (:func:`measure_balanced_interval`), ``chance`` (one in the number of classes),
        ``correlation_ratio`` (see :mod:`graft.analysis.shortcuts`), the ``pictures`` and
        ``classes`` it was measured on, and ``warning``: whether it is above chance and large
        enough to matter. No row if fewer than two classes are large enough.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    rows = _select_testable(labels, clusters, settings.folds)
    names, codes = np.unique(labels.to_numpy(dtype=object)[rows].astype(str), return_inverse=True)
    if len(names) < 2:
        return pd.DataFrame(columns=SHORTCUT_COLUMNS)
    groups = np.unique(clusters.to_numpy()[rows], return_inverse=True)[1]
    folds = StratifiedGroupKFold(settings.folds, shuffle=True, random_state=settings.seed)
    splits = list(folds.split(codes, codes, groups))
    tested = (*PROPERTIES, TOGETHER)
    confidence = 1 - (1 - settings.confidence) / len(tested)
    # Folds share training pictures, so their errors agree: the correction of Nadeau and Bengio,
    # "Inference for the generalization error", Machine Learning 52, 2003.
    inflation = 1 + settings.folds / (settings.folds - 1)
    chance, table = 1 / len(names), []
    for one in tested:
        values = properties[list(one.columns)].iloc[rows]
        right = _predict(_encode(values), codes, splits, settings.seed) == codes
        value, low, high = measure_balanced_interval(codes, right, groups, confidence, inflation)
        matters = (value - chance) / (1 - chance) >= settings.matters and low > chance
        ratio = measure_correlation_ratio(values, codes)
        table.append((one.name, value, low, high, chance, ratio, len(rows), len(names), matters))
    return pd.DataFrame(table, columns=SHORTCUT_COLUMNS)


def measure_balanced_interval(
    codes: np.ndarray,
    right: np.ndarray,
    groups: np.ndarray,
    confidence: float,
    inflation: float = 1.0,
) -> tuple[float, float, float]:
    """Balanced accuracy and its normal interval, with errors that agree within a cluster.

    The variance is the cluster-robust one of a mean of class means (Liang and Zeger, Biometrika
    73, 1986), with n / (n − 1) for the n clusters of each class.

    Args:
        codes: Class of every picture, int (n,), from 0 without a gap.
        right: Whether it was named, bool (n,).
        groups: Cluster of every picture, int (n,), from 0 without a gap.
        confidence: Coverage.
        inflation: Factor of the variance.

    Returns:
        The value, and the low and high end of its interval.
    """
    sizes = np.bincount(codes)
    recalls = np.bincount(codes, right) / sizes
    pairs = np.unique(np.stack([groups, codes]), axis=1)
    clusters = np.maximum(np.bincount(pairs[1]), 2)
    weights = np.sqrt(clusters / (clusters - 1)) / (sizes * len(sizes))
    influence = np.bincount(groups, (right - recalls[codes]) * weights[codes])
    value = float(recalls.mean())
    reach = float(
        scipy.stats.norm.ppf((1 + confidence) / 2) * np.sqrt(inflation * np.sum(influence**2))
    )
    low, high = max(value - reach, 0.0), min(value + reach, 1.0)
    low, high = widen_if_perfect(low, high, pairs[1], confidence)
    return value, low, high


def _select_testable(labels: pd.Series, clusters: pd.Series, folds: int) -> np.ndarray:
    """Rows of labelled pictures whose class has at least one cluster for every fold."""
    table = pd.DataFrame({"label": labels.to_numpy(), "cluster": clusters.to_numpy()}).dropna()
    counts = table.groupby("label")["cluster"].nunique()
    return table.index[table["label"].map(counts) >= folds].to_numpy()


def _predict(
    features: np.ndarray, codes: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]], seed: int
) -> np.ndarray:
    """The class that a tree names for every picture, grown without the picture's fold."""
    from sklearn.tree import DecisionTreeClassifier

    predicted = np.empty_like(codes)
    for train, held_out in splits:
        tree = DecisionTreeClassifier(
            max_leaf_nodes=max(16, 2 * int(codes.max() + 1)),
            min_samples_leaf=5,
            class_weight="balanced",
            random_state=seed,
        ).fit(features[train], codes[train])
        predicted[held_out] = tree.predict(features[held_out])
    return predicted


def _encode(values: pd.DataFrame) -> np.ndarray:
    """Numbers as they are, missing ones NaN, and categories numbered, float32 (n, d)."""
    columns = [
        pd.Categorical(values[name]).codes if name in CATEGORIES else values[name].to_numpy()
        for name in values.columns
    ]
    return np.stack(columns, axis=1).astype(np.float32)


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
