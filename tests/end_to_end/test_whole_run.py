"""The whole way, from pictures to report, as a user goes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from helpers.killing import hash_outputs
from helpers.projects import FinishedRun

SMALL = (
    "backbone.name=small_cnn,weights=printed_letters,image_size=32,head_training.epochs=3,"
    "head_training.patience=3,evaluation.bootstrap_draws=50"
)
# Where fine-tuning is not what a test is about.
HEAD_ALONE = f"{SMALL},fine_tuning.recipe=custom,fine_tuning.unfreeze=none"

_RECORDS = {".locks", ".state"}


def test_the_test_environment_goes_from_pictures_to_report(finished_run: FinishedRun) -> None:
    project = finished_run.project
    metrics = json.loads((project / "data/08_reporting/test/metrics.json").read_text())
    splits = pd.read_parquet(project / "data/03_primary/test/splits.parquet")
    comparison = json.loads((project / "data/08_reporting/test/comparison.json").read_text())
    # Of test the chosen model alone is shown, and this is the one look.
    assert [model for model in metrics if "test" in metrics[model]] == [comparison["chosen"]]
    looks = json.loads((project / "data/08_reporting/test/test_evaluations.json").read_text())
    assert [look["model"] for look in looks] == [comparison["chosen"]]
    test = metrics[comparison["chosen"]]["test"]
    assert test["n"] == (splits["split"] == "test").sum() == 40
    assert 0.5 < test["accuracy"]["low"] < test["accuracy"]["value"] <= test["accuracy"]["high"]
    report = (project / "data/08_reporting/test/report.html").read_text()
    assert f"{100 * test['accuracy']['value']:.1f} %" in report


def test_a_run_tells_what_a_newcomer_wants_to_know_in_this_order(finished_run: FinishedRun) -> None:
    out = finished_run.out
    expected = ["Found ", "Quarantined ", "Split ", "Head ", "Tuned ", "Report ", "Next"]
    assert sorted(expected, key=out.index) == expected
    assert out.index("Tuned ") < out.index("accuracy ", out.index("On ")) < out.index("Report ")
    assert max(map(len, out.splitlines())) <= 80
    table = [line for line in out.splitlines() if " – " in line]
    assert len(table) == 6  # five of the chosen model, the accuracy of one class always
    assert max(map(len, table)) <= 80


def test_a_run_prints_no_warnings(finished_run: FinishedRun) -> None:
    assert finished_run.err == ""
    assert "arning" not in finished_run.out


def test_two_runs_give_the_same_bytes(
    project: Path, finished_run: FinishedRun, run_kedro: Callable
) -> None:
    # The one in a process of its own, the other after whatever tests came before it in this one.
    assert run_kedro("--env=test").code == 0
    first, second = hash_outputs(finished_run.project), hash_outputs(project)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_run_that_reads_what_another_has_made_gives_the_same_bytes(
    finished_project: Path, finished_run: FinishedRun, run_kedro: Callable
) -> None:
    # After a kill networks come from their files; undisturbed, nodes hand them on in memory.
    for name in ("frozen/classifier", "fine_tuned/classifier", "chosen_classifier"):
        (finished_project / f"data/06_models/test/{name}.keras").unlink()
        assert run_kedro("--env=test").code == 0
    first, second = hash_outputs(finished_run.project), hash_outputs(finished_project)
    assert [name for name in first if first[name] != second.get(name)] == []


def test_a_finished_project_needs_nothing_wherever_it_lies(
    finished_project: Path, run_kedro: Callable
) -> None:
    assert "nothing to do" in run_kedro("--env=test").out


def test_ones_own_folder_gives_a_classifier_and_a_failing_run_after_it_loses_nothing(
    project: Path, flowers: Path, run_kedro: Callable
) -> None:
    (flowers / "rose" / "broken.jpg").write_bytes((flowers / "fern/0.jpg").read_bytes()[:200])
    (flowers / "fern" / "empty.jpg").touch()
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in flowers.rglob("*.*")}
    parameters = f"source={flowers},{HEAD_ALONE}"
    outcome = run_kedro("--env=own_pictures", "--params", parameters)
    assert outcome.code == 0, outcome.err
    data = project / "data"

    # Keras alone can use it.
    models = data / "06_models/own_pictures"
    classifier = keras.models.load_model(models / "frozen/classifier.keras")
    probabilities = classifier.predict(np.zeros((2, 32, 32, 3), np.uint8), verbose=0)
    names = json.loads((data / "03_primary/own_pictures/class_names.json").read_text())
    assert names == ["fern", "rose"]
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)

    # A broken picture stops nothing and trains nothing.
    quarantined = pd.read_csv(data / "02_intermediate/own_pictures/quarantined_images.csv")
    assert set(quarantined["image_id"]) == {"rose/broken.jpg", "fern/empty.jpg"}
    assert quarantined["reason"].str.len().min() > 5
    splits = pd.read_parquet(data / "03_primary/own_pictures/splits.parquet")
    assert not set(splits["image_id"]) & set(quarantined["image_id"])
    assert (
        "2 quarantined in data/02_intermediate/own_pictures/quarantined_images.csv" in outcome.out
    )

    # The pictures of the user are left as they are.
    after = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in flowers.rglob("*.*")}
    assert before == after

    # A failing run loses nothing that was made. The lock and the known hashes are no outputs:
    # every run writes them.
    files = [path for path in data.rglob("*") if path.is_file()]
    kept = {path: path.read_bytes() for path in files if path.parent.name not in _RECORDS}
    outcome = run_kedro("--env=own_pictures", "--params", f"{parameters},backbone.name=Nonsense")
    assert outcome.code == 1
    assert {path: path.read_bytes() for path in kept} == kept


@pytest.mark.slow
def test_few_shot_compares_frozen_with_from_scratch(
    finished_project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro("--env=test", "--pipelines=few_shot")
    assert outcome.code == 0, outcome.err
    data = finished_project / "data"
    results = pd.read_csv(data / "07_model_output/test/few_shot_results.csv")
    assert results["labels_per_class"].tolist() == [1, 1, 2, 2]
    assert results["frozen"].between(0, 1).all()
    assert results["from_scratch"].between(0, 1).all()


SLOW = pytest.mark.slow
JUDGED = (
    "ingestion,splitting,decoding,feature_extraction,head_training,fine_tuning,selection,evaluation"
)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("count", "quick", "stages"),
    [
        # Thirty of dev are the fewest that the race takes without folds.
        (150, ",image_size=96,fine_tuning.budget=20", JUDGED),
        pytest.param(240, ",image_size=160,fine_tuning.budget=20", "__default__", marks=SLOW),
        pytest.param(1200, "", "__default__", marks=SLOW),
    ],
)
def test_cats_and_dogs_reach_their_bar(
    count: int,
    quick: str,
    stages: str,
    project: Path,
    shared: Path,
    tmp_path: Path,
    run_kedro: Callable,
) -> None:
    """From real pictures to figures; `make test` takes the fewest and smallest that race."""
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    pictures = sorted((shared / "data/cats_vs_dogs").glob("*.jpg"))
    (tmp_path / "some").mkdir()
    for path in pictures[:: len(pictures) // count]:
        shutil.copy(path, tmp_path / "some")
    outcome = run_kedro(
        "--env=cats_vs_dogs",
        f"--pipelines={stages}",
        "--params",
        f"source={tmp_path / 'some'},weights={weights},evaluation.show_all_candidates=true{quick}",
    )
    assert outcome.code == 0, outcome.err
    metrics = json.loads((project / "data/08_reporting/cats_vs_dogs/metrics.json").read_text())
    assert metrics["frozen"]["test"]["n"] == count // 5
    assert metrics["frozen"]["test"]["accuracy"]["value"] >= (0.97 if count == 1200 else 0.92)
    # Near what the backbone knows the race keeps the head, or what is no worse.
    tuned = metrics["fine_tuned"]["test"]["accuracy"]["value"]
    assert tuned >= metrics["frozen"]["test"]["accuracy"]["value"] - 0.005
    race = pd.read_csv(project / "data/06_models/cats_vs_dogs/recipe_race.csv")
    assert race["runner"].tolist() == ["head", "last_block"]
