"""Nodes of the training from scratch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from graft.compute.streams import copy_rows
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.parameters.from_scratch import ScratchTrainingParameters
from graft.progress import tell
from graft.training.backup import TrainingBackup
from graft.types import KerasModel

NO_NETWORK, _BATCH = "none", 64


def train_network(
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: ScratchTrainingParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train a network from scratch on train, and stop by the loss on dev.

    Returns:
        ``from_scratch.classifier``: from pictures (N, H, W, channels) uint8 to probabilities
        (N, C). ``from_scratch.history``: a row an epoch.

    Raises:
        GraftError: If no network is named or there is none such, the loss does not fit the
            classes or is no longer a number, or another run trains the same network.
    """
    from graft.models import networks
    from graft.training.devices import seed_everything
    from graft.training.fitting import fit
    from graft.training.losses import check_outputs
    from graft.training.views import pool_rows

    class_count = len(class_names)
    seed_everything(parameters.seed)
    if parameters.network == NO_NETWORK:
        raise GraftError(
            "from_scratch.network: name a network, such as mnist_sequential, to train it; got "
            f"'{NO_NETWORK}'"
        )
    check_outputs(parameters.loss, class_count, class_count, parameters.stage)
    chosen = parameters.model_dump(include={"activation", "initializer", "l1", "l2", "seed"})
    chosen["architecture"] = parameters.architecture
    classifier = networks.build_classifier(
        parameters.network, images.shape[1:], networks.NetworkSettings(class_count, **chosen)
    )
    train, dev = pool_rows(partial(copy_rows, images), splits, class_count, parameters)
    history = fit(classifier, train, dev, parameters, backup=backup, logs=logs)
    _log_outcome(parameters.network, classifier, history)
    if parameters.uses_tensorboard:
        _show_dev(classifier, images, splits, class_names, logs)
    return classifier, history


def _show_dev(
    classifier: KerasModel,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    logs: Path,
) -> None:
    from graft.models.inference import predict_rows
    from graft.training.callbacks import show_dev

    rows = np.flatnonzero(splits["split"] == "dev")
    probabilities = predict_rows(classifier, partial(copy_rows, images), rows, _BATCH)
    show_dev(
        logs,
        splits.iloc[rows].reset_index(drop=True),
        probabilities,
        class_names,
        lambda chosen: copy_pictures(images, rows[chosen]),
    )


def _log_outcome(network: str, classifier: KerasModel, history: pd.DataFrame) -> None:
    best = history.loc[history["dev_loss"].idxmin()]
    tell(
        "From scratch",
        "%s (%s parameters), %d epochs; best on dev is epoch %d: loss %.3f, accuracy %.3f",
        network,
        f"{classifier.count_params():,}",
        len(history),
        int(best["epoch"]),
        best["dev_loss"],
        best["dev_accuracy"],
    )
