"""Few-shot: the same few pictures for both ways, dev to measure on, test unseen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.parameters.base import BackboneParameters
from graft.pipelines.few_shot.nodes import draw_few, learn_from_few_labels, summarise_few_shot
from graft.pipelines.few_shot.parameters import FewShotParameters

BACKBONE = BackboneParameters(name="small_cnn", weights="random", image_size=8, seed=0)
PARAMETERS = FewShotParameters(
    label_counts=[1, 3],
    repeats=2,
    steps=2,
    batch_size=2,
    learning_rate=0.01,
    dropout=0.0,
    weight_decay=0.0,
    confidence=0.95,
    seed=5,
)


@pytest.fixture
def images(splits: pd.DataFrame) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (len(splits), 8, 8, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_so_many_pictures_of_every_class_are_drawn_from_train(
    count: int, splits: pd.DataFrame
) -> None:
    drawn = splits.iloc[draw_few(splits, count, seed=0)]
    assert (drawn["split"] == "train").all()
    assert drawn["image_id"].is_unique
    assert drawn["label"].value_counts().to_dict() == {"dark": count, "light": count}


def test_two_runs_give_the_same_results_and_the_labels_of_test_make_no_difference(
    features: FeatureTable, images: np.ndarray, splits: pd.DataFrame
) -> None:
    lies = splits.copy()
    lies.loc[lies["split"] == "test", "label_index"] = 0
    first, second = (
        learn_from_few_labels(features, images, given, BACKBONE, PARAMETERS)
        for given in (splits, lies)
    )
    pd.testing.assert_frame_equal(first, second)
    assert first["labels_per_class"].tolist() == [1, 1, 3, 3]
    assert first["seed"].tolist() == [5, 6, 5, 6]


def test_more_labels_than_a_class_has_are_refused(
    features: FeatureTable, images: np.ndarray, splits: pd.DataFrame
) -> None:
    greedy = PARAMETERS.model_copy(update={"label_counts": [6]})
    with pytest.raises(GraftError, match=r"asks for 6 labels .* allowed are 1 to 5"):
        learn_from_few_labels(features, images, splits, BACKBONE, greedy)


def test_the_difference_is_taken_within_each_draw() -> None:
    results = pd.DataFrame(
        {
            "labels_per_class": [5, 5, 5],
            "seed": [0, 1, 2],
            "frozen": [0.9, 0.8, 0.7],
            "from_scratch": [0.8, 0.7, 0.6],
        }
    )
    (row,) = summarise_few_shot(results, PARAMETERS).to_dict("records")
    assert row["frozen_std"] == pytest.approx(0.1)
    # The draws vary, their difference does not: its interval has no width.
    assert row["difference_low"] == pytest.approx(0.1)
    assert row["difference_high"] == pytest.approx(0.1)
