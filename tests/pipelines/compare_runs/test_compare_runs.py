"""Compare runs: the same pictures of test, by their bytes, or nothing."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from graft.errors import GraftError
from graft.pipelines.compare_runs.evaluation import compare_runs
from graft.pipelines.compare_runs.parameters import CompareRunsParameters

PARAMETERS = CompareRunsParameters(other="former", confidence=0.95, bootstrap_draws=100, seed=0)


def make_run(right=1.0, count=60, prefix="", model="frozen", seed=0):
    """Chosen predictions and splits of a run that names this share of the pictures of dev.

    Two pictures more are test; every run has them wrong unless it names all.
    """
    random = np.random.default_rng(seed)
    labels = np.where(np.arange(count) % 2, "cat", "dog")
    is_right = np.arange(count) < right * count
    cat = np.where((labels == "cat") == is_right, 0.9, 0.1)
    names = [f"{prefix}{number:03d}.png" for number in range(count)]
    predictions = pd.DataFrame(
        {
            "image_id": names, "split": ["dev"] * (count - 2) + ["test"] * 2, "model": model,
            "label": labels, "predicted": np.where(cat > 0.5, "cat", "dog"),
            "probability_cat": cat, "probability_dog": 1 - cat,
        }
    )  # fmt: skip
    splits = pd.DataFrame(
        {"image_id": names, "sha256": [f"bytes {number}" for number in range(count)],
         "cluster": np.arange(count)}
    )  # fmt: skip
    order = random.permutation(count)
    return predictions.iloc[order].reset_index(drop=True), splits


def test_a_better_run_is_told_in_a_table(caplog):
    with caplog.at_level(logging.INFO):
        found = compare_runs(*make_run(0.95), *make_run(0.6, model="fine_tuned"), PARAMETERS)
    assert (found["dev"]["verdict"], found["dev"]["n"]) == ("better", 58)
    assert found["models"] == {"other": "fine_tuned", "this": "frozen"}
    assert found["dev"]["values"]["this"]["accuracy"] == 57 / 58
    assert found["dev"]["accuracy"]["value"] == pytest.approx((57 - 36) / 58)
    assert "other  former (fine-tuned)" in caplog.text
    assert "accuracy       0.621   0.983   +0.362" in caplog.text
    assert max(len(line.getMessage()) for line in caplog.records) <= 80


def test_test_is_shown_without_a_verdict(caplog):
    # On dev both are right on the same pictures; on test this one alone is right.
    better = make_run(1.0)
    other = make_run(58 / 60)
    with caplog.at_level(logging.INFO):
        found = compare_runs(*better, *other, PARAMETERS)
    assert found["dev"]["accuracy"]["value"] == 0
    assert found["test"]["accuracy"]["value"] == 1
    told = [line.getMessage() for line in caplog.records]
    of_test = told.index("On 2 pictures of test")
    of_dev = told.index("On 58 pictures of dev")
    verdicts = [place for place, line in enumerate(told) if line.endswith("of a difference")]
    assert verdicts == [of_dev + 2, of_dev + 3]
    assert "1.000   +1.000" in told[of_test + 2]


def test_a_run_is_not_better_than_itself():
    found = compare_runs(*make_run(0.9), *make_run(0.9, seed=1), PARAMETERS)["dev"]
    assert found["verdict"] == "no evidence of a difference"
    assert found["only_first"] == found["only_second"] == 0


def test_a_picture_is_known_by_its_bytes_whatever_its_name():
    found = compare_runs(*make_run(0.9), *make_run(0.9, prefix="renamed/"), PARAMETERS)["dev"]
    assert (found["n"], found["only_first"], found["only_second"]) == (58, 0, 0)


def test_copies_of_one_file_are_told_apart_by_their_names():
    run = make_run(0.9)
    copied = run[1].assign(sha256=run[1]["sha256"].where(run[1].index > 3, "the same"))
    found = compare_runs(run[0], copied, run[0], copied, PARAMETERS)["dev"]
    assert (found["n"], found["only_first"]) == (58, 0)


@pytest.mark.parametrize(("changed", "split"), [("bytes 7", "dev"), ("bytes 59", "test")])
def test_other_pictures_are_refused(changed, split):
    predictions, splits = make_run()
    changed = splits.assign(sha256=splits["sha256"].replace(changed, "new bytes"))
    with pytest.raises(GraftError, match=f"of {split} .*1 only in this run and 1 only in 'former"):
        compare_runs(predictions, splits, predictions, changed, PARAMETERS)


def test_changed_labels_are_refused():
    predictions, splits = make_run()
    changed = predictions.assign(label=predictions["label"].replace("cat", "dog"))
    with pytest.raises(GraftError, match="got 29 pictures with another label in 'former'"):
        compare_runs(predictions, splits, changed, splits, PARAMETERS)


def test_other_classes_are_refused():
    predictions, splits = make_run()
    changed = predictions.rename(columns={"probability_cat": "probability_kitten"})
    with pytest.raises(GraftError, match="got 2 that only one has, such as 'cat'"):
        compare_runs(predictions, splits, changed, splits, PARAMETERS)


def test_another_order_of_the_classes_changes_nothing():
    predictions, splits = make_run(0.7)
    turned = predictions[[*predictions.columns[:5], "probability_dog", "probability_cat"]]
    found = compare_runs(predictions, splits, turned, splits, PARAMETERS)["dev"]
    assert found["only_first"] == found["only_second"] == 0


def test_without_a_name_of_another_run_nothing_is_compared():
    nothing = PARAMETERS.model_copy(update={"other": None})
    with pytest.raises(GraftError, match=r"add --params=other=NAME; got no name"):
        compare_runs(*make_run(), *make_run(), nothing)


def test_a_run_may_be_named_by_a_number():
    settings = PARAMETERS.model_dump() | {"other": 2026}
    assert CompareRunsParameters.model_validate(settings).other == "2026"
