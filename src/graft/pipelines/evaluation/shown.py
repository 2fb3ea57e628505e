"""Which figures of test are shown: those of the chosen model; of others only on request."""

from __future__ import annotations

import pandas as pd

from graft.pipelines.evaluation.parameters import EvaluationParameters


def select_shown(
    predictions: pd.DataFrame, chosen_predictions: pd.DataFrame, parameters: EvaluationParameters
) -> pd.DataFrame:
    """Predictions without those on test of models that were not chosen, unless they are asked for.

    Whoever sees how all candidates do on test can choose by test, and then has none any more. What
    is left here is what :func:`graft.pipelines.champion.nodes.count_test_looks` counts.

    Args:
        predictions: Of all models; columns ``model`` and ``split``.
        chosen_predictions: Of the chosen one.
        parameters: ``show_all_candidates``.
    """
    if parameters.show_all_candidates:
        return predictions
    chosen = chosen_predictions["model"].iloc[0]
    return predictions[(predictions["split"] != "test") | (predictions["model"] == chosen)]
