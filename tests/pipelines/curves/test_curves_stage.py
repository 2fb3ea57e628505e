"""The curves stage: dev alone tells what more pictures are worth, test shows the classes."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureBlock, FeatureShardsDataset
from graft.errors import GraftError
from graft.pipelines.candidates import STAGES
from graft.pipelines.curves.nodes import measure_learning_curve, summarise_curves
from graft.pipelines.curves.parameters import CurvesParameters

LIKE_THE_REFIT = 0.16
pytestmark = pytest.mark.filterwarnings("error")


def make_parameters(**changes):
    values = {
        "pictures": 1000, "sizes": 6, "repeats": 3, "draws": 100, "confidence": 0.95,
        "noticeable": 0.01, "seed": 0,
    }  # fmt: skip
    return CurvesParameters.model_validate(values | changes)


def make_data(folder, count=200, class_count=2, seed=0):
    """Splits and features of two views a picture, stored in another order than the splits'."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % class_count
    splits = pd.DataFrame(
        {
            "image_id": [f"{number:04d}.png" for number in range(count)],
            "label": [f"class {label}" for label in labels],
            "label_index": labels.astype(np.int32),
            "cluster": np.arange(count),
            "split": np.repeat(["train", "dev", "test"], [count // 2, count // 4, count // 4]),
        }
    )
    vectors = random.normal(size=(2, count, 8)).astype(np.float32)
    vectors[:, np.arange(count), labels] += 1.5
    vectors[1] *= -1  # a view that would spoil everything
    order = random.permutation(count)
    keys = pd.DataFrame({"image_id": splits["image_id"], "image_sha256": splits["image_id"]})
    dataset = FeatureShardsDataset(filepath=str(folder / f"features_{count}_{class_count}"))
    dataset.save(
        FeatureBlock(keys.iloc[order].assign(view=np.int16(view)), vectors[view, order])
        for view in (1, 0)
    )
    return dataset.load(), splits


HISTORY = pd.DataFrame(
    {"epoch": [1, 2, 3], "loss": [3.0, 2, 1], "accuracy": [0.1, 0.5, 0.9],
     "dev_loss": [3.0, 1, 2], "dev_accuracy": [0.2, 0.8, 0.7]}
)  # fmt: skip
EMPTY = HISTORY.head(0)
NO_CURVE: dict = {"forecasts": [], "withheld": "there is one reason"}


def make_predictions(class_count=3, count=30):
    names = [f"class {number}" for number in range(class_count)]
    labels = np.arange(count) % class_count
    probabilities = np.random.default_rng(0).dirichlet(np.ones(class_count), count)
    table = pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in range(count)],
            "split": "test",
            "model": "fine_tuned",
            "label": np.array(names)[labels],
        }
    )
    columns = {f"probability_{name}": probabilities[:, i] for i, name in enumerate(names)}
    return table.assign(**columns), names


def choose(splits, model="frozen", error=None):
    """Predictions of a champion that is wrong so often on dev; as often as the refit if None."""
    table = splits.loc[splits["split"] != "train", ["image_id", "split", "label"]]
    wrong = np.arange(len(table)) % 25 < 25 * (LIKE_THE_REFIT if error is None else error)
    return table.assign(model=model, predicted=table["label"].where(~wrong, "another"))


def measure(features, splits, parameters=None, **champion):
    chosen = choose(splits, **champion)
    return measure_learning_curve(features, chosen, splits, parameters or make_parameters())


@pytest.mark.parametrize("model", [*sorted({*STAGES} - {"frozen"}), "my_own"])
def test_of_a_champion_of_another_kind_no_curve_is_told(tmp_path, model):
    found = measure(*make_data(tmp_path), model=model)
    assert found["verdict"] == "withheld"
    assert "at every size" in found["withheld"]
    assert (found["points"], found["forecasts"], found["now"]) == ([], [], None)
    assert (found["model"], found["dev"], found["whole"]) == (model, 50, 100)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(("error", "says"), [(0.0, "weaker than"), (0.6, "better than")])
def test_a_refit_of_another_level_does_not_speak_for_the_champion(tmp_path, error, says):
    found = measure(*make_data(tmp_path), error=error)
    assert found["verdict"] == "withheld"
    assert says in found["withheld"]
    assert f"against {100 * error:.1f} %" in found["withheld"]
    assert found["forecasts"] == []


def test_a_curve_is_measured_on_the_pictures_themselves(tmp_path):
    found = measure(*make_data(tmp_path))
    assert [row["pictures"] for row in found["points"]][-1] == found["train"] == 100
    assert (found["dev"], found["whole"], found["repeats"]) == (50, 100, 3)
    errors = [row["error"] for row in found["points"]]
    assert errors[-1] < 0.25
    assert errors[0] > errors[-1]
    json.dumps(found, allow_nan=False)


def test_test_pictures_change_nothing(tmp_path):
    features, splits = make_data(tmp_path)
    other = splits.copy()
    other.loc[other["split"] == "test", "label_index"] = 0
    first, second = (measure(features, table) for table in (splits, other))
    assert first == second


def test_the_order_of_the_splits_changes_nothing_but_the_draw(tmp_path):
    features, splits = make_data(tmp_path)
    found = measure(features, splits.iloc[::-1])
    expected = measure(features, splits)
    assert found["points"][-1] == pytest.approx(expected["points"][-1], abs=0.1)
    assert found["points"][-1]["error"] == expected["points"][-1]["error"]


def test_no_more_pictures_take_part_than_are_allowed(tmp_path):
    found = measure(*make_data(tmp_path), make_parameters(pictures=40))
    assert (found["train"], found["dev"], found["whole"]) == (40, 40, 100)
    assert found["points"][-1]["pictures"] == 40
    if found["now"]:
        assert found["now"]["pictures"] == 100


def test_one_picture_a_class_is_too_few(tmp_path):
    found = measure(*make_data(tmp_path, 12, 6), error=1.0)
    assert found["verdict"] in ("too_few", "perfect")
    assert len(found["points"]) == 1


def test_the_summary_names_the_hardest_classes_first():
    predictions, names = make_predictions(12, 240)
    found = summarise_curves(predictions, names, NO_CURVE, HISTORY, names=["frozen"])
    areas = [row["roc_auc"] for row in found["classes"]]
    assert areas == sorted(areas)
    assert len(areas) == 10
    assert found["class_count"] == 12
    assert found["model"] == "fine_tuned"
    json.dumps(found, allow_nan=False)


def test_the_terminal_says_why_no_curve_is_told(caplog):
    with caplog.at_level("INFO"):
        summarise_curves(*make_predictions(), NO_CURVE, HISTORY, names=["frozen"])
    assert "More data    cannot be said: there is one reason" in caplog.text


def test_the_summary_tells_which_epoch_of_each_training_was_kept():
    found = summarise_curves(
        *make_predictions(), NO_CURVE, HISTORY, HISTORY, names=["frozen", "fine_tuned"]
    )
    assert [(row["name"], row["epochs"], row["kept"]) for row in found["stages"]] == [
        ("frozen", 3, 2),
        ("fine-tuned", 3, 2),
    ]


def test_classes_that_test_lacks_are_counted():
    predictions, names = make_predictions()
    lacking = predictions[predictions["label"] != "class 0"]
    found = summarise_curves(lacking, names, NO_CURVE, HISTORY, names=["frozen"])
    assert (found["class_count"], found["left_out"]) == (2, 1)


def test_a_test_split_of_one_class_has_no_areas():
    predictions, names = make_predictions()
    alone = predictions[predictions["label"] == "class 0"]
    found = summarise_curves(alone, names, NO_CURVE, HISTORY, names=["frozen"])
    assert (found["roc_auc"], found["classes"], found["left_out"]) == (None, [], 2)


def test_a_probability_that_is_no_number_is_refused():
    predictions, names = make_predictions()
    predictions.loc[0, "probability_class 0"] = np.nan
    with pytest.raises(GraftError, match=r"on test are not numbers.*'0\.png'"):
        summarise_curves(predictions, names, NO_CURVE, HISTORY, names=["frozen"])
