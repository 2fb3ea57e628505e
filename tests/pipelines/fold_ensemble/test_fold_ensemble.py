"""The ensemble of folds: a head a fold, dev unseen, and the mean answers from pictures as well."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.models.heads import average_heads, build_head
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.candidates import measure_cost
from graft.pipelines.fold_ensemble.nodes import train_fold_heads
from graft.pipelines.fold_ensemble.parameters import FoldEnsembleParameters
from graft.training.backup import TrainingBackup

HEAD = HeadTrainingParameters(
    dropout=0.2, learning_rate=0.2, batch_size=4, epochs=6, patience=6, seed=0
)
FOLDS = FoldEnsembleParameters(folds=2, seed=0)


def _build_backbone() -> keras.Model:
    pictures = keras.Input((2, 2, 3), dtype="uint8", name="pixels")
    numbers = keras.layers.Rescaling(1 / 255, name="rescaling")(pictures)
    return keras.Model(pictures, keras.layers.Flatten(name="flat")(numbers)[:, :4])


def _train(
    tmp_path: Path, features: FeatureTable, splits: pd.DataFrame
) -> tuple[keras.Model, keras.Model, pd.DataFrame]:
    return train_fold_heads(
        features, _build_backbone(), splits, ["dark", "light"], TrainingBackup(tmp_path), HEAD,
        FOLDS,
    )  # fmt: skip


@pytest.fixture(scope="module")
def known() -> list[tuple[keras.Model, keras.Model, pd.DataFrame]]:
    """The training of :func:`trained`, once it was made."""
    return []


@pytest.fixture
def trained(
    known, tmp_path_factory: pytest.TempPathFactory, features: FeatureTable, splits: pd.DataFrame
) -> tuple[keras.Model, keras.Model, pd.DataFrame]:
    """Heads, their classifier and the history, which tests only read."""
    if not known:
        known.append(_train(tmp_path_factory.mktemp("trained"), features, splits))
    return known[0]


def test_the_mean_of_all_heads_answers(
    trained, tmp_path: Path, features: FeatureTable, splits: pd.DataFrame
) -> None:
    heads, classifier, history = trained
    assert history["epoch"].tolist() == list(range(1, 7))
    found = heads.predict(features.read(splits["image_id"]), verbose=0)
    assert (found.argmax(axis=1) == splits["label_index"]).mean() > 0.75
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    # Two heads of 4 × 2 weights and 2 biases: its cost is told as of any candidate.
    assert measure_cost(heads)["parameters"] == 2 * 10
    pictures = np.random.default_rng(0).integers(0, 256, (5, 2, 2, 3), dtype=np.uint8)
    vectors = pictures.reshape(5, -1)[:, :4].astype(np.float32) / 255
    np.testing.assert_allclose(
        classifier.predict(pictures, verbose=0), heads.predict(vectors, verbose=0), rtol=1e-5
    )
    place = tmp_path / "classifier.keras"
    classifier.save(place)
    loaded = keras.saving.load_model(place)
    np.testing.assert_array_equal(
        loaded.predict(pictures, verbose=0), classifier.predict(pictures, verbose=0)
    )


def test_no_head_sees_dev_or_test(
    trained, tmp_path: Path, features: FeatureTable, splits: pd.DataFrame
) -> None:
    lies = splits.copy()
    lies.loc[lies["split"] != "train", "label_index"] = 0
    second, _, _ = _train(tmp_path, features, lies)
    for mine, theirs in zip(trained[0].get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_mean_is_that_of_the_heads() -> None:
    heads = [build_head(3, 2, 0.5, 0.0, seed, hidden_units=2) for seed in range(2)]
    for head in heads:
        head.layers[-1].set_weights([np.full((2, 2), [1.0, -1.0]), np.zeros(2)])
    vectors = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    expected = np.mean([head.predict(vectors, verbose=0) for head in heads], axis=0)
    mean = average_heads(heads).predict(vectors, verbose=0)
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_one_group_makes_no_folds(
    tmp_path: Path, features: FeatureTable, splits: pd.DataFrame
) -> None:
    with pytest.raises(GraftError, match=r"leave frozen_folds out of candidates; got 1 groups"):
        _train(tmp_path, features, splits.assign(cluster=7))
