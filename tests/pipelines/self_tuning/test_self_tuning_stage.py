"""Fine-tuning on pictures without a label: a student by its teacher's recipe, and dev decides."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureBlock, FeatureShardsDataset, FeatureTable
from graft.models.heads import join_classifier
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.self_learning import SelfTrainingParameters
from graft.pipelines.self_tuning.nodes import tune_on_unlabelled
from graft.training.backup import TrainingBackup
from helpers.classifiers import build_undecided
from helpers.fine_tuning import OFF, extract, make_models, train_head

TUNING = FineTuningParameters(
    unfreeze="all", learning_rate=1e-3, epochs=3, activation_cache=True, keep="accuracy",
    activation_dtype="float32", activation_batch_size=8, augmentation=OFF, batch_size=4, seed=7,
)  # fmt: skip
PARAMETERS = SelfTrainingParameters(
    pictures=500, folds=3, refused_share=0.0, neighbours=1, confidence=0.6, seed=0
)
POOL = pd.DataFrame({"image_id": [f"new/{number}" for number in range(12)]})


def draw_pictures(labels: np.ndarray, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed).integers(0, 60, (len(labels), 8, 8, 3))
    return (random + 180 * labels[:, None, None, None]).astype(np.uint8)


@dataclass(frozen=True)
class Given:
    """What the stages before have made, which no test changes."""

    images: np.ndarray
    pixels: np.ndarray
    backbone: keras.Model
    head: keras.Model
    features: FeatureTable
    pool: FeatureTable


def prepare(splits: pd.DataFrame, folder: Path) -> Given:
    images = draw_pictures(splits["label_index"].to_numpy(), seed=0)
    pixels = draw_pictures(np.arange(12) % 2, seed=1)
    backbone, _ = make_models()
    features = extract(images, splits, folder)
    keys = POOL.assign(image_sha256=POOL["image_id"], view=np.int16(0))
    pool = FeatureShardsDataset(filepath=str(folder / "unlabelled"))
    pool.save([FeatureBlock(keys, backbone.predict(pixels, verbose=0))])
    head = train_head(features, splits)
    return Given(images, pixels, backbone, head, features, pool.load())


@pytest.fixture(scope="module")
def known() -> list[Given]:
    """What :func:`prepare` has made, once it was asked."""
    return []


@pytest.fixture
def tune(splits: pd.DataFrame, known, tmp_path: Path, tmp_path_factory):
    """Function that runs the stage with a teacher, and gives back teacher and outputs."""
    if not known:
        known.append(prepare(splits, tmp_path_factory.mktemp("given")))
    (given,) = known

    def run(
        teacher: keras.Model | None = None, tuning=TUNING, parameters=PARAMETERS, sharpness=1.0
    ):
        if teacher is None:
            own = keras.models.clone_model(given.head)
            own.set_weights([sharpness * weights for weights in given.head.get_weights()])
            teacher = join_classifier(make_models()[0], own)
        recipe = {"recipe": "custom", "parameters": tuning.model_dump(mode="json")}
        made = tune_on_unlabelled(
            given.backbone, given.head, teacher, recipe, given.images, given.features, splits,
            given.pixels, given.pool, POOL, TrainingBackup(tmp_path / "backup", seconds=0), tuning,
            parameters,
        )  # fmt: skip
        return teacher, *made

    return run


def test_a_student_learns_from_what_its_teacher_is_sure_of_and_a_better_teacher_stays(
    tune, caplog
) -> None:
    caplog.set_level("INFO")
    # The teacher is right, and so sure of it that nobody can be better.
    teacher, classifier, history, verdict = tune(sharpness=1000)
    assert verdict["used"] + verdict["left_out"] + verdict["unsure"] == len(POOL)
    assert verdict["used"] > 6
    assert [way["way"] for way in verdict["ways"]] == ["teacher", "fine_tuned_student"]
    assert len(history) == 3
    assert history["kept"].sum() == 1
    assert classifier is teacher
    assert verdict["verdict"] == "no gain"
    assert "Self-tuned" in caplog.text


def test_a_teacher_that_is_worse_on_dev_does_not_stay(tune) -> None:
    # Wrong, but not sure of it.
    any_answer = PARAMETERS.model_copy(update={"confidence": 0.0})
    teacher, classifier, _, verdict = tune(sharpness=-0.01, parameters=any_answer)
    assert classifier is not teacher
    assert classifier.output_shape == (None, 2)
    assert verdict["verdict"] == "gained"


def test_without_a_sure_answer_nothing_is_trained(tune) -> None:
    undecided = build_undecided((8, 8, 3), 2)
    teacher, classifier, history, verdict = tune(undecided)
    assert classifier is teacher
    assert history.empty
    assert (verdict["used"], verdict["unsure"]) == (0, len(POOL) - verdict["left_out"])


def test_where_the_head_alone_was_kept_there_is_no_fine_tuning_to_learn(tune) -> None:
    teacher, classifier, history, verdict = tune(
        tuning=TUNING.model_copy(update={"unfreeze": "none"})
    )
    assert classifier is teacher
    assert history.empty
    assert verdict["sentence"].startswith("No fine-tuning learnt")
