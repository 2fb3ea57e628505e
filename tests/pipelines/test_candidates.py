"""Candidates: a list says which there are, and whatever follows takes them as they come."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.parameters.base import TrainSampleParameters
from graft.pipeline_registry import create_stage, list_stages
from graft.pipelines import candidates
from graft.pipelines.candidates import (
    choose_candidates,
    create_candidate_pipeline,
    find_candidate,
    list_candidates,
    list_measured,
    measure_cost,
    predict_from_features,
    predict_pictures,
    tabulate_predictions,
)
from graft.pipelines.fine_tuning.predicting import (
    predict_from_pictures,
    store_measured_activations,
)
from helpers.classifiers import build_steep_head, look_up_classifier
from helpers.pictures import trace_images

CLASSES = ["dark", "light"]
SAMPLE = TrainSampleParameters(pictures=6, seed=0)
ALL = {
    "candidates": ["from_scratch", "frozen", "fine_tuned"],
    "from_scratch": {"network": "none"},
    "fine_tuning": {"unfreeze": 1},
}


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test leaves its choice of candidates to the next."""
    monkeypatch.setattr(candidates, "_chosen", None)
    monkeypatch.setattr(candidates, "_begins_warm", False)


@pytest.fixture
def head(features: FeatureTable) -> keras.Model:
    return build_steep_head(features)


def test_those_that_their_own_parameters_leave_out_are_no_candidates() -> None:
    choose_candidates(ALL)
    assert [one.name for one in list_candidates()] == ["frozen", "fine_tuned"]
    choose_candidates(
        ALL | {"from_scratch": {"network": "gtsrb_simple"}, "fine_tuning": {"unfreeze": "none"}}
    )
    assert [one.name for one in list_candidates()] == ["from_scratch", "frozen"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            [],
            r"a list of at least one of from_scratch, .*, autokeras .* got \[\]",
        ),
        ("frozen", "a list of at least one of .*; got 'frozen'"),
        (["frozen", "frozen"], "each may stand there once; got"),
        (["frosen"], "unknown candidate; known are .*; got 'frosen'"),
        (["no_such_module.train"], "cannot import 'train' from 'no_such_module'"),
        (["from_scratch"], "no candidate is left: .* name a network, or add frozen; got"),
    ],
)
def test_a_wrong_list_is_told_in_one_line(wrong: object, message: str) -> None:
    with pytest.raises(GraftError, match=message) as error:
        choose_candidates(ALL | {"candidates": wrong})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("named", "unfreeze"),
    [(["frozen", "self_tuned"], 1), (["self_tuned", "fine_tuned"], 1),
     (["frozen", "fine_tuned", "self_tuned"], "none")],
)  # fmt: skip
def test_one_that_begins_with_another_comes_after_it(named: list[str], unfreeze: object) -> None:
    with pytest.raises(GraftError, match="self_tuned begins with fine_tuned, which must stand"):
        choose_candidates(ALL | {"candidates": named, "fine_tuning": {"unfreeze": unfreeze}})


def train_blindly(images, splits, class_names):
    """A network that has seen nothing."""


def test_a_training_function_by_its_dotted_path_is_a_candidate() -> None:
    candidate = find_candidate(f"{__name__}.train_blindly")
    assert (candidate.name, candidate.title) == ("train_blindly", "A network that has seen nothing")
    pipeline = create_candidate_pipeline(candidate)
    settings = {"params:train_sample", "params:forward", "forward_exports"}
    assert pipeline.inputs() == {"images", "splits", "class_names", *settings}
    made = {"classifier", "history", "predictions", "cost", "training_curves"}
    assert pipeline.all_outputs() == {f"train_blindly.{part}" for part in made}


@pytest.mark.parametrize("name", candidates.STAGES)
def test_every_candidate_makes_what_the_others_make(name: str) -> None:
    made = create_candidate_pipeline(find_candidate(name)).all_outputs()
    parts = {"classifier", "history", "predictions", "cost", "training_curves"}
    assert {f"{name}.{part}" for part in parts} <= made


def test_predictions_stand_beside_the_names_of_held_out_pictures(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame
) -> None:
    table = predict_from_features(features, head, splits, CLASSES, SAMPLE)
    measured = splits.iloc[list_measured(splits, SAMPLE)]
    assert table["image_id"].tolist() == measured["image_id"].tolist()
    assert table["label"].tolist() == measured["label"].tolist()
    probabilities = table[["probability_dark", "probability_light"]]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_predictions_do_not_depend_on_the_order_of_the_features(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame
) -> None:
    shuffled = splits.sample(frac=1, random_state=0).reset_index(drop=True)
    mine, again = (
        predict_from_features(features, head, table, CLASSES, SAMPLE)
        for table in (splits, shuffled)
    )
    merged = mine.merge(again, on="image_id")
    assert len(merged) == len(mine)
    assert (merged["probability_dark_x"] == merged["probability_dark_y"]).all()


def test_every_way_to_predict_gives_the_same_of_the_same_pictures(
    features: FeatureTable, head: keras.Model, splits: pd.DataFrame
) -> None:
    stored = predict_from_features(features, head, splits, CLASSES, SAMPLE)
    classifier, images = look_up_classifier(features, head)
    none = store_measured_activations(
        classifier, images, trace_images(images), splits, None, SAMPLE
    )
    assert len(none) == 0  # nothing with weights is frozen in front
    tuned = predict_from_pictures(classifier, none, images, splits, CLASSES, SAMPLE)
    plain = predict_pictures(classifier, images, splits, CLASSES, SAMPLE)
    pd.testing.assert_frame_equal(tuned, stored, rtol=1e-4)
    pd.testing.assert_frame_equal(plain, stored, rtol=1e-4)
    assert (plain["split"] == "train").sum() == SAMPLE.pictures


def test_a_sample_larger_than_train_is_all_of_it(splits: pd.DataFrame) -> None:
    many = SAMPLE.model_copy(update={"pictures": 99})
    assert list_measured(splits, many).tolist() == list(range(len(splits)))


def test_the_cost_of_a_classifier_is_counted_from_itself(head: keras.Model) -> None:
    # A dense layer from 4 features to 2 classes.
    cost = measure_cost(head)
    assert (cost["parameters"], cost["multiply_adds"]) == (10, 8)
    assert 0.001 < cost["megabytes"] < 0.1
    own_code = keras.Sequential([keras.Input((4,)), _OwnCode()])
    assert measure_cost(own_code)["multiply_adds"] is None


@keras.saving.register_keras_serializable(package="graft tests")
class _OwnCode(keras.Model):
    """A network whose own code applies its layer."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.dense = keras.layers.Dense(2)
        self.dense.build((None, 4))

    def call(self, batch: keras.KerasTensor) -> keras.KerasTensor:
        return self.dense(batch)


@pytest.mark.filterwarnings("error")
def test_a_thousand_classes_are_a_plain_table(splits: pd.DataFrame) -> None:
    names = [f"class {number}" for number in range(1000)]
    table = tabulate_predictions(splits, np.full((18, 1000), 0.001, np.float32), names)
    assert table.columns.tolist()[:4] == ["image_id", "split", "label", "predicted"]
    assert table.columns[-1] == "probability_class 999"


@pytest.mark.parametrize("given", [{}, {"warm_start": False}])
def test_without_the_flag_no_stage_knows_of_warm_starts(given: dict) -> None:
    choose_candidates(ALL | given)
    stages = [create_stage(stage) for stage in list_stages()]
    datasets = set().union(*(stage.datasets() for stage in stages))
    assert "warm_start" not in list_stages()
    assert not {"starting_point", "starting_weights", "warm_start_outcome"} & datasets


def test_a_warm_start_takes_the_champion_before_the_candidates_are_trained() -> None:
    choose_candidates(ALL | {"warm_start": True})
    stages = list_stages()
    assert stages.index("feature_extraction") < stages.index("warm_start")
    assert stages.index("warm_start") < stages.index("head_training")
    for stage in ("head_training", "fine_tuning"):
        assert {"starting_point", "starting_weights"} <= create_stage(stage).inputs()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"warm_start": "yes"}, "warm_start is true or false; got 'yes'"),
        ({"warm_start": 1}, "warm_start is true or false; got 1"),
        (
            {"warm_start": True, "candidates": ["fine_tuned"]},
            "name frozen among .*; got fine_t",
        ),
    ],
)
def test_a_warm_start_that_cannot_be_is_told_in_one_line(given: dict, message: str) -> None:
    with pytest.raises(GraftError, match=message):
        choose_candidates(ALL | given)
