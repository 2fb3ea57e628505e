"""Node of the learning-rate test."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from graft.datasets.features import FeatureTable
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.head_learning_rate.parameters import LearningRateTestParameters
from graft.progress import tell
from graft.reporting.training_figures import draw_learning_rate_test


def find_head_learning_rate(
    features: FeatureTable,
    splits: pd.DataFrame,
    class_names: list[str],
    head_training: HeadTrainingParameters,
    parameters: LearningRateTestParameters,
) -> tuple[pd.DataFrame, Figure]:
    """Train the head for one pass with a growing learning rate, and suggest one.

    Returns:
        ``head_learning_rates``: a row a step: ``step``, ``learning_rate``, ``loss``,
        ``smoothed_loss``. ``head_learning_rate_curve``: the same as a figure.

    Raises:
        GraftError: If the range of rates is empty or a pass has fewer than ten steps.
    """
    from graft.training.heads_on_features import prepare_features, prepare_head
    from graft.training.learning_rate_test import find_learning_rate

    head = prepare_head(features.dimension, len(class_names), head_training)
    train, _, _ = prepare_features(features, splits, len(class_names), head_training)
    found = find_learning_rate(
        head, train, head_training, lowest=parameters.lowest, highest=parameters.highest
    )
    tell(
        "Learn. rate",
        "the loss falls fastest at %.1e; head_training.learning_rate is %.1e",
        found.steepest,
        head_training.learning_rate,
    )
    title = f"Learning-rate test of the head ({head_training.optimizer})"
    return found.table, draw_learning_rate_test(
        found.table, found.steepest, found.tenth_of_lowest, title
    )
