"""Where dev is too small to choose by, folds of train and dev say which recipe is trained."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graft.analysis import clusters
from graft.datasets import NumpyArrayDataset
from graft.parameters.fine_tuning import FineTuningParameters
from graft.pipelines.fine_tuning import folding
from graft.pipelines.fine_tuning.folding import choose_by_folds, compare_on_folds
from graft.pipelines.fine_tuning.nodes import fine_tune, store_boundary_activations
from graft.training import tuning_recipes
from graft.training.backup import TrainingBackup
from graft.training.tuning_recipes import Recipe
from helpers import fine_tuning as fine_tuning_helpers
from helpers.fine_tuning import CLASSES, HEAD, OFF, extract, make_models, train_head
from helpers.pictures import trace_images

SETTLED: dict = {"mirroring": {}, "budget": {}}
RACING = FineTuningParameters(
    recipe="auto", activation_cache=True, activation_dtype="float32", activation_batch_size=8,
    augmentation=OFF, batch_size=4, seed=7,
)  # fmt: skip


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recipes as the real ones, of a few steps."""
    few = (
        Recipe("head", "none"),
        Recipe("last_block", 1, augmentation=0.0, epochs=4, steps=12),
        Recipe("all", "all", epochs=5, steps=15, learning_rate=1e-2),
    )
    monkeypatch.setattr(tuning_recipes, "RECIPES", few)


@pytest.fixture
def images(splits: pd.DataFrame) -> np.ndarray:
    """Pictures in which classes lie so that the head alone names them."""
    random = np.random.default_rng(0).integers(0, 60, (len(splits), 8, 8, 3))
    return (random + 180 * splits["label_index"].to_numpy()[:, None, None, None]).astype(np.uint8)


def compare(images, splits, folder: Path, parameters=RACING) -> tuple:
    """The folds, and what the nodes before them made."""
    features = extract(images, splits, folder)
    file = NumpyArrayDataset(filepath=str(folder / "activations.npy"))
    file.save(
        store_boundary_activations(
            make_models()[0], images, trace_images(images), splits, None, SETTLED, parameters
        )
    )
    stored, backup = file.load(), TrainingBackup(folder / "backup", seconds=0)
    folds = compare_on_folds(
        make_models()[0], features, stored, images, splits, CLASSES, SETTLED, backup, HEAD,
        parameters,
    )  # fmt: skip
    return folds, features, stored


@pytest.mark.slow
def test_every_picture_of_train_and_dev_is_measured_where_it_was_not_trained_on(
    images, splits, tmp_path, monkeypatch, caplog
) -> None:
    sides = []
    make = folding.make_pools

    def note(*given):
        sides.append(given[-1])
        return make(*given)

    monkeypatch.setattr(folding, "make_pools", note)
    with caplog.at_level(logging.INFO):
        folds, features, stored = compare(images, splits, tmp_path)
    used = splits.loc[splits["split"] != "test", "image_id"].tolist()
    for _, table in folds.groupby("runner"):
        assert table["image_id"].tolist() == used
    for train, measured in sides:
        assert set(train) <= set(range(14))
        assert not set(train) & set(measured) or list(train) == list(measured)
    assert {len(measured) for train, measured in sides if list(train) != list(measured)} <= {4, 5}
    told = " ".join(" ".join(record.getMessage().split()) for record in caplog.records)
    assert "dev has 4 pictures in 4 groups, fewer than 30" in told
    assert "compared on 3 folds of train and dev" in told

    # A comparison that was killed goes on from its backups: nothing is trained twice.
    with monkeypatch.context() as patch:
        patch.setattr("graft.training.fitting._run", None)
        again, *_ = compare(images, splits, tmp_path)
    pd.testing.assert_frame_equal(folds, again)

    # All are right: the head is the cheapest, and nothing is trained for it.
    assert folds.groupby("runner")["right"].mean().to_dict()["head"] == 1
    assert "all" not in folds["runner"].tolist()
    _, _, recipe, table, _ = fine_tune(
        make_models()[0], train_head(features, splits), stored, images, splits, CLASSES, SETTLED,
        folds, TrainingBackup(tmp_path / "other"), tmp_path, RACING,
    )  # fmt: skip
    assert (recipe["recipe"], recipe["chosen_on"], recipe["chosen_among"]) == ("head", "folds", 2)
    assert table["measured_on"].tolist() == ["folds", "folds", "dev"]
    assert table["kept"].tolist() == [False, False, True]


@pytest.mark.slow
def test_the_deep_one_is_chosen_where_the_features_say_nothing(
    splits, tmp_path, monkeypatch
) -> None:
    make_seeing = make_models

    def make_blind():
        backbone, head = make_seeing()
        first = next(layer for layer in backbone.layers if "conv" in layer.name)
        first.set_weights([0 * weights for weights in first.get_weights()])
        return backbone, head

    deep = [recipe for recipe in tuning_recipes.RECIPES if recipe.name != "last_block"]
    monkeypatch.setattr(folding, "list_recipes", lambda _: deep)
    for module in (fine_tuning_helpers, sys.modules[__name__]):
        monkeypatch.setattr(module, "make_models", make_blind)
    many = pd.concat([splits[splits["split"] != "test"]] * 5, ignore_index=True)
    many["image_id"] = [f"{number:02d}.png" for number in range(len(many))]
    many["cluster"] = np.arange(len(many))
    many["split"] = np.where(np.arange(len(many)) < 50, "train", "dev")
    random = np.random.default_rng(0).integers(0, 60, (len(many), 8, 8, 3)).astype(np.uint8)
    random[many["label_index"] == 1, :4] += 180
    folds, *_ = compare(random, many, tmp_path)
    accuracy = folds.groupby("runner")["right"].mean()
    assert accuracy["head"] < 0.7 < accuracy["all"]
    assert set(folds.loc[folds["runner"] == "all", "rung"]) == {0.2}
    assert choose_by_folds(folds) == "all"


def test_a_dev_that_is_large_enough_or_a_recipe_that_is_named_is_not_compared(
    images, splits, tmp_path, monkeypatch
) -> None:
    named = RACING.model_copy(update={"recipe": "last_block"})
    assert compare(images, splits, tmp_path, named)[0].empty
    monkeypatch.setattr(clusters, "FEW_CLUSTERS", 4)
    assert compare(images, splits, tmp_path)[0].empty
