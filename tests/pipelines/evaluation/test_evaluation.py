"""Evaluation: figures with intervals, comparisons picture by picture, the error breakdown."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss

from graft.analysis.random_split import measure_optimism
from graft.datasets.features import FeatureTable
from graft.parameters.base import TrainSampleParameters
from graft.pipelines.candidates import predict_from_features
from graft.pipelines.evaluation.nodes import (
    compare_models,
    compare_with_random_split,
    measure_error_breakdown,
    measure_predictions,
)
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.pipelines.selection.nodes import collect_predictions
from helpers.classifiers import build_steep_head

CLASSES = ["dark", "light"]
PARAMETERS = EvaluationParameters(
    confidence=0.95,
    bootstrap_draws=50,
    random_split_pictures=100,
    random_split_draws=2,
    seed=0,
)
SHOW_ALL = PARAMETERS.model_copy(update={"show_all_candidates": True})
SAMPLE = TrainSampleParameters(pictures=6, seed=0)


@pytest.fixture
def head(features: FeatureTable) -> keras.Model:
    return build_steep_head(features)


@pytest.fixture
def everything(features: FeatureTable, head: keras.Model, splits: pd.DataFrame) -> pd.DataFrame:
    """Predictions of the frozen model, with some of train."""
    return predict_from_features(features, head, splits, CLASSES, SAMPLE)


@pytest.fixture
def predictions(everything: pd.DataFrame) -> pd.DataFrame:
    """Predictions of the frozen model on held-out pictures."""
    return collect_predictions(everything, names=["frozen"])[0]


def test_the_ladder_sets_all_splits_beside_each_other(
    everything: pd.DataFrame, splits: pd.DataFrame
) -> None:
    predictions, chosen, train = collect_predictions(everything, names=["frozen"])
    error_breakdown = measure_error_breakdown(predictions, chosen, train, splits, PARAMETERS)
    errors = error_breakdown["models"]["frozen"]["errors"]
    assert list(errors) == ["train", "dev", "test"]
    assert [part["n"] for part in errors.values()] == [6, 4, 4]
    assert error_breakdown["train_pictures"] == 10
    assert error_breakdown["chance"] == error_breakdown["majority"]["errors"]["test"] == 0.5
    test = predictions[predictions["split"] == "test"]
    assert errors["test"]["value"] == np.mean(test["label"] != test["predicted"])


def test_pictures_of_one_cluster_count_as_one(
    predictions: pd.DataFrame, splits: pd.DataFrame
) -> None:
    wrong = predictions["label"] != predictions["predicted"]
    pairs = splits.assign(cluster=splits.index // 2)
    metrics, _ = measure_predictions(predictions, predictions, pairs, CLASSES, PARAMETERS)
    apart, _ = measure_predictions(predictions, predictions, splits, CLASSES, PARAMETERS)
    found, single = (part["frozen"]["test"] for part in (metrics, apart))
    assert (found["n"], found["clusters"], single["clusters"]) == (4, 2, 4)
    assert not wrong.any()
    assert found["accuracy"]["low"] < single["accuracy"]["low"]


def test_figures_agree_with_scikit_learn(predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    metrics, classes = measure_predictions(predictions, predictions, splits, CLASSES, PARAMETERS)
    test = predictions[predictions["split"] == "test"]
    figures = metrics["frozen"]["test"]
    assert figures["n"] == 4
    assert figures["accuracy"]["value"] == accuracy_score(test["label"], test["predicted"])
    probabilities = test[["probability_dark", "probability_light"]].astype("float64")
    probabilities = probabilities.div(probabilities.sum(axis=1), axis=0)
    expected = log_loss(test["label"], probabilities, labels=CLASSES)
    assert figures["log_loss"]["value"] == pytest.approx(expected, rel=1e-12)
    assert classes.query("split == 'test'")["support"].sum() == 4


def test_without_clusters_a_random_split_is_not_tried(
    features: FeatureTable, splits: pd.DataFrame
) -> None:
    found = compare_with_random_split(features, splits, PARAMETERS)
    assert found == {"clusters": 0, "together": 0, "measured": None}


def test_with_clusters_a_random_split_of_the_same_pictures_is_measured(
    features: FeatureTable, splits: pd.DataFrame
) -> None:
    pairs = splits.assign(cluster=splits.index // 2)
    found = compare_with_random_split(features, pairs, PARAMETERS)
    assert (found["clusters"], found["together"]) == (7, 14)
    assert (found["measured"]["train"], found["measured"]["test"]) == (10, 4)
    rows = np.r_[0:10, 14:18]
    vectors = np.concatenate([block for _, block in features.read_blocks()])[rows]
    labels = splits["label_index"].to_numpy()[rows]
    assert found["measured"] == measure_optimism(
        vectors, labels, rows // 2, rows >= 14, draws=2, confidence=0.95, seed=0
    )


def _compare(
    predictions: pd.DataFrame, splits: pd.DataFrame, parameters: EvaluationParameters = SHOW_ALL
) -> dict:
    """The comparison; the model of the first row is the chosen one."""
    chosen = predictions[predictions["model"] == predictions["model"].iloc[0]]
    metrics, _ = measure_predictions(predictions, chosen, splits, CLASSES, parameters)
    cost = {"megabytes": 1.0, "parameters": 2, "multiply_adds": None}
    names = list(metrics)
    costs = [cost] * len(names)
    return compare_models(
        predictions, chosen, metrics, splits, CLASSES, parameters, *costs, names=names
    )


def _contradict(predictions: pd.DataFrame, split: str) -> pd.DataFrame:
    """Predictions of a model that says the opposite on one split."""
    other = predictions.assign(model="fine_tuned")
    rows = other["split"] == split
    names = ["probability_dark", "probability_light"]
    other.loc[rows, names] = other.loc[rows, names[::-1]].to_numpy()
    other.loc[rows, "predicted"] = np.where(other.loc[rows, "predicted"] == "dark", "light", "dark")
    return other


def test_models_are_compared_picture_by_picture(
    predictions: pd.DataFrame, splits: pd.DataFrame
) -> None:
    both = pd.concat([predictions, _contradict(predictions, "test").sample(frac=1, random_state=0)])
    (found,) = _compare(both, splits)["pairs"]
    right = (predictions["label"] == predictions["predicted"])[predictions["split"] == "test"]
    assert found["test"]["only_first"] == right.sum()
    assert found["test"]["only_second"] == (~right).sum()
    assert found["dev"]["p_value"] == 1
    assert found["dev"]["verdict"] == "no evidence of a difference"


def test_the_verdict_that_is_told_is_that_of_dev(
    predictions: pd.DataFrame, splits: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    both = pd.concat([predictions, _contradict(predictions, "test")])
    with caplog.at_level("INFO"):
        (found,) = _compare(both, splits)["pairs"]
    assert found["test"]["accuracy"]["value"] == -1
    assert "Compared     fine-tuned gives the same answers as frozen on all of dev" in caplog.text


def test_models_that_answer_differently_are_told_with_an_interval(
    predictions: pd.DataFrame, splits: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        _compare(pd.concat([predictions, _contradict(predictions, "dev")]), splits)
    assert "Compared     fine-tuned against frozen on dev: no evidence" in caplog.text
    assert "accuracy -" in caplog.text


def _list_numbers_of_test(found: object, path: str = "") -> list[str]:
    """Paths of all that stands under the name of the test split."""
    if isinstance(found, list):
        found = dict(enumerate(found))
    if not isinstance(found, dict):
        return [path] if "/test/" in f"{path}/" and found is not None else []
    return [
        place
        for name, part in found.items()
        for place in _list_numbers_of_test(part, f"{path}/{name}")
    ]


def test_figures_on_test_of_models_that_were_not_chosen_are_shown_only_on_request(
    everything: pd.DataFrame, splits: pd.DataFrame
) -> None:
    tuned = _contradict(everything, "dev").drop(columns="model")
    names = ["frozen", "fine_tuned"]
    predictions, chosen, train = collect_predictions(everything, tuned, names=names)
    assert set(chosen["model"]) == {"frozen"}
    for parameters, shown in ((PARAMETERS, {"frozen"}), (SHOW_ALL, {"frozen", "fine_tuned"})):
        metrics, classes = measure_predictions(predictions, chosen, splits, CLASSES, parameters)
        compared = compare_models(
            predictions, chosen, metrics, splits, CLASSES, parameters, {}, {}, names=names
        )
        error_breakdown = measure_error_breakdown(predictions, chosen, train, splits, parameters)
        assert set(classes.loc[classes["split"] == "test", "model"]) == shown
        assert set(classes.loc[classes["split"] == "dev", "model"]) == {"frozen", "fine_tuned"}
        for model in ("frozen", "fine_tuned"):
            given = [metrics[model], compared["models"][model], error_breakdown["models"][model]]
            assert [bool(_list_numbers_of_test(part)) for part in given] == [model in shown] * 3
        (pair,) = compared["pairs"]
        assert pair["dev"]["n"] == 4
        assert (pair["test"] is not None) == (len(shown) == 2)


def test_any_two_models_are_compared(predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    tables = [predictions.assign(model=model) for model in ("from_scratch", "frozen", "fine_tuned")]
    pairs = _compare(pd.concat(tables), splits)["pairs"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == [
        ("from_scratch", "frozen"),
        ("from_scratch", "fine_tuned"),
        ("frozen", "fine_tuned"),
    ]


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_missing_from_test_is_survived(
    everything: pd.DataFrame, splits: pd.DataFrame
) -> None:
    only_light = everything[(everything["split"] != "test") | (everything["label"] == "light")]
    predictions, chosen, train = collect_predictions(only_light, names=["frozen"])
    metrics, classes = measure_predictions(predictions, predictions, splits, CLASSES, PARAMETERS)
    assert metrics["frozen"]["test"]["n"] == 2
    assert np.isnan(metrics["frozen"]["test"]["roc_auc"]["value"])
    assert classes.query("split == 'test' and `class` == 'dark'")["support"].tolist() == [0]
    error_breakdown = measure_error_breakdown(predictions, chosen, train, splits, PARAMETERS)
    assert error_breakdown["models"]["frozen"]["errors"]["test"]["n"] == 2
    both = pd.concat([predictions, predictions.assign(model="fine_tuned")])
    assert _compare(both, splits)["pairs"][0]["test"]["smallest"] is None
