"""Fine-tuning as a user meets it: mistakes in one line, two runs with the same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from graft.models.augmentation import PictureAugmenter
from graft.models.backbones import build_backbone
from graft.models.freezing import cut_classifier
from graft.models.heads import build_head
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.training import HeadTrainingParameters
from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader
from graft.training.fitting import fit
from graft.training.views import FreshViews, ViewPools

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run_stage(run_kedro: Callable, finished_project: Path) -> Callable:
    """Runs the stage in the test environment, after the stages before it."""
    for made in finished_project.glob("data/0*/test"):
        for left in (*made.glob("fine_tuned"), *made.glob("*boundary*")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()

    def run(*parameters: str):
        given = ("--params", ",".join(f"fine_tuning.{name}" for name in parameters))
        return run_kedro("--env=test", "--pipelines=fine_tuning", *(given if parameters else ()))

    return run


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("views=-1", "fine_tuning: views: Input should be greater than or equal to 0; got -1"),
        ("learning_rate=0", "learning_rate: Input should be greater than 0; got 0"),
        ("patience=0", "patience: Input should be greater than 0; got 0"),
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
    assert not (project / "data/06_models/test/fine_tuned/classifier.keras").exists()


@pytest.mark.slow
def test_two_runs_give_the_same_bytes(run_stage: Callable, project: Path) -> None:
    def run() -> list[bytes]:
        outcome = run_stage()
        assert outcome.code == 0, outcome.err
        assert outcome.err == ""
        data = project / "data"
        classifier = keras.models.load_model(
            data / "06_models/test/fine_tuned/classifier.keras", compile=False
        )
        return [
            (data / "05_model_input/test/boundary_activations.npy").read_bytes(),
            (data / "06_models/test/fine_tuned/history.csv").read_bytes(),
            *(weights.tobytes() for weights in classifier.get_weights()),
        ]

    first = run()
    for backup in (project / "data/06_models/test/fine_tuned/backup").glob("*.npz"):
        backup.unlink()
    assert run() == first


@pytest.mark.slow
def test_none_leaves_the_stage_out_of_the_whole_run(project: Path, run_kedro: Callable) -> None:
    outcome = run_kedro("--env=test", "--params", "fine_tuning.unfreeze=none")
    assert outcome.code == 0, outcome.err
    reporting = project / "data/08_reporting/test"
    assert set(json.loads((reporting / "metrics.json").read_text())) == {"frozen"}
    assert json.loads((reporting / "comparison.json").read_text())["pairs"] == []
    assert "Is fine-tuning worth it?" not in (reporting / "report.html").read_text()
    assert (project / "data/06_models/test/frozen/classifier.keras").exists()
    assert not (project / "data/06_models/test/fine_tuned").exists()


def read_parameters(env: str) -> dict[str, dict]:
    loader = TextKeepingConfigLoader(str(ROOT / "conf"), env=env, **CONFIG_LOADER_ARGS)
    return loader["parameters"]


@pytest.mark.parametrize(
    ("env", "unfreeze"),
    [("inception_frozen", "none"), ("inception_all", "all"), ("house_rooms", 2)],
)
def test_the_experiments_of_the_tutorials_are_environments(env: str, unfreeze: object) -> None:
    parameters = read_parameters(env)
    tuning = FineTuningParameters.model_validate(parameters["fine_tuning"])
    head = HeadTrainingParameters.model_validate(parameters["head_training"])
    assert tuning.unfreeze == unfreeze
    if env == "house_rooms":
        assert (head.learning_rate, head.patience) == (1e-3, 10)
        assert (tuning.learning_rate, tuning.patience) == (1e-5, 20)
    else:
        assert parameters["backbone"]["name"] == "InceptionV3"
        assert parameters["decoding"]["image_size"] == 200
        assert (head.hidden_units, head.dropout, head.epochs) == (256, 0.5, 5)


@pytest.mark.slow
def test_all_of_inception_is_trained_with_random_weights_on_few_pictures() -> None:
    # Its ImageNet weights are not at hand where these tests run.
    parameters = read_parameters("inception_all")
    settings = FineTuningParameters.model_validate(
        parameters["fine_tuning"] | {"epochs": 1, "patience": 1}
    )
    backbone = build_backbone("InceptionV3", 75, "random", seed=0)
    head = build_head(2048, 2, 0.5, 0.0, seed=0, hidden_units=256)
    # Through a last layer of zeros no gradient would reach the backbone in the only step.
    head.layers[-1].kernel.assign(np.random.default_rng(0).normal(size=(256, 2)))
    cut = cut_classifier(backbone, head, settings.unfreeze)
    pictures = np.random.default_rng(0).integers(0, 256, (4, 75, 75, 3), dtype=np.uint8)
    labels = np.array([0, 1, 0, 1])
    augmenter = PictureAugmenter(settings.augmentation, 75)
    views = FreshViews(pictures.__getitem__, np.arange(4), augmenter)
    pools = ViewPools(views, labels, np.ones(4, np.float32))
    before = [np.array(variable) for variable in cut.whole.trainable_variables]
    history = fit(cut.whole, pools, pools, settings)
    assert len(history) == 1
    moved = [
        not np.array_equal(mine, variable)
        for mine, variable in zip(before, cut.whole.trainable_variables, strict=True)
    ]
    assert sum(moved) > 90
    assert cut.whole.count_params() == 21_802_784 + 2048 * 256 + 256 + 256 * 2 + 2
