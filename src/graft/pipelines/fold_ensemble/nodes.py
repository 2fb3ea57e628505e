"""Nodes of the ensemble of folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from graft.analysis.clusters import deal_folds
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.fold_ensemble.parameters import FoldEnsembleParameters
from graft.progress import tell
from graft.training.backup import TrainingBackup
from graft.types import KerasModel


def train_fold_heads(
    features: FeatureTable,
    backbone: KerasModel,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    head_training: HeadTrainingParameters,
    parameters: FoldEnsembleParameters,
) -> tuple[KerasModel, KerasModel, pd.DataFrame]:
    """Train a head on all folds of train but one, stopped by that one, and average them.

    Each picture of train is learnt from, and dev is seen by none of the heads: the choice among
    candidates by dev is as fair to it as to any other.

    Returns:
        ``fold_heads``: from features (N, D) to the mean of all heads' probabilities (N, C).
        ``frozen_folds.classifier``: the same from pictures (N, H, W, 3) uint8.
        ``frozen_folds.history``: a row an epoch, the mean over the heads that came so far;
        ``dev_loss`` and ``dev_accuracy`` are on the fold that was left out.

    Raises:
        GraftError: If train makes no two folds, the loss does not fit the classes or is no
            longer a number, or another run trains the same heads.
    """
    from graft.models.heads import average_heads
    from graft.training.fitting import fit
    from graft.training.heads_on_features import prepare_features, prepare_head

    train = np.flatnonzero(splits["split"] == "train")
    labels = splits["label_index"].to_numpy(np.int64)[train]
    clusters = splits["cluster"].to_numpy(np.int64)[train]
    folds = deal_folds(labels, clusters, parameters.folds, parameters.seed)
    if folds.max(initial=0) == 0:
        raise GraftError(
            "an ensemble of folds needs two folds of train, and there are not enough pictures, or "
            "groups of pictures that belong together, for them; leave frozen_folds out of "
            f"candidates; got {len(np.unique(clusters))} groups in train"
        )
    quiet = head_training.model_copy(update={"callbacks": ()})
    heads, histories = [], []
    for fold in range(int(folds.max()) + 1):
        sides = np.full(len(splits), "unused", dtype=object)
        sides[train[folds != fold]], sides[train[folds == fold]] = "train", "dev"
        head = prepare_head(features.dimension, len(class_names), quiet)
        learnt, left_out, _ = prepare_features(
            features, splits.assign(split=sides), len(class_names), quiet
        )
        histories.append(fit(head, learnt, left_out, quiet, backup=backup.enter(f"fold_{fold}")))
        heads.append(head)
    history = _average_histories(histories)
    tell(
        "Fold heads", "%d heads, %d to %d epochs; accuracy on the folds left out %.3f",
        len(heads), min(map(len, histories)), max(map(len, histories)),
        np.mean([one["dev_accuracy"].iloc[one["dev_loss"].argmin()] for one in histories]),
    )  # fmt: skip
    return average_heads(heads), average_heads(heads, backbone), history


def _average_histories(histories: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(histories).groupby("epoch", as_index=False).mean()[[*histories[0].columns]]
