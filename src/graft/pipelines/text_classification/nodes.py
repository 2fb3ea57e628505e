"""Nodes of the text classification that prepare and train."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from graft.figures.learning_curves import draw_history
from graft.pipelines.text_classification.parameters import TextParameters
from graft.texts.tokens import TokenTexts, pad_tokens, split_parts
from graft.training_backup import TrainingBackup
from graft.types import KerasModel

logger = logging.getLogger(__name__)


def split_texts(raw_texts: TokenTexts, parameters: TextParameters) -> pd.DataFrame:
    """Take dev from train, class by class.

    Returns:
        ``text_splits``: ``text_id``, ``label``, ``label_index``, ``split``.

    Raises:
        GraftError: If a class has too few texts.
    """
    return split_parts(raw_texts, parameters.dev_share, parameters.seed)


def train_text_network(
    raw_texts: TokenTexts,
    text_splits: pd.DataFrame,
    backup: TrainingBackup,
    logs: Path,
    parameters: TextParameters,
) -> tuple[KerasModel, pd.DataFrame]:
    """Train the recurrent network on train, and stop by the loss on dev.

    Returns:
        ``text_classifier``: from word indices (N, length) int32 to probabilities (N, C).
        ``text_history``: a row an epoch.

    Raises:
        GraftError: If the loss does not fit the classes or is no longer a number, or another
            run trains the same network.
    """
    from graft.models.fitting import fit
    from graft.models.losses import check_outputs
    from graft.models.picture_rows import pool_rows
    from graft.models.runtime import seed_everything
    from graft.models.text_networks import build_text_network

    class_count = len(raw_texts.class_names)
    check_outputs(parameters.loss, class_count, class_count, parameters.stage)
    seed_everything(parameters.seed)
    network = build_text_network(
        parameters.length,
        parameters.vocabulary,
        class_count,
        parameters.units,
        parameters.dropout,
        parameters.seed,
    )
    words = pad_tokens(list(raw_texts.table["tokens"]), parameters.length, parameters.vocabulary)
    train, dev = pool_rows(words.__getitem__, text_splits, class_count, parameters)
    history = fit(network, train, dev, parameters, backup=backup, logs=logs)
    best = history.loc[history["dev_loss"].idxmin()]
    logger.info(
        "Texts        %d epochs; best on dev is epoch %d: loss %.3f, accuracy %.3f",
        len(history), int(best["epoch"]), best["dev_loss"], best["dev_accuracy"],
    )  # fmt: skip
    return network, history


def draw_text_curves(text_history: pd.DataFrame) -> Figure:
    """Draw loss and accuracy on train and dev by epoch."""
    return draw_history(text_history, "Training on texts")
