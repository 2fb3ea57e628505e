"""Nodes of the verify pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.metrics import METRICS
from graft.analysis.predictions import check_probabilities
from graft.classifier.champion import Champion
from graft.images.colours import make_reader
from graft.progress import tell, warn

# The head alone and the whole classifier are two graphs, whose floats round differently.
TOLERANCE = 1e-4
_BATCH_SIZE = 16


def verify_metrics(champion: Champion, images: np.ndarray, splits: pd.DataFrame) -> dict[str, Any]:
    """Send the pictures through the champion and measure once more.

    Metrics are of probabilities as trained, before the temperature. The intervals are not drawn
    again: they follow from the same probabilities.

    Returns:
        ``verification``: ``model``, ``same`` (bool), ``pictures``, ``tolerance`` and
        ``differences``, a list of ``split``, ``metric``, ``saved`` and ``now``.
    """
    from graft.models.inference import predict_rows

    saved, class_names = champion.metrics, champion.class_names
    rows = np.flatnonzero(splits["split"].isin(list(saved)))
    read = make_reader(images, champion.model.input_shape[-1])
    probabilities = predict_rows(champion.model, read, rows, _BATCH_SIZE, "verifying")
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


def _log_outcome(differences: list[dict[str, Any]], count: int) -> None:
    if not differences:
        tell("Verified", "same: the champion gives the saved metrics")
        tell("", "on %s pictures, to within %g", f"{count:,}", TOLERANCE)
        return
    warn("Verified", "NOT the same: the champion does not give the saved metrics")
    for found in differences:
        warn(
            "", "%s %s: saved %s, now %s",
            found["split"], found["metric"].replace("_", " "), found["saved"], found["now"],
        )  # fmt: skip
