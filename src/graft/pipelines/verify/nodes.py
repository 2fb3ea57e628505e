"""Nodes of the verify pipeline."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from graft.datasets.champion import Champion
from graft.images.blocks import copy_rows
from graft.images.colours import copy_pictures
from graft.progress import track
from graft.scores.checks import check_probabilities
from graft.scores.metrics import METRICS
from graft.types import KerasModel

# The head alone and the whole classifier are two graphs, whose floats round differently.
TOLERANCE = 1e-4
_BATCH_SIZE = 16
logger = logging.getLogger(__name__)


def verify_metrics(champion: Champion, images: np.ndarray, splits: pd.DataFrame) -> dict[str, Any]:
    """Send the pictures through the champion and measure once more.

    Metrics are of probabilities as trained, before the temperature. The intervals are not drawn
    again: they follow from the same probabilities.

    Returns:
        ``verification``: ``model``, ``same`` (bool), ``pictures``, ``tolerance`` and
        ``differences``, a list of ``split``, ``metric``, ``saved`` and ``now``.
    """
    saved, class_names = champion.metrics, champion.class_names
    rows = np.flatnonzero(splits["split"].isin(list(saved)))
    probabilities = _classify(champion.model, images, rows, len(class_names))
    chosen = splits.iloc[rows]
    labels = pd.Categorical(chosen["label"], categories=class_names).codes.astype(np.int64)
    differences = [
        {"split": split, **difference}
        for split, figures in saved.items()
        for difference in compare_figures(
            figures,
            measure_again(
                labels[(chosen["split"] == split).to_numpy()],
                probabilities[(chosen["split"] == split).to_numpy()],
            ),
        )
    ]
    _log_outcome(differences, len(rows))
    return {
        "model": champion.facts["model"],
        "same": not differences,
        "pictures": len(rows),
        "tolerance": TOLERANCE,
        "differences": differences,
    }


def measure_again(labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Number of pictures and the value of every metric.

    Args:
        labels: Class indices (n,).
        probabilities: (n, C).
    """
    once = np.ones((1, len(labels)))
    probabilities = check_probabilities(probabilities.astype(np.float64), "the champion")
    values = {
        name: float(metric(labels, probabilities, once)[0]) for name, metric in METRICS.items()
    }
    return {"n": len(labels), **values}


def compare_figures(saved: dict[str, Any], now: dict[str, float]) -> list[dict[str, Any]]:
    """What differs by more than the rounding of two graphs.

    Examples:
        >>> compare_figures({"n": 9, "accuracy": {"value": 0.5}}, {"n": 9, "accuracy": 0.75})
        [{'metric': 'accuracy', 'saved': 0.5, 'now': 0.75}]
    """
    values = {
        name: figure["value"] if isinstance(figure, dict) else figure
        for name, figure in saved.items()
        if name != "clusters"  # of the split, whatever the classifier
    }
    return [
        {"metric": name, "saved": values.get(name), "now": now.get(name)}
        for name in {**values, **now}
        if not _is_close(values.get(name), now.get(name))
    ]


def _is_close(saved: float | None, now: float | None) -> bool:
    if saved is None or now is None:
        return False
    return abs(saved - now) <= TOLERANCE or (np.isnan(saved) and np.isnan(now))


def _classify(
    classifier: KerasModel, images: np.ndarray, rows: np.ndarray, classes: int
) -> np.ndarray:
    """Probabilities (n, C), float32, of some rows of the pictures."""
    from graft.models.inference import compile_forward

    forward = compile_forward(classifier, _BATCH_SIZE)
    read = copy_rows if classifier.input_shape[-1] == images.shape[-1] else copy_pictures
    found = np.empty((len(rows), classes), np.float32)
    starts = range(0, len(rows), _BATCH_SIZE)
    for start in track(starts, len(rows), "verifying", "pictures", step=_BATCH_SIZE):
        batch = slice(start, start + _BATCH_SIZE)
        found[batch] = forward(read(images, rows[batch]))
    return found


def _log_outcome(differences: list[dict[str, Any]], count: int) -> None:
    if not differences:
        logger.info("Verified     same: the champion gives the saved metrics")
        logger.info("             on %s pictures, to within %g", f"{count:,}", TOLERANCE)
        return
    logger.warning("Verified     NOT the same: the champion does not give the saved metrics")
    for found in differences:
        logger.warning(
            "             %s %s: saved %s, now %s",
            found["split"], found["metric"].replace("_", " "), found["saved"], found["now"],
        )  # fmt: skip
