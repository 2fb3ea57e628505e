"""Fine-tuning as a user meets it: mistakes in one line, two runs with the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

SMALL = "ingestion,splitting,decoding,feature_extraction,head_training"


@pytest.fixture
def run_stage(run_kedro: Callable) -> Callable:
    """Runs the stage in the test environment, after the stages before it."""
    assert run_kedro("--env=test", f"--pipelines={SMALL}").code == 0

    def run(*parameters: str):
        given = ("--params", ",".join(f"fine_tuning.{name}" for name in parameters))
        return run_kedro("--env=test", "--pipelines=fine_tuning", *(given if parameters else ()))

    return run


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("views=-1", "fine_tuning: views: Input should be greater than or equal to 0; got -1"),
        ("learning_rate=0", "learning_rate: Input should be greater than 0; got 0"),
        ("patience=9", "patience is longer than the training"),
        ("unfreze=all", "did you mean 'unfreeze'?"),
        ("augmentation.rotate=3", "rotate"),
    ],
)
def test_a_wrong_parameter_fails_before_any_picture_is_read(
    parameters: str, message: str, project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro("--env=test", "--params", f"fine_tuning.{parameters}")
    assert outcome.code == 1
    assert message in outcome.error
    assert not (project / "data").exists()


def test_mistakes_that_only_the_backbone_shows_are_told_in_one_line(
    run_stage: Callable, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = run_stage("unfreeze=blok3").error
    assert "unknown block; did you mean 'block3'? allowed are block1, block2, block3" in error
    error = run_stage("unfreeze=block2_conv1").error
    assert "a layer inside the block block2" in error
    assert "has 3 blocks" in run_stage("unfreeze=4").error
    usage = SimpleNamespace(free=1000)
    monkeypatch.setattr("graft.datasets.arrays.shutil.disk_usage", lambda _: usage)
    error = run_stage().error
    assert "the disk is too small for 'boundary_activations.npy': it needs 0.2 MB" in error
    assert not (project / "data/06_models/test/fine_tuned_classifier.keras").exists()


def test_two_runs_give_the_same_bytes(run_stage: Callable, project: Path) -> None:
    def run() -> list[bytes]:
        outcome = run_stage()
        assert outcome.code == 0, outcome.err
        assert outcome.err == ""
        data = project / "data"
        classifier = keras.models.load_model(
            data / "06_models/test/fine_tuned_classifier.keras", compile=False
        )
        return [
            (data / "05_model_input/test/boundary_activations.npy").read_bytes(),
            (data / "06_models/test/fine_tuning_history.csv").read_bytes(),
            *(weights.tobytes() for weights in classifier.get_weights()),
        ]

    first = run()
    for backup in (project / "data/06_models/test/fine_tuning_backup").glob("*.npz"):
        backup.unlink()
    assert run() == first


def test_none_leaves_the_stage_out_of_the_whole_run(project: Path, run_kedro: Callable) -> None:
    outcome = run_kedro("--env=test", "--params", "fine_tuning.unfreeze=none")
    assert outcome.code == 0, outcome.err
    reporting = project / "data/08_reporting/test"
    assert set(json.loads((reporting / "metrics.json").read_text())) == {"frozen"}
    assert json.loads((reporting / "comparison.json").read_text()) == {}
    assert "Frozen or fine-tuned" not in (reporting / "report.html").read_text()
    frozen, tuned = (
        keras.models.load_model(project / f"data/06_models/test/{name}.keras", compile=False)
        for name in ("frozen_classifier", "fine_tuned_classifier")
    )
    for mine, yours in zip(frozen.get_weights(), tuned.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, yours)


@pytest.mark.parametrize("env", ["inception_frozen", "inception_all"])
def test_the_experiments_with_inception_run_on_few_pictures_with_random_weights(
    env: str, project: Path, tmp_path: Path, write_picture: Callable, run_kedro: Callable
) -> None:
    for number in range(6):
        write_picture(tmp_path / "pets" / f"cat.{number}.jpg", (200 + number, 40, 60))
        write_picture(tmp_path / "pets" / f"dog.{number}.jpg", (30, 150 + number, 50))
    outcome = run_kedro(
        f"--env={env}",
        "--params",
        f"source={tmp_path / 'pets'},weights=random,image_size=75,head_training.epochs=1,"
        "head_training.patience=1,fine_tuning.epochs=1,fine_tuning.patience=1,"
        "evaluation.bootstrap_draws=10",
    )
    assert outcome.code == 0, outcome.err
    history = pd.read_csv(project / f"data/06_models/{env}/fine_tuning_history.csv")
    assert len(history) == (1 if env == "inception_all" else 0)
    classifier = keras.models.load_model(
        project / f"data/06_models/{env}/fine_tuned_classifier.keras", compile=False
    )
    assert classifier.count_params() == 21_802_784 + 2048 * 256 + 256 + 256 * 2 + 2
