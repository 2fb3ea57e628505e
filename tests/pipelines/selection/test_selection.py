"""Selection: dev alone chooses, and what is saved is what was measured."""

from __future__ import annotations

import tracemalloc

import keras
import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.parameters.base import TrainSampleParameters
from graft.pipelines.candidates import predict_from_features
from graft.pipelines.evaluation.nodes import measure_predictions
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.pipelines.selection.nodes import (
    choose_classifier,
    collect_predictions,
    measure_dev_loss,
)
from graft.pipelines.selection.parameters import SelectionParameters
from helpers.classifiers import build_steep_head, build_undecided, look_up_classifier

CLASSES = ["dark", "light"]
SAMPLE = TrainSampleParameters(pictures=6, seed=0)
PARAMETERS = SelectionParameters(checked_pictures=3)
TWO = ["frozen", "fine_tuned"]


@pytest.fixture
def head(features: FeatureTable) -> keras.Model:
    return build_steep_head(features)


@pytest.fixture
def everything(features: FeatureTable, head: keras.Model, splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of one candidate, with some of train."""
    return predict_from_features(features, head, splits, CLASSES, SAMPLE)


def _contradict(predictions: pd.DataFrame, split: str) -> pd.DataFrame:
    """Predictions of a classifier that says the opposite on one split."""
    other = predictions.copy()
    rows = other["split"] == split
    names = ["probability_dark", "probability_light"]
    other.loc[rows, names] = other.loc[rows, names[::-1]].to_numpy()
    other.loc[rows, "predicted"] = np.where(other.loc[rows, "predicted"] == "dark", "light", "dark")
    return other


def _choose(*tables: pd.DataFrame) -> str:
    (name,) = set(collect_predictions(*tables, names=TWO)[1]["model"])
    return name


def test_the_classifier_is_chosen_by_dev_and_never_by_test(everything: pd.DataFrame) -> None:
    assert _choose(everything, _contradict(everything, "dev")) == "frozen"
    assert _choose(_contradict(everything, "dev"), everything) == "fine_tuned"
    assert _choose(everything, _contradict(everything, "test")) == "frozen"
    assert _choose(_contradict(everything, "test"), everything) == "frozen"


def test_of_those_right_on_as_many_the_lower_log_loss_in_the_metrics_is_chosen(
    everything: pd.DataFrame, splits: pd.DataFrame
) -> None:
    names = ["probability_dark", "probability_light"]
    right = everything["label"].to_numpy()[:, None] == CLASSES
    sure, unsure = everything.copy(), everything.copy()
    sure[names] = np.where(right, 1 - 1e-9, 1e-9)
    first = int(np.flatnonzero(everything["split"] == "dev")[0])
    # Both have one mistake; of the one it is as sure as of all else.
    for table, low in ((sure, 1e-12), (unsure, 0.4)):
        table[names] = np.where(right, 1 - low, low)
        table.loc[first, names] = np.where(right[first], low, 1 - low)
        table["predicted"] = np.array(CLASSES)[table[names].to_numpy().argmax(axis=1)]
    both, chosen, _ = collect_predictions(sure, unsure, names=TWO)
    measured = EvaluationParameters(
        confidence=0.95, bootstrap_draws=50, random_split_pictures=100, random_split_draws=2, seed=0
    )
    figures = {
        model: table["dev"]
        for model, table in measure_predictions(both, chosen, splits, CLASSES, measured)[0].items()
    }
    accuracies = {figure["accuracy"]["value"] for figure in figures.values()}
    assert accuracies == {0.75}
    assert figures["frozen"]["log_loss"]["value"] > figures["fine_tuned"]["log_loss"]["value"]
    assert set(chosen["model"]) == {"fine_tuned"}


def test_more_pictures_of_dev_right_are_worth_more_than_a_lower_log_loss(
    everything: pd.DataFrame,
) -> None:
    names = ["probability_dark", "probability_light"]
    first = int(np.flatnonzero(everything["split"] == "dev")[0])
    right = everything["label"].to_numpy()[:, None] == CLASSES
    timid, bold = everything.copy(), everything.copy()
    timid[names] = np.where(right, 0.99, 0.01)
    timid.loc[first, names] = np.where(right[first], 0.49, 0.51)
    bold[names] = np.where(right, 0.5001, 0.4999)
    for table in (timid, bold):
        table["predicted"] = np.array(CLASSES)[table[names].to_numpy().argmax(axis=1)]
    assert measure_dev_loss(bold) > measure_dev_loss(timid)
    assert _choose(timid, bold) == "fine_tuned"


def test_choosing_takes_memory_for_its_numbers_alone() -> None:
    count, labels = 400, [f"class {number}" for number in range(500)]
    probabilities = np.random.default_rng(0).dirichlet(np.ones(len(labels)), count)
    table = pd.DataFrame(probabilities, columns=[f"probability_{label}" for label in labels])
    right = probabilities[np.arange(count), np.arange(count)]
    table = table.assign(split="dev", label=labels[:count])
    tracemalloc.start()
    try:
        loss = measure_dev_loss(table)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert loss == pytest.approx(-np.log(right).mean())
    assert peak < 3 * probabilities.nbytes


def test_a_single_candidate_is_chosen(everything: pd.DataFrame) -> None:
    predictions, chosen, _ = collect_predictions(everything, names=["frozen"])
    pd.testing.assert_frame_equal(predictions, chosen)
    assert predictions.columns.tolist()[:3] == ["image_id", "split", "model"]


def test_train_is_told_apart_from_what_was_held_out(everything: pd.DataFrame) -> None:
    train = everything.loc[everything["split"] == "train", "image_id"].tolist()
    held_out, _, sample = collect_predictions(everything, everything, names=TWO)
    assert "train" not in set(held_out["split"])
    assert sample["image_id"].tolist() == train * 2


def test_outputs_that_are_no_numbers_are_refused(everything: pd.DataFrame) -> None:
    broken = everything.assign(probability_dark=np.float32("nan"))
    with pytest.raises(GraftError, match=r"of the frozen classifier are not numbers.* 14 of 14"):
        collect_predictions(broken, names=["frozen"])


def test_the_saved_classifier_gives_what_was_measured(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, everything: pd.DataFrame
) -> None:
    classifier, images = look_up_classifier(features, head)
    other = build_undecided(images.shape[1:], 2)
    _, chosen, _ = collect_predictions(_contradict(everything, "dev"), everything, names=TWO)
    found, check = choose_classifier(
        chosen, images, splits, PARAMETERS, other, classifier, names=TWO
    )
    assert found is classifier
    assert check["pictures"] == 3
    assert check["largest_difference"] < 1e-5


def test_a_saved_classifier_that_gives_something_else_is_an_error(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, everything: pd.DataFrame
) -> None:
    classifier, images = look_up_classifier(features, head)
    _, chosen, _ = collect_predictions(everything, names=["frozen"])
    with pytest.raises(GraftError, match="does not give what was measured"):
        choose_classifier(chosen, images[::-1], splits, PARAMETERS, classifier, names=["frozen"])
