"""The calibration stage: chosen on dev, shown on test, refused in one line."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from graft.errors import GraftError
from graft.pipelines.calibration import nodes
from graft.pipelines.calibration.parameters import CalibrationParameters
from graft.pipelines.selection.nodes import collect_predictions

pytestmark = pytest.mark.filterwarnings("error")


def make_parameters(**changes):
    values = {
        "bins": 10, "draws": 100, "confidence": 0.95, "positive_class": None,
        "cost_false_positive": None, "cost_false_negative": None, "wanted_precision": None,
        "seed": 0,
    }  # fmt: skip
    return CalibrationParameters.model_validate(values | changes)


def calibrate(predictions, names, parameters, clusters=None):
    """The node, every picture on its own unless clusters are given."""
    ids = predictions["image_id"]
    splits = pd.DataFrame({"image_id": ids, "cluster": ids if clusters is None else clusters})
    return nodes.calibrate(predictions, splits, names, parameters)


def make_predictions(class_count, count=200, signal=1.5, sureness=3.0, seed=0):
    """Predictions of one who is too sure, half of them of dev and half of test."""
    random = np.random.default_rng(seed)
    names = [f"class {number}" for number in range(class_count)]
    labels = np.arange(count) // 2 % class_count
    logits = random.normal(size=(count, class_count))
    logits[np.arange(count), labels] += signal
    weights = np.exp(sureness * logits)
    probabilities = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    table = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(count)],
            "split": np.tile(["dev", "test"], count // 2),
            "model": "frozen",
            "label": np.array(names)[labels],
        }
    )
    columns = {f"probability_{name}": probabilities[:, i] for i, name in enumerate(names)}
    return table.assign(**columns), names


def test_what_the_champion_needs_is_there():
    found = calibrate(*make_predictions(3), make_parameters())
    assert found["model"] == "frozen"
    assert isinstance(found["temperature"], float)
    assert found["threshold"] is None
    assert found["threshold_reason"] == "not_asked"


def test_all_can_be_written_as_json_and_is_the_same_every_time():
    first, again = (
        json.dumps(calibrate(*make_predictions(3), make_parameters()), allow_nan=False)
        for _ in range(2)
    )
    assert first == again


def test_one_who_is_too_sure_is_cooled_down():
    found = calibrate(*make_predictions(4, count=800), make_parameters())
    assert found["temperature"] > 1.5
    for split in ("dev", "test"):
        before, after = found[split]["before"], found[split]["after"]
        assert after["log_loss"] < before["log_loss"]
        assert after["ece"] < before["ece"]
        assert after["accuracy"] == before["accuracy"]


def test_nothing_is_chosen_by_test():
    predictions, names = make_predictions(2)
    other = predictions.copy()
    wrong = other["split"] == "test"
    other.loc[wrong, "label"] = other.loc[wrong, "label"].iloc[::-1].to_numpy()
    parameters = make_parameters(cost_false_positive=1, cost_false_negative=5)
    first, second = (calibrate(table, names, parameters) for table in (predictions, other))
    assert first["temperature"] == second["temperature"]
    assert first["threshold"]["value"] == second["threshold"]["value"]
    assert first["dev"] == second["dev"]
    assert first["test"] != second["test"]


def test_a_dear_miss_lowers_the_threshold_and_is_paid_for_in_false_alarms():
    found = calibrate(
        *make_predictions(2), make_parameters(cost_false_positive=1, cost_false_negative=20)
    )["threshold"]
    assert found["kind"] == "positive_class"
    assert found["positive_class"] == "class 1"
    assert found["value"] < 0.5
    assert found["test"]["false_negative"] < found["usual"]["test"]["false_negative"]
    assert found["test"]["false_positive"] > found["usual"]["test"]["false_positive"]


def test_the_positive_class_can_be_named():
    found = calibrate(
        *make_predictions(2), make_parameters(positive_class="class 0", wanted_precision=0.75)
    )["threshold"]
    assert found["positive_class"] == "class 0"
    assert found["dev"]["precision"]["value"] > 0.75


def test_a_class_whose_name_is_a_number_can_be_named():
    assert make_parameters(positive_class=1).positive_class == "1"


def test_with_many_classes_a_wanted_precision_leaves_the_unsure_unanswered():
    given = make_predictions(5, count=1000)
    found = calibrate(*given, make_parameters(wanted_precision=0.85))["threshold"]
    assert (found["kind"], found["positive_class"]) == ("abstain", None)
    assert found["dev"]["accuracy"]["value"] > 0.85
    assert 0 < found["dev"]["n"] < 500
    assert found["test"]["coverage"] == found["test"]["n"] / 500


def test_a_precision_that_dev_never_shows_leaves_no_threshold():
    predictions, names = make_predictions(3)
    dev = predictions["split"] == "dev"
    columns = [f"probability_{name}" for name in names]
    predictions.loc[dev, columns] = np.float32([1, 0, 0])
    predictions.loc[dev, "label"] = "class 2"
    found = calibrate(predictions, names, make_parameters(wanted_precision=0.9))
    assert (found["threshold"], found["threshold_reason"]) == (None, "not_reached")
    assert found["threshold_needed"] is None


def test_a_dev_too_small_to_promise_is_told_in_one_line_with_what_is_needed(caplog):
    with caplog.at_level("INFO"):
        found = calibrate(*make_predictions(3, signal=50), make_parameters(wanted_precision=0.99))
    assert (found["threshold"], found["threshold_reason"]) == (None, "too_small")
    # 0.99 to the 299th is the first power below 0.05.
    assert found["threshold_needed"] == 299
    (line,) = [text for text in caplog.messages if "no threshold" in text]
    assert "for 0.99 dev needs at least 299 pictures, not 100" in line
    assert len(line) <= 80


def test_pictures_of_one_cluster_promise_less_than_as_many_single_ones():
    predictions, names = make_predictions(3, signal=50)
    wanted = make_parameters(wanted_precision=0.9)
    assert calibrate(predictions, names, wanted)["threshold_reason"] == "chosen"
    pairs = np.arange(200) // 4  # two pictures of dev each
    found = calibrate(predictions, names, make_parameters(wanted_precision=0.95), pairs)
    assert found["threshold_reason"] == "too_small"


def test_perfect_predictions_are_calibrated():
    found = calibrate(*make_predictions(3, signal=50), make_parameters(wanted_precision=0.95))
    assert found["temperature_reason"] == "no_mistake"
    assert found["threshold"]["test"]["coverage"] == 1


def test_all_wrong_predictions_are_calibrated():
    found = calibrate(*make_predictions(3, signal=-50), make_parameters())
    assert found["temperature_reason"] == "at_bound"
    assert found["test"]["after"]["accuracy"]["value"] == 0


def test_a_class_that_test_lacks_is_no_obstacle():
    predictions, names = make_predictions(3)
    lacking = (predictions["split"] == "test") & (predictions["label"] == "class 0")
    found = calibrate(predictions[~lacking], names, make_parameters())
    assert found["test"]["before"]["n"] < 100


def test_one_picture_of_dev_and_of_test_is_enough():
    predictions, names = make_predictions(3)
    found = calibrate(predictions.head(2), names, make_parameters(wanted_precision=0.9))
    assert found["dev"]["before"]["n"] == found["test"]["before"]["n"] == 1


def test_a_probability_that_is_no_number_is_refused():
    predictions, names = make_predictions(3)
    predictions.loc[4, "probability_class 1"] = np.nan
    with pytest.raises(GraftError, match=r"on dev are not numbers.*'4\.png'"):
        calibrate(predictions, names, make_parameters())


def test_what_evaluation_accepts_calibration_accepts_and_what_it_refuses_too():
    predictions, names = make_predictions(3)
    columns = [f"probability_{name}" for name in names]
    rounded = predictions.assign(**{name: predictions[name] * 1.005 for name in columns})
    no_softmax = predictions.assign(**{name: predictions[name] * 1.05 for name in columns})
    rounded, no_softmax = (
        table.drop(columns="model", errors="ignore").assign(
            predicted=table[columns].idxmax(axis=1).str.removeprefix("probability_")
        )
        for table in (rounded, no_softmax)
    )
    _, chosen, _ = collect_predictions(rounded, names=["frozen"])
    found = calibrate(chosen, names, make_parameters())
    assert found["test"]["before"]["log_loss"] == pytest.approx(
        calibrate(predictions, names, make_parameters())["test"]["before"]["log_loss"]
    )
    with pytest.raises(GraftError, match="must end in a softmax"):
        collect_predictions(no_softmax, names=["frozen"])
    with pytest.raises(GraftError, match="must end in a softmax"):
        calibrate(no_softmax.assign(model="frozen"), names, make_parameters())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cost_false_positive": 1}, "give both or neither; got 1.0 and None"),
        (
            {"cost_false_positive": 1, "cost_false_negative": 2, "wanted_precision": 0.9},
            "set one of them to null; got costs 1 and 2 and precision 0.9",
        ),
        ({"wanted_precision": 1.5}, "wanted_precision: .* less than 1; got 1.5"),
        ({"wanted_precision": 1}, "wanted_precision: .* less than 1; got 1"),
        ({"wanted_precision": 0}, "wanted_precision: .* greater than 0; got 0"),
        ({"cost_false_positive": -1, "cost_false_negative": 1}, "cost_false_positive: .*; got -1"),
        ({"bins": 1}, "bins: .*; got 1"),
        ({"wanted_presicion": 1}, "did you mean 'wanted_precision'"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused_in_one_line(changes, message):
    with pytest.raises(GraftError, match=message) as error:
        make_parameters(**changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("class_count", "changes", "message"),
    [
        (
            3,
            {"cost_false_positive": 1, "cost_false_negative": 2},
            r"calibration.cost_false_positive and cost_false_negative.* for two classes.*"
            "got 3 classes",
        ),
        (3, {"positive_class": "class 1"}, "calibration.positive_class .*got 3 classes"),
        (2, {"positive_class": "owl"}, "allowed are class 0, class 1; got 'owl'"),
    ],
)
def test_parameters_that_do_not_suit_the_classes_are_refused(class_count, changes, message):
    with pytest.raises(GraftError, match=message):
        calibrate(*make_predictions(class_count), make_parameters(**changes))
