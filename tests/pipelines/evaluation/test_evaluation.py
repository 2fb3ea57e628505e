"""Evaluation: predictions beside names, figures with intervals, a report that stands alone."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from sklearn.metrics import accuracy_score, log_loss

from graft.datasets import FigureDataset
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.figures.style import draw_note
from graft.models.heads import build_head, join_classifier
from graft.parameters import BackboneParameters
from graft.pipelines.evaluation import create_pipeline
from graft.pipelines.evaluation.fine_tuned import (
    collect_predictions,
    compare_models,
    predict_from_pictures,
)
from graft.pipelines.evaluation.flattery import compare_with_random_split
from graft.pipelines.evaluation.from_scratch import compare_with_scratch, predict_from_scratch
from graft.pipelines.evaluation.held_out import store_held_out_activations
from graft.pipelines.evaluation.nodes import (
    check_frozen_classifier,
    measure_predictions,
    predict_from_features,
)
from graft.pipelines.evaluation.parameters import EvaluationParameters
from graft.scores.flattery import measure_flattery

CLASSES = ["dark", "light"]
PARAMETERS = EvaluationParameters(
    confidence=0.95,
    bootstrap_draws=50,
    gallery_size=2,
    checked_pictures=3,
    flattery_pictures=100,
    flattery_draws=2,
    seed=0,
)


@pytest.fixture
def head(features: FeatureTable) -> keras.Model:
    """A head that says "light" the more, the larger the first feature is."""
    head = build_head(features.dimension, 2, dropout=0.5, weight_decay=0.0, seed=0)
    kernel = np.zeros((features.dimension, 2), np.float32)
    kernel[0] = [-1, 1]
    head.layers[-1].set_weights([kernel, np.array([3, -3], np.float32)])
    return head


@pytest.fixture
def predictions(features: FeatureTable, head: keras.Model, splits: pd.DataFrame) -> pd.DataFrame:
    return predict_from_features(features, head, splits, CLASSES)


def _classifier(features: FeatureTable, head: keras.Model) -> tuple[keras.Model, np.ndarray]:
    """A backbone that looks features up: the first pixel of a picture is its row number."""
    table = np.concatenate([block for _, block in features.read_blocks()])
    pictures = keras.Input((2, 2, 3), dtype="uint8")
    rows = keras.ops.cast(pictures[:, 0, 0, 0], "int32")
    embedding = keras.layers.Embedding(len(table), table.shape[1], weights=[table])
    images = np.zeros((len(table), 2, 2, 3), np.uint8)
    images[:, 0, 0, 0] = np.arange(len(table))
    return join_classifier(keras.Model(pictures, embedding(rows)), head), images


def test_the_pipeline_ends_in_a_report(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, tmp_path
) -> None:
    classifier, images = _classifier(features, head)
    made = ["confusion_matrix", "confusion_matrix_log2", "learning_curves", "wrong_pictures"]
    given = ["fine_tuning_curves", "augmented_pictures", "training_curves"]
    history = pd.DataFrame(
        {"epoch": [1, 2], "loss": [1, 0.5], "accuracy": [0.5, 1], "dev_loss": [1, 0.6],
         "dev_accuracy": [0.5, 1]}
    )  # fmt: skip
    backbone = BackboneParameters(name="small_cnn", weights="random", image_size=8, seed=0)
    inputs = {
        "features": features, "head": head, "splits": splits, "class_names": CLASSES,
        "frozen_classifier": classifier, "images": images, "head_history": history,
        "fine_tuned_classifier": classifier, "fine_tuning_history": history,
        "trained_classifier": classifier, "training_history": history,
        "former_held_out_activations": None,
        "quarantined_images": pd.DataFrame({"image_id": ["x"], "reason": ["empty"]}),
        "split_check": {"pairs": 0, "leaking": 0, "set_aside": [], "moved": []},
        "split_summary": pd.DataFrame(
            {"label": ["dark"], "split": ["train"], "deviation": [0.0]}
        ),
        "image_index": splits, "params:backbone": backbone, "params:evaluation": PARAMETERS,
    }  # fmt: skip
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
        | {name: FigureDataset(filepath=str(tmp_path / f"{name}.png")) for name in made + given}
    )
    for name in given:
        catalog.save(name, draw_note(name))
    SequentialRunner().run(create_pipeline(), catalog)
    page = catalog.load("report")
    assert "4</b> pictures that it had never seen" in page
    assert page.count("data:image/png;base64") >= 5
    assert "Both classifiers are right on the same of the 4 pictures" in page


def test_predictions_stand_beside_the_names_of_held_out_pictures(
    predictions: pd.DataFrame, splits: pd.DataFrame
) -> None:
    held_out = splits[splits["split"] != "train"]
    assert predictions["image_id"].tolist() == held_out["image_id"].tolist()
    assert predictions["label"].tolist() == held_out["label"].tolist()
    assert set(predictions["model"]) == {"frozen"}
    probabilities = predictions[["probability_dark", "probability_light"]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_predictions_do_not_depend_on_the_order_of_the_features(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    shuffled = splits.sample(frac=1, random_state=0).reset_index(drop=True)
    again = predict_from_features(features, head, shuffled, CLASSES)
    merged = predictions.merge(again, on="image_id")
    assert (merged["probability_dark_x"] == merged["probability_dark_y"]).all()


def test_the_saved_classifier_is_compared_with_what_was_measured(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    classifier, images = _classifier(features, head)
    check = check_frozen_classifier(classifier, images, splits, predictions, PARAMETERS)
    assert check["pictures"] == 3
    assert check["largest_difference"] < 1e-5


def test_a_saved_classifier_that_gives_something_else_is_an_error(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    classifier, images = _classifier(features, head)
    with pytest.raises(GraftError, match="does not give what was measured"):
        check_frozen_classifier(classifier, images[::-1], splits, predictions, PARAMETERS)


def test_figures_agree_with_scikit_learn(predictions: pd.DataFrame) -> None:
    metrics, classes = measure_predictions(predictions, CLASSES, PARAMETERS)
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
    assert found["measured"] == measure_flattery(
        vectors, labels, rows // 2, rows >= 14, draws=2, confidence=0.95, seed=0
    )


HISTORY = pd.DataFrame({"epoch": [1]})
NO_ROWS = pd.DataFrame()


def test_the_fine_tuned_classifier_is_measured_on_the_same_pictures(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    classifier, images = _classifier(features, head)
    none = store_held_out_activations(classifier, HISTORY, images, splits, None)
    assert len(none) == 0  # nothing with weights is frozen in front
    tuned = predict_from_pictures(classifier, HISTORY, none, images, splits, CLASSES)
    assert tuned.columns.tolist() == predictions.columns.tolist()
    assert set(tuned["model"]) == {"fine_tuned"}
    pd.testing.assert_frame_equal(
        tuned.drop(columns="model"), predictions.drop(columns="model"), rtol=1e-4
    )


def test_without_fine_tuning_there_is_one_model(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    classifier, images = _classifier(features, head)
    none = store_held_out_activations(classifier, HISTORY[:0], images, splits, None)
    tuned = predict_from_pictures(classifier, HISTORY[:0], none, images, splits, CLASSES)
    assert tuned.empty
    both, chosen = collect_predictions(predictions, tuned, tuned)
    pd.testing.assert_frame_equal(both, predictions)
    pd.testing.assert_frame_equal(chosen, predictions)
    assert compare_models(both, PARAMETERS) == {}


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
    _, chosen = collect_predictions(predictions, worse_on_dev, NO_ROWS)
    assert set(chosen["model"]) == {"frozen"}
    swapped = _swap_names(worse_on_dev), _swap_names(predictions)
    _, chosen = collect_predictions(*swapped, NO_ROWS)
    assert set(chosen["model"]) == {"fine_tuned"}
    _, chosen = collect_predictions(predictions, _contradict(predictions, "test"), NO_ROWS)
    assert set(chosen["model"]) == {"frozen"}


def _swap_names(predictions: pd.DataFrame) -> pd.DataFrame:
    other = {"frozen": "fine_tuned", "fine_tuned": "frozen"}
    return predictions.assign(model=predictions["model"].map(other))


def test_models_are_compared_picture_by_picture(predictions: pd.DataFrame) -> None:
    both = pd.concat([predictions, _contradict(predictions, "test").sample(frac=1, random_state=0)])
    found = compare_models(both, PARAMETERS)
    right = (predictions["label"] == predictions["predicted"])[predictions["split"] == "test"]
    assert found["test"]["only_first"] == right.sum()
    assert found["test"]["only_second"] == (~right).sum()
    assert found["dev"]["p_value"] == 1


def test_a_network_from_scratch_is_measured_and_compared_like_the_others(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame, predictions: pd.DataFrame
) -> None:
    classifier, images = _classifier(features, head)
    scratch = predict_from_scratch(classifier, HISTORY, images, splits, CLASSES)
    pd.testing.assert_frame_equal(
        scratch.drop(columns="model"), predictions.drop(columns="model"), rtol=1e-4
    )
    worse = _contradict(scratch, "dev").assign(model="from_scratch")
    everything, chosen = collect_predictions(predictions, NO_ROWS, worse)
    assert set(chosen["model"]) == {"frozen"}
    metrics, _ = measure_predictions(everything, CLASSES, PARAMETERS)
    assert set(metrics) == {"frozen", "from_scratch"}
    found = compare_with_scratch(everything, PARAMETERS)
    assert (found["first"], found["second"]) == ("from_scratch", "frozen")
    assert found["dev"]["difference"] > 0
    assert found["test"]["difference"] == 0
    assert compare_models(everything, PARAMETERS) == {}
    assert compare_with_scratch(predictions, PARAMETERS) == {}


def test_transfer_means_the_fine_tuned_classifier_where_there_is_one(
    predictions: pd.DataFrame,
) -> None:
    tables = [predictions.assign(model=model) for model in ("frozen", "fine_tuned", "from_scratch")]
    assert compare_with_scratch(pd.concat(tables), PARAMETERS)["second"] == "fine_tuned"


def test_the_network_from_scratch_may_be_the_best(predictions: pd.DataFrame) -> None:
    names = ["probability_dark", "probability_light"]
    unsure = predictions.copy()
    unsure[names] = np.float32(0.5)
    _, chosen = collect_predictions(unsure, NO_ROWS, predictions.assign(model="from_scratch"))
    assert set(chosen["model"]) == {"from_scratch"}
