"""Evaluation: predictions beside names, figures with intervals, a report that stands alone."""

from __future__ import annotations

import tracemalloc

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, log_loss

from graft.analysis.random_split import measure_optimism
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.pipelines.evaluation.comparing import compare_models, measure_costs
from graft.pipelines.evaluation.nodes import (
    check_frozen_classifier,
    compare_with_random_split,
    measure_error_breakdown,
    measure_predictions,
    predict_from_features,
)
from graft.pipelines.evaluation.parameters import EvaluationParameters, TrainSampleParameters
from graft.pipelines.evaluation.predicting import (
    collect_predictions,
    measure_dev_loss,
    predict_from_pictures,
    predict_from_scratch,
    store_measured_activations,
    tabulate_predictions,
)
from helpers.classifiers import build_steep_head, look_up_classifier
from helpers.pictures import trace_images

CLASSES = ["dark", "light"]
PARAMETERS = EvaluationParameters(
    confidence=0.95,
    bootstrap_draws=50,
    checked_pictures=3,
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
    return everything[everything["split"] != "train"].reset_index(drop=True)


def test_predictions_stand_beside_the_names_of_held_out_pictures(
    predictions: pd.DataFrame, splits: pd.DataFrame
) -> None:
    held_out = splits[splits["split"] != "train"]
    assert predictions["image_id"].tolist() == held_out["image_id"].tolist()
    assert predictions["label"].tolist() == held_out["label"].tolist()
    assert set(predictions["model"]) == {"frozen"}
    probabilities = predictions[["probability_dark", "probability_light"]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_choosing_a_model_takes_memory_for_its_numbers_alone() -> None:
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


def test_predictions_do_not_depend_on_the_order_of_the_features(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    shuffled = splits.sample(frac=1, random_state=0).reset_index(drop=True)
    again = predict_from_features(features, head, shuffled, CLASSES, SAMPLE)
    merged = predictions.merge(again, on="image_id")
    assert (merged["probability_dark_x"] == merged["probability_dark_y"]).all()


def test_the_saved_classifier_is_compared_with_what_was_measured(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    classifier, images = look_up_classifier(features, head)
    check = check_frozen_classifier(classifier, images, splits, predictions, PARAMETERS)
    assert check["pictures"] == 3
    assert check["largest_difference"] < 1e-5


def test_a_saved_classifier_that_gives_something_else_is_an_error(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    classifier, images = look_up_classifier(features, head)
    with pytest.raises(GraftError, match="does not give what was measured"):
        check_frozen_classifier(classifier, images[::-1], splits, predictions, PARAMETERS)


def test_the_same_pictures_of_train_are_measured_for_every_model(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, everything: pd.DataFrame
) -> None:
    train = everything.loc[everything["split"] == "train", "image_id"].tolist()
    assert len(train) == 6
    assert set(train) <= set(splits.loc[splits["split"] == "train", "image_id"])
    classifier, images = look_up_classifier(features, head)
    none = store_measured_activations(
        classifier, HISTORY, images, trace_images(images), splits, None, SAMPLE
    )
    assert len(none) == 0  # nothing with weights is frozen in front
    tuned = predict_from_pictures(classifier, HISTORY, none, images, splits, CLASSES, SAMPLE)
    assert tuned.loc[tuned["split"] == "train", "image_id"].tolist() == train
    held_out, _, sample = collect_predictions(everything, tuned, NO_ROWS)
    assert "train" not in set(held_out["split"])
    assert sample["image_id"].tolist() == train * 2


def test_a_sample_larger_than_train_is_all_of_it(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame
) -> None:
    many = SAMPLE.model_copy(update={"pictures": 99})
    table = predict_from_features(features, head, splits, CLASSES, many)
    assert table["image_id"].tolist() == splits["image_id"].tolist()


def test_outputs_that_are_no_numbers_are_refused(everything: pd.DataFrame) -> None:
    broken = everything.assign(probability_dark=np.float32("nan"))
    with pytest.raises(GraftError, match=r"of the frozen classifier are not numbers.* 14 of 14"):
        collect_predictions(broken, NO_ROWS, NO_ROWS)


def test_the_ladder_sets_all_splits_beside_each_other(
    everything: pd.DataFrame, splits: pd.DataFrame
) -> None:
    predictions, chosen, train = collect_predictions(everything, NO_ROWS, NO_ROWS)
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


HISTORY = pd.DataFrame({"epoch": [1]})
NO_ROWS = pd.DataFrame()


def test_the_fine_tuned_classifier_is_measured_on_the_same_pictures(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, everything: pd.DataFrame
) -> None:
    classifier, images = look_up_classifier(features, head)
    none = store_measured_activations(
        classifier, HISTORY, images, trace_images(images), splits, None, SAMPLE
    )
    assert len(none) == 0  # nothing with weights is frozen in front
    tuned = predict_from_pictures(classifier, HISTORY, none, images, splits, CLASSES, SAMPLE)
    assert tuned.columns.tolist() == everything.columns.tolist()
    assert set(tuned["model"]) == {"fine_tuned"}
    pd.testing.assert_frame_equal(
        tuned.drop(columns="model"), everything.drop(columns="model"), rtol=1e-4
    )


def test_without_fine_tuning_there_is_one_model(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    classifier, images = look_up_classifier(features, head)
    none = store_measured_activations(
        classifier, HISTORY[:0], images, trace_images(images), splits, None, SAMPLE
    )
    tuned = predict_from_pictures(classifier, HISTORY[:0], none, images, splits, CLASSES, SAMPLE)
    assert tuned.empty
    both, chosen, _ = collect_predictions(predictions, tuned, tuned)
    pd.testing.assert_frame_equal(both, predictions)
    pd.testing.assert_frame_equal(chosen, predictions)
    assert _compare(both, splits)["pairs"] == []


def _compare(
    predictions: pd.DataFrame, splits: pd.DataFrame, parameters: EvaluationParameters = SHOW_ALL
) -> dict:
    """The comparison; the model of the first row is the chosen one."""
    chosen = predictions[predictions["model"] == predictions["model"].iloc[0]]
    metrics, _ = measure_predictions(predictions, chosen, splits, CLASSES, parameters)
    cost = {"megabytes": 1.0, "parameters": 2, "multiply_adds": None}
    costs = dict.fromkeys(metrics, cost)
    return compare_models(predictions, chosen, metrics, costs, splits, CLASSES, parameters)


def _contradict(predictions: pd.DataFrame, split: str) -> pd.DataFrame:
    """Predictions of a model that says the opposite on one split."""
    other = predictions.assign(model="fine_tuned")
    rows = other["split"] == split
    names = ["probability_dark", "probability_light"]
    other.loc[rows, names] = other.loc[rows, names[::-1]].to_numpy()
    other.loc[rows, "predicted"] = np.where(other.loc[rows, "predicted"] == "dark", "light", "dark")
    return other


def test_the_model_is_chosen_by_dev_and_never_by_test(predictions: pd.DataFrame) -> None:
    worse_on_dev = _contradict(predictions, "dev")
    _, chosen, _ = collect_predictions(predictions, worse_on_dev, NO_ROWS)
    assert set(chosen["model"]) == {"frozen"}
    swapped = _swap_names(worse_on_dev), _swap_names(predictions)
    _, chosen, _ = collect_predictions(*swapped, NO_ROWS)
    assert set(chosen["model"]) == {"fine_tuned"}
    _, chosen, _ = collect_predictions(predictions, _contradict(predictions, "test"), NO_ROWS)
    assert set(chosen["model"]) == {"frozen"}


def test_the_model_with_the_lowest_log_loss_in_the_metrics_is_chosen(
    predictions: pd.DataFrame, splits: pd.DataFrame
) -> None:
    names = ["probability_dark", "probability_light"]
    right = predictions["label"].to_numpy()[:, None] == CLASSES
    sure, unsure = predictions.copy(), predictions.assign(model="fine_tuned")
    sure[names] = np.where(right, 1 - 1e-9, 1e-9)
    sure.loc[0, names] = np.where(right[0], 1e-12, 1 - 1e-12)  # one mistake, as sure
    unsure[names] = np.where(right, 0.0067, 1 - 0.0067)
    both, chosen, _ = collect_predictions(sure, unsure, NO_ROWS)
    metrics, _ = measure_predictions(both, chosen, splits, CLASSES, PARAMETERS)
    losses = {model: table["dev"]["log_loss"]["value"] for model, table in metrics.items()}
    assert losses["fine_tuned"] == pytest.approx(5.0, abs=0.01)
    assert losses["frozen"] > losses["fine_tuned"]
    assert set(chosen["model"]) == {"fine_tuned"}


def _swap_names(predictions: pd.DataFrame) -> pd.DataFrame:
    other = {"frozen": "fine_tuned", "fine_tuned": "frozen"}
    return predictions.assign(model=predictions["model"].map(other))


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
    assert "Compared     fine-tuned against frozen on dev: no evidence" in caplog.text
    assert "accuracy +0.0 points" in caplog.text


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
    tuned = _contradict(everything, "dev")
    predictions, chosen, train = collect_predictions(everything, tuned, NO_ROWS)
    assert set(chosen["model"]) == {"frozen"}
    for parameters, shown in ((PARAMETERS, {"frozen"}), (SHOW_ALL, {"frozen", "fine_tuned"})):
        metrics, classes = measure_predictions(predictions, chosen, splits, CLASSES, parameters)
        costs = dict.fromkeys(metrics)
        compared = compare_models(predictions, chosen, metrics, costs, splits, CLASSES, parameters)
        error_breakdown = measure_error_breakdown(predictions, chosen, train, splits, parameters)
        assert set(classes.loc[classes["split"] == "test", "model"]) == shown
        assert set(classes.loc[classes["split"] == "dev", "model"]) == {"frozen", "fine_tuned"}
        for model in ("frozen", "fine_tuned"):
            given = [metrics[model], compared["models"][model], error_breakdown["models"][model]]
            assert [bool(_list_numbers_of_test(part)) for part in given] == [model in shown] * 3
        (pair,) = compared["pairs"]
        assert pair["dev"]["n"] == 4
        assert (pair["test"] is not None) == (len(shown) == 2)


def test_a_network_from_scratch_is_measured_like_the_others(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, everything: pd.DataFrame
) -> None:
    classifier, images = look_up_classifier(features, head)
    scratch = predict_from_scratch(classifier, HISTORY, images, splits, CLASSES, SAMPLE)
    pd.testing.assert_frame_equal(
        scratch.drop(columns="model"), everything.drop(columns="model"), rtol=1e-4
    )
    worse = _contradict(scratch, "dev").assign(model="from_scratch")
    predictions, chosen, _ = collect_predictions(everything, NO_ROWS, worse)
    assert set(chosen["model"]) == {"frozen"}
    found = _compare(predictions, splits)
    assert set(found["models"]) == {"frozen", "from_scratch"}
    (pair,) = found["pairs"]
    assert (pair["first"], pair["second"]) == ("from_scratch", "frozen")
    assert pair["dev"]["accuracy"]["value"] > 0
    assert pair["test"]["accuracy"]["value"] == 0


def test_any_two_models_are_compared(predictions: pd.DataFrame, splits: pd.DataFrame) -> None:
    tables = [predictions.assign(model=model) for model in ("frozen", "fine_tuned", "from_scratch")]
    pairs = _compare(pd.concat(tables), splits)["pairs"]
    assert [(pair["first"], pair["second"]) for pair in pairs] == [
        ("from_scratch", "frozen"),
        ("from_scratch", "fine_tuned"),
        ("frozen", "fine_tuned"),
    ]


def test_the_cost_of_a_model_is_counted_from_the_model_itself(
    features: FeatureTable, head: keras.Model
) -> None:
    own_code = keras.Sequential([keras.Input((4,)), _OwnCode()])
    costs = measure_costs(head, own_code, head, HISTORY, HISTORY[:0])
    assert set(costs) == {"frozen", "fine_tuned"}
    # A dense layer from 4 features to 2 classes.
    assert (costs["frozen"]["parameters"], costs["frozen"]["multiply_adds"]) == (10, 8)
    assert 0.001 < costs["frozen"]["megabytes"] < 0.1
    assert costs["fine_tuned"]["multiply_adds"] is None


@keras.saving.register_keras_serializable(package="graft tests")
class _OwnCode(keras.Model):
    """A network whose own code applies its layer."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.dense = keras.layers.Dense(2)
        self.dense.build((None, 4))

    def call(self, batch: keras.KerasTensor) -> keras.KerasTensor:
        return self.dense(batch)


def test_the_network_from_scratch_may_be_the_best(predictions: pd.DataFrame) -> None:
    names = ["probability_dark", "probability_light"]
    unsure = predictions.copy()
    unsure[names] = np.float32(0.5)
    _, chosen, _ = collect_predictions(unsure, NO_ROWS, predictions.assign(model="from_scratch"))
    assert set(chosen["model"]) == {"from_scratch"}


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_missing_from_test_is_survived(
    everything: pd.DataFrame, splits: pd.DataFrame
) -> None:
    only_light = everything[(everything["split"] != "test") | (everything["label"] == "light")]
    predictions, chosen, train = collect_predictions(only_light, NO_ROWS, NO_ROWS)
    metrics, classes = measure_predictions(predictions, predictions, splits, CLASSES, PARAMETERS)
    assert metrics["frozen"]["test"]["n"] == 2
    assert np.isnan(metrics["frozen"]["test"]["roc_auc"]["value"])
    assert classes.query("split == 'test' and `class` == 'dark'")["support"].tolist() == [0]
    error_breakdown = measure_error_breakdown(predictions, chosen, train, splits, PARAMETERS)
    assert error_breakdown["models"]["frozen"]["errors"]["test"]["n"] == 2
    both = pd.concat([predictions, predictions.assign(model="fine_tuned")])
    assert _compare(both, splits)["pairs"][0]["test"]["smallest"] is None


@pytest.mark.filterwarnings("error")
def test_a_thousand_classes_are_a_plain_table(splits: pd.DataFrame) -> None:
    names = [f"class {number}" for number in range(1000)]
    table = tabulate_predictions("frozen", splits, np.full((18, 1000), 0.001, np.float32), names)
    assert table.columns.tolist()[:5] == ["image_id", "split", "model", "label", "predicted"]
    assert table.columns[-1] == "probability_class 999"
