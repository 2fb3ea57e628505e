"""Folds of the cross-validation: test left out, each fold measured once and never stopped by."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graft.errors import GraftError
from graft.pipelines.cross_validation.parameters import CrossValidationParameters
from graft.pipelines.cross_validation.trainings import make_folds

CLASSES = ["dark", "light"]
PARAMETERS = CrossValidationParameters(folds=4, fine_tuning=False, confidence=0.95, seed=0)


def make_splits(count: int = 40) -> pd.DataFrame:
    numbers = np.arange(count)
    is_test = numbers >= count - 8
    return pd.DataFrame(
        {
            "image_id": [f"{number}.png" for number in numbers],
            "label_index": numbers % 2,
            "cluster": numbers // 4 * 2 + numbers % 2,  # two pictures of a class each
            "split": np.where(is_test, "test", "train"),
            "fold": np.where(is_test, -1, numbers // 8),
        }
    )


def list_folds(splits: pd.DataFrame, **changes):
    return [*make_folds(splits, CLASSES, PARAMETERS.model_copy(update=changes))]


@pytest.mark.parametrize("folds", [3, 4, None])
def test_every_picture_but_those_of_test_is_measured_once(folds) -> None:
    splits = make_splits()
    made = list_folds(splits, folds=folds)
    assert len(made) == (folds or 4)
    measured = np.concatenate([fold.measure for fold in made])
    assert sorted(measured) == [*range(32)]
    for fold in made:
        parts = [fold.train, fold.stop, fold.measure]
        assert sorted(np.concatenate(parts)) == [*range(32)]
        clusters = [set(splits["cluster"].iloc[part]) for part in parts]
        assert not (
            clusters[0] & clusters[1] | clusters[1] & clusters[2] | clusters[0] & clusters[2]
        )


def test_folds_may_be_those_of_the_splits() -> None:
    splits = make_splits()
    for fold in list_folds(splits, folds=None):
        assert set(splits["fold"].iloc[fold.measure]) == {fold.number}


def test_a_class_with_fewer_clusters_than_folds_is_refused_with_what_is_possible() -> None:
    splits = make_splits()
    light = splits["label_index"] == 1
    splits.loc[light, "cluster"] = 1 + 2 * (np.arange(light.sum()) % 3)
    with pytest.raises(
        GraftError, match=r"class 'light' has 3 pictures or groups .* at most 3 are"
    ):
        list_folds(splits)
    assert len(list_folds(splits, folds=3)) == 3


def test_one_picture_a_class_is_refused() -> None:
    with pytest.raises(
        GraftError, match=r"class 'dark' has 1 picture or .* too few for any; got 4 f"
    ):
        list_folds(make_splits(10))


def test_too_few_folds_of_splits_are_refused() -> None:
    splits = make_splits()
    splits["fold"] = splits["fold"].clip(upper=1)
    with pytest.raises(GraftError, match=r"raise splitting.folds.*got splitting.folds 2$"):
        list_folds(splits, folds=None)


def test_two_folds_cannot_be_asked_for() -> None:
    with pytest.raises(GraftError, match="folds"):
        CrossValidationParameters.model_validate({**PARAMETERS.model_dump(), "folds": 2})
