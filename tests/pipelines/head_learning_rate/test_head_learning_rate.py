"""The learning-rate test of the head: a table, a figure and a line that suggests one."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.head_learning_rate import create_pipeline
from graft.pipelines.head_learning_rate.nodes import find_head_learning_rate
from graft.pipelines.head_learning_rate.parameters import LearningRateTestParameters
from helpers.told import read_told

RANGE = LearningRateTestParameters(lowest=1e-4, highest=10)


def declare(batch_size: int) -> HeadTrainingParameters:
    return HeadTrainingParameters(
        dropout=0.1, learning_rate=0.01, batch_size=batch_size, epochs=1, patience=1, seed=0
    )


def test_it_gives_table_and_figure_and_tells_what_it_suggests(
    features: FeatureTable, splits: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        table, figure = find_head_learning_rate(
            features, splits, ["dark", "light"], declare(1), RANGE
        )
    assert table["learning_rate"].iloc[0] == pytest.approx(1e-4)
    assert len(table) <= 10
    assert "adam" in figure.axes[0].get_title()
    (told,) = read_told(caplog)
    assert "the loss falls fastest at" in told
    assert "head_training.learning_rate is 1.0e-02" in told


def test_too_few_steps_are_told(features: FeatureTable, splits: pd.DataFrame) -> None:
    with pytest.raises(GraftError, match=r"lower head_training\.batch_size; got 3 steps of 4"):
        find_head_learning_rate(features, splits, ["dark", "light"], declare(4), RANGE)


def test_it_is_no_part_of_the_training() -> None:
    assert create_pipeline().all_outputs() == {"head_learning_rates", "head_learning_rate_curve"}
