"""Who judges which labels, and what may be said of them.

The champion has not learnt the held-out pictures: it judges these itself. The pictures of train it
has learnt by heart, wrong labels with right ones; training it anew for every fold would cost as
much again for each. They are judged by a logistic regression on the frozen features of the other
folds, where that is about as good on dev, and otherwise not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.calibration import apply_temperature, fit_temperature
from graft.analysis.comparison import is_much_weaker
from graft.analysis.label_issues import predict_out_of_fold
from graft.analysis.wrong_labels import estimate_wrong_labels

HELD_OUT, TRAIN = "held_out", "train"
FEATURES = "features"
_NAMES = {
    "frozen": "the frozen classifier",
    "fine_tuned": "the fine-tuned classifier",
    "from_scratch": "the classifier from scratch",
    FEATURES: "a simple classifier on the frozen features",
}


@dataclass(frozen=True)
class Part:
    """Pictures with one judge, and what it gives them.

    Attributes:
        name: ``held_out`` or ``train``.
        judge: The model, or ``features``.
        rows: Places in ``splits`` of the pictures that are judged, int (n,).
        probabilities: Of their classes, by a judge that has not learnt them, float (n, C).
        weak: None, or why nobody can judge these pictures: ``judge_error`` and
            ``champion_error`` on dev; then there are no rows.
    """

    name: str
    judge: str
    rows: np.ndarray
    probabilities: np.ndarray
    weak: dict[str, float] | None = None


def judge_labels(
    vectors: np.ndarray,
    splits: pd.DataFrame,
    champion: pd.DataFrame,
    class_names: list[str],
    folds: int,
    seed: int,
) -> list[Part]:
    """Probabilities of all pictures that have a judge: those held out, and those of train.

    Args:
        vectors: Frozen features in the order of ``splits``, float32 (n, D).
        splits: Of the splitting stage.
        champion: ``chosen_predictions``.
        class_names: The classes in the order of the probabilities.
        folds: Of the judge on features, at most.
        seed: Of its folds.
    """
    labels = splits["label_index"].to_numpy(np.int64)
    places = pd.Index(champion["image_id"]).get_indexer(splits["image_id"])
    is_train = (splits["split"] == TRAIN).to_numpy()
    learnt = np.isin(labels, labels[is_train])
    held_out = np.flatnonzero((places >= 0) & learnt & ~is_train)
    columns = [f"probability_{name}" for name in class_names]
    given = champion[columns].to_numpy(np.float64)[places[held_out]]
    model = str(champion["model"].iloc[0])
    found = predict_out_of_fold(
        vectors, labels, splits["cluster"].to_numpy(np.int64), len(class_names), folds, seed
    )
    on_dev = (splits["split"].iloc[held_out] == "dev").to_numpy() & found.judged[held_out]
    dev = held_out[on_dev]
    champion_right = given[on_dev].argmax(axis=1) == labels[dev]
    judge_right = found.probabilities[dev].argmax(axis=1) == labels[dev]
    train = np.flatnonzero(is_train & found.judged)
    weak = None
    if len(train) and is_much_weaker(judge_right, champion_right):
        train = train[:0]
        weak = {
            "judge_error": _take_error(judge_right),
            "champion_error": _take_error(champion_right),
        }
    return [
        Part(HELD_OUT, model, held_out, given),
        Part(TRAIN, FEATURES, train, found.probabilities[train], weak),
    ]


def leave_out(part: Part, is_left_out: np.ndarray) -> Part:
    """A part without some of the pictures, bool (n,) in the order of ``splits``."""
    kept = ~is_left_out[part.rows]
    return Part(part.name, part.judge, part.rows[kept], part.probabilities[kept], part.weak)


def soften(part: Part, labels: np.ndarray, coverage: float) -> np.ndarray:
    """Its probabilities (n, C) at the temperature that fits the labels.

    So issues of two judges can stand in one list: one that is too sure of itself would come
    first with every mistake.

    Args:
        part: At least one picture.
        labels: Class index of its pictures, int (n,).
        coverage: Of the temperature's interval, which is not used.
    """
    temperature = fit_temperature(labels, part.probabilities, coverage)
    return apply_temperature(part.probabilities, temperature.value)


def describe_part(
    part: Part, labels: np.ndarray, clusters: np.ndarray, model: str, coverage: float
) -> dict[str, Any]:
    """What may be said of the labels of a part.

    Returns:
        ``part``, ``judge``, ``pictures``, ``contradicted`` (labels that are not the judge's
        class), ``action`` (see :class:`~graft.analysis.wrong_labels.WrongLabels`), ``estimated``,
        ``low`` and ``high``: numbers of wrong labels, None as far as they are not to be told;
        ``sentence``: all that in words, empty without a picture in the part.
    """
    found: dict[str, Any] = {
        "part": part.name,
        "judge": part.judge,
        "pictures": len(part.rows),
        "contradicted": 0,
        "action": "withheld",
        "estimated": None,
        "low": None,
        "high": None,
    }
    if len(part.rows):
        estimate = estimate_wrong_labels(labels, part.probabilities, clusters, coverage)
        count = len(part.rows)
        found["contradicted"] = round(estimate.contradicted * count)
        found["action"] = estimate.verdict
        if estimate.verdict == "about":
            found["estimated"] = round(estimate.share * count)
            found["low"] = int(estimate.low * count)
        if estimate.verdict != "withheld":
            # Down, so that no more is said than what was found.
            found["high"] = int(estimate.high * count)
    return found | {"sentence": _tell(found, part.weak, model)}


def _tell(found: dict[str, Any], weak: dict[str, float] | None, model: str) -> str:
    where = "dev and test" if found["part"] == HELD_OUT else "train"
    judge = _name(found["judge"])
    if weak:
        return (
            f"Labels of train cannot be judged: {_name(model)} has learnt them, and {judge} is "
            f"wrong on {100 * weak['judge_error']:.1f} % of dev, not on "
            f"{100 * weak['champion_error']:.1f} %."
        )
    if not found["pictures"]:
        return ""
    of = f"of {found['pictures']:,} labels of {where}"
    if found["action"] == "about":
        return (
            f"About {found['estimated']:,} {of} look wrong to {judge} "
            f"({found['low']:,} to {found['high']:,})."
        )
    if found["action"] == "at_most":
        return f"At most {found['high']:,} {of} look wrong to {judge}."
    if not found["contradicted"]:
        return f"{judge.capitalize()} contradicts none {of}, too few to say that none is wrong."
    return (
        f"How many {of} are wrong cannot be judged: {judge} contradicts {found['contradicted']:,}, "
        "and these may as well be its own mistakes."
    )


def _take_error(right: np.ndarray) -> float:
    return 1 - float(right.mean()) if len(right) else 1.0


def _name(judge: str) -> str:
    return _NAMES.get(judge, f"the classifier {judge.replace('_', '-')}")
