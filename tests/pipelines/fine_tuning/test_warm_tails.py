"""The fine-tuning of a warm start: it goes on with the champion's last blocks, and none race."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from graft.datasets import NumpyArrayDataset
from graft.errors import GraftError
from graft.models.freezing import divide_tuned
from graft.models.layer_weights import collect_weights
from graft.parameters.fine_tuning import (
    OF_CUSTOM,
    AugmentationParameters,
    FineTuningParameters,
    find_settings,
)
from graft.pipelines.fine_tuning.folding import compare_on_folds
from graft.pipelines.fine_tuning.nodes import fine_tune, store_boundary_activations
from graft.pipelines.fine_tuning.settling import settle_fine_tuning
from graft.training.backup import TrainingBackup
from helpers.fine_tuning import CLASSES, HEAD, OFF, make_models
from helpers.pictures import trace_images

SETTLED: dict[str, Any] = {"mirroring": {}, "budget": {}}
NO_FOLDS = pd.DataFrame({"runner": pd.Series(dtype="str")})
CUSTOM = FineTuningParameters(
    unfreeze="block3", activation_cache=True, views=0, activation_dtype="float32",
    activation_batch_size=4, augmentation=AugmentationParameters(**OFF), learning_rate=1e-2,
    batch_size=4, epochs=10, patience=10, seed=7,
)  # fmt: skip
BRIEF = CUSTOM.model_copy(update={"epochs": 2})
RACING = FineTuningParameters.model_validate(
    {name: value for name, value in CUSTOM.model_dump().items() if name not in OF_CUSTOM}
    | {"recipe": "auto"}
)
HEAD_ALONE = {"champion": "0123", "model": "frozen", "recipe": {"mirroring": {"is_allowed": True}}}


@pytest.fixture
def images(splits: pd.DataFrame) -> np.ndarray:
    random = np.random.default_rng(0).integers(0, 60, (len(splits), 8, 8, 3))
    return (random + 180 * splits["label_index"].to_numpy()[:, None, None, None]).astype(np.uint8)


class Runs:
    """Fine-tunings of the same pictures, each in a folder of its own."""

    def __init__(self, images: np.ndarray, splits: pd.DataFrame, folder: Path) -> None:
        self.images, self.splits, self.folder, self.count = images, splits, folder, 0

    def tune(self, parameters: FineTuningParameters, *start: object) -> tuple:
        self.count += 1
        folder = self.folder / str(self.count)
        folder.mkdir()
        file = NumpyArrayDataset(filepath=str(folder / "activations.npy"))
        origins = trace_images(self.images)
        file.save(
            store_boundary_activations(
                make_models()[0], self.images, origins, self.splits, None, SETTLED, parameters
            )
        )
        return fine_tune(
            *make_models(), file.load(), self.images, self.splits, CLASSES, SETTLED, NO_FOLDS,
            TrainingBackup(folder / "backup"), folder, parameters, *start,
        )  # fmt: skip

    def go_on(self, parameters: FineTuningParameters, before: tuple) -> tuple:
        classifier, _, recipe, *_ = before
        start = {"champion": "0123", "model": "fine_tuned", "recipe": recipe}
        return self.tune(parameters, start, collect_weights(classifier))


@pytest.fixture
def runs(images, splits, tmp_path: Path) -> Runs:
    return Runs(images, splits, tmp_path)


def differ(one: keras.Model, other: keras.Model) -> list[str]:
    mine, yours = collect_weights(one), collect_weights(other)
    assert mine.keys() == yours.keys()
    return [name for name in mine if not np.array_equal(mine[name], yours[name])]


@pytest.fixture(scope="module")
def known() -> dict[str, tuple]:
    """What :func:`before` and :func:`went_on` have made."""
    return {}


@pytest.fixture
def before(runs: Runs, known) -> tuple:
    """A fine-tuning without a warm start, which tests only read."""
    if "before" not in known:
        known["before"] = runs.tune(BRIEF)
    return known["before"]


@pytest.fixture
def went_on(runs: Runs, before, known) -> tuple:
    """The warm start from it, by the whole recipe."""
    if "went_on" not in known:
        known["went_on"] = runs.go_on(CUSTOM, before)
    return known["went_on"]


def test_it_begins_where_the_champion_ended_and_keeps_its_trunk(before, went_on) -> None:
    classifier, history, recipe, race, _ = went_on
    # A fifth of ten epochs.
    assert history["epoch"].tolist() == [0, 1, 2]
    assert history["dev_loss"].iloc[0] == pytest.approx(before[1]["dev_loss"].min(), rel=1e-4)
    assert history["kept"].sum() == 1
    assert history["dev_loss"].iloc[2] < history["dev_loss"].iloc[0]
    assert {name.partition("/")[0] for name in differ(classifier, before[0])} == {
        "block3_conv1", "probabilities"
    }  # fmt: skip
    assert divide_tuned(classifier)[0].output_shape == divide_tuned(before[0])[0].output_shape
    assert (recipe["recipe"], recipe["unfreeze"], race.empty) == ("custom", "block3", True)


def test_other_stages_train_by_the_whole_recipe(went_on) -> None:
    recipe = went_on[2]
    assert recipe["parameters"]["epochs"] == 10
    assert recipe["warm_start"]["epochs"] == 2
    assert find_settings(RACING, recipe).epochs == 10


def test_where_dev_finds_nothing_better_the_champion_stays(runs: Runs, before) -> None:
    labels, is_train = runs.splits["label_index"], runs.splits["split"] == "train"
    runs.splits = runs.splits.assign(label_index=labels.where(~is_train, 1 - labels))
    classifier, history, *_ = runs.go_on(CUSTOM, before)
    assert history.loc[history["kept"], "epoch"].tolist() == [0]
    assert differ(classifier, before[0]) == []


@pytest.mark.parametrize("parameters", [RACING, CUSTOM], ids=["auto", "custom"])
def test_a_champion_that_is_a_head_goes_no_deeper(runs: Runs, parameters) -> None:
    classifier, history, recipe, race, curves = runs.tune(parameters, HEAD_ALONE, {"any": 0})
    assert (recipe["recipe"], recipe["unfreeze"]) == ("head", "none")
    assert history.empty
    assert race.empty
    assert curves.empty
    backbone, head = make_models()
    expected = {**collect_weights(backbone), **collect_weights(head)}
    for name, weight in collect_weights(classifier).items():
        np.testing.assert_array_equal(weight, expected[name])


def test_another_recipe_is_refused(runs: Runs, before) -> None:
    with pytest.raises(GraftError, match=r"fine_tuning\.recipe=custom, .* got .* 'auto'$"):
        runs.go_on(RACING, before)


def test_nothing_is_asked_of_dev_or_folds_that_was_settled_before(images, splits) -> None:
    nothing: Any = None
    settled = settle_fine_tuning(
        nothing, nothing, nothing, images, splits, CLASSES, nothing, RACING, HEAD_ALONE
    )
    assert settled == {"mirroring": {"is_allowed": True}, "budget": {}}
    folds = compare_on_folds(
        nothing, nothing, nothing, images, splits, CLASSES, settled, nothing, HEAD, RACING,
        HEAD_ALONE,
    )  # fmt: skip
    assert folds.empty


def test_without_a_champion_it_is_trained_as_ever(runs: Runs, before) -> None:
    warm = runs.tune(BRIEF, {"champion": None}, {})
    assert differ(before[0], warm[0]) == []
    assert before[2] == warm[2]
