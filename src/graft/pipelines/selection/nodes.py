"""Nodes of the selection stage: it looks at dev alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from graft.analysis.choosing import Rank, rank
from graft.analysis.predictions import check_probabilities, get_probabilities, measure_log_loss
from graft.errors import GraftError
from graft.images.colours import make_reader
from graft.pipelines.selection.parameters import SelectionParameters
from graft.types import KerasModel

# Float rounding differs between one graph and two; more than this is another model.
_LARGEST_DIFFERENCE = 1e-3


def collect_predictions(
    *tables: pd.DataFrame, names: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Put the predictions of all candidates together, and choose the better one by dev.

    Args:
        tables: Predictions of each candidate.
        names: Of the candidates, in the same order; where dev cannot tell, the earlier is taken.

    Returns:
        ``predictions``: of all candidates on held-out pictures, with the column ``model``.
        ``chosen_predictions``: of the candidate with the highest accuracy on dev, ties by log
        loss (:mod:`graft.analysis.choosing`).
        ``train_predictions``: of all candidates on the same pictures of train.

    Raises:
        GraftError: If a candidate's outputs are no probabilities.
    """
    named = []
    for name, table in zip(names, tables, strict=True):
        owner = f"the {name.replace('_', '-')} classifier"
        check_probabilities(get_probabilities(table), owner, table["image_id"].tolist())
        table = table.copy()
        table.insert(2, "model", name)
        named.append(table.astype({"model": "str"}))
    everything = pd.concat(named, ignore_index=True)
    is_train = everything["split"] == "train"
    predictions = everything[~is_train].reset_index(drop=True)
    chosen = min(named, key=rank_on_dev)["model"].iloc[0]
    return (
        predictions,
        predictions[predictions["model"] == chosen].reset_index(drop=True),
        everything[is_train].reset_index(drop=True),
    )


def choose_classifier(
    chosen_predictions: pd.DataFrame,
    images: np.ndarray,
    splits: pd.DataFrame,
    parameters: SelectionParameters,
    *classifiers: KerasModel,
    names: list[str],
) -> tuple[KerasModel, dict[str, float]]:
    """Take the classifier that was chosen, and prove that it gives, from pixels, what was measured.

    Returns:
        ``chosen_classifier``. ``classifier_check``: ``pictures``: how many of dev were compared;
        ``largest_difference``: of a probability.

    Raises:
        GraftError: If the saved classifier gives something else.
    """
    from graft.models.inference import predict_rows

    chosen = classifiers[names.index(str(chosen_predictions["model"].iloc[0]))]
    rows = np.flatnonzero(splits["split"] == "dev")[: parameters.checked_pictures]
    given = predict_rows(chosen, make_reader(images, chosen.input_shape[-1]), rows, batch_size=16)
    expected = chosen_predictions.set_index("image_id").loc[splits["image_id"].iloc[rows]]
    difference = float(np.abs(given - get_probabilities(expected)).max())
    if not difference <= _LARGEST_DIFFERENCE:
        raise GraftError(
            "the saved classifier does not give what was measured; probabilities may differ by "
            f"{_LARGEST_DIFFERENCE}; train it again with --force; got a difference of "
            f"{difference:.2g}"
        )
    return chosen, {"pictures": len(rows), "largest_difference": difference}


def rank_on_dev(predictions: pd.DataFrame) -> Rank:
    """What candidates are sorted by; one without pictures of dev comes last."""
    dev = predictions[predictions["split"] == "dev"]
    accuracy = (dev["predicted"] == dev["label"]).mean() if len(dev) else 0.0
    return rank(float(accuracy), measure_dev_loss(predictions))


def measure_dev_loss(predictions: pd.DataFrame) -> float:
    """Log loss on dev, the figure of ``metrics.json``; infinite without rows."""
    dev = predictions[predictions["split"] == "dev"]
    if dev.empty:
        return float("inf")
    probabilities = dev.filter(regex="^probability_")
    labels = probabilities.columns.get_indexer([f"probability_{name}" for name in dev["label"]])
    return measure_log_loss(labels, probabilities.to_numpy(np.float64))
