"""A warm start: training on, with dev between the weights before and after."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pandas as pd
import pytest

from graft.errors import GraftError
from graft.parameters.fine_tuning import AugmentationParameters, FineTuningParameters
from graft.training.shuffling import RowPools
from graft.training.tails import make_empty_history
from graft.training.warm_start import RATE, find_tail, measure_on, settle_tail, train_on
from helpers.fine_tuning import OFF

AUTO = FineTuningParameters(
    recipe="auto", activation_cache=True, activation_dtype="float16", activation_batch_size=4,
    augmentation=AugmentationParameters(**OFF), batch_size=32, seed=7,
)  # fmt: skip
CUSTOM = AUTO.model_copy(
    update={"recipe": "custom", "unfreeze": 2, "epochs": 10, "learning_rate": 1e-3}
)
LABELS = np.array([0, 1] * 8)


class Rows:
    """One number a row, which says the class; every eighth says the other one."""

    def read_rows(self, rows: np.ndarray) -> np.ndarray:
        sign = np.where(rows % 8 == 7, -1.0, 1.0) * (2.0 * LABELS[rows] - 1)
        return sign[:, None].astype(np.float32)


DEV = RowPools(Rows(), np.arange(16), LABELS, np.ones(16, np.float32))  # type: ignore[arg-type]


def build(steepness: float) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    set_steepness(model, steepness)
    return model


def set_steepness(model: keras.Model, steepness: float) -> None:
    model.set_weights([np.array([[-steepness, steepness]], np.float32), np.zeros(2, np.float32)])


def leave(model: keras.Model, steepness: float) -> Callable[[], pd.DataFrame]:
    """A training of two epochs, of which the second is kept, that ends so steep."""

    def train() -> pd.DataFrame:
        set_steepness(model, steepness)
        rows = {"epoch": [1, 2], "dev_loss": [0.7, 0.3], "dev_accuracy": [0.5, 0.875]}
        return pd.DataFrame(rows).reindex(columns=make_empty_history().columns)

    return train


def read_steepness(model: keras.Model) -> float:
    return float(model.get_weights()[0][0, 1])


# Right on 14 of 16: steeper than 1 is too sure of the wrong ones; below 0 all is upside down.
@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [(0.5, 1.0, 1.0), (1.0, 3.0, 1.0), (1.0, 1.0, 1.0), (3.0, -0.01, 3.0), (-0.01, 3.0, 3.0)],
    ids=["lower loss", "higher loss", "tie", "fewer right for a lower loss", "more right"],
)
def test_dev_decides_by_accuracy_then_log_loss(before: float, after: float, stays: float) -> None:
    model = build(before)
    history = train_on(model, DEV, "log_loss", leave(model, after))
    assert read_steepness(model) == stays
    is_new = (before, after) != (1.0, 1.0) and stays == after
    assert history["epoch"].tolist() == [0, 1, 2]
    assert history["kept"].tolist() == ([False, False, True] if is_new else [True, False, False])


def test_the_best_epoch_has_the_figures_that_dev_compared() -> None:
    model = build(1.0)
    history = train_on(model, DEV, "log_loss", leave(model, 0.9))
    assert history["dev_loss"].iloc[1] == 0.7
    assert history["dev_loss"].iloc[2] == pytest.approx(measure_on(build(0.9), DEV)[1])


def test_epoch_zero_is_what_the_weights_before_do() -> None:
    model = build(1.0)
    start = train_on(model, DEV, "log_loss", leave(model, 2.0)).iloc[0]
    # A log-odds of 2 for the right class fourteen times, for the wrong one twice.
    expected = (14 * np.log1p(np.exp(-2)) + 2 * np.log1p(np.exp(2))) / 16
    assert start["dev_accuracy"] == 14 / 16
    assert start["dev_loss"] == pytest.approx(expected, rel=1e-6)
    assert np.isnan(start["loss"])


@pytest.mark.parametrize(
    ("made_by", "parameters", "recipe"),
    [
        (None, AUTO, "head"),
        (None, CUSTOM, "head"),
        ({"recipe": "all", "unfreeze": "all"}, AUTO, "all"),
        ({"recipe": "all", "unfreeze": "all"}, AUTO.model_copy(update={"recipe": "all"}), "all"),
        ({"recipe": "custom", "unfreeze": 2}, CUSTOM, "custom"),
    ],
)
def test_a_tail_goes_on_by_the_recipe_that_made_it(made_by, parameters, recipe) -> None:
    assert find_tail(made_by, parameters) == recipe


@pytest.mark.parametrize(
    ("made_by", "parameters", "message"),
    [
        ({"recipe": "all", "unfreeze": "all"}, AUTO.model_copy(update={"recipe": "half"}),
         r"take it, fine_tuning\.recipe=all, or .*; got fine_tuning\.recipe 'half'"),
        ({"recipe": "all", "unfreeze": "all"}, CUSTOM, "recipe=all, .* got .* 'custom'"),
        ({"recipe": "custom", "unfreeze": 2}, AUTO, "recipe=custom, .* got .* 'auto'"),
        ({"recipe": "custom", "unfreeze": "block3"}, CUSTOM, "unfreeze=block3, .*; got 2"),
    ],
)  # fmt: skip
def test_another_recipe_is_refused(made_by, parameters, message: str) -> None:
    with pytest.raises(GraftError, match=message):
        find_tail(made_by, parameters)


@pytest.mark.parametrize("name", ["last_block", "all", "half"])
def test_a_recipe_goes_on_for_a_fifth_of_its_length_at_a_lower_rate(name: str) -> None:
    whole, short = settle_tail(name, AUTO, pictures=2000, blocks=18)
    assert (whole.epochs, short.epochs) == (30, 6)
    assert short.learning_rate == whole.learning_rate * RATE
    assert (short.unfreeze, short.batch_size) == (whole.unfreeze, whole.batch_size)


def test_what_was_told_goes_on_as_it_was_told() -> None:
    whole, short = settle_tail("custom", CUSTOM, pictures=774, blocks=18)
    assert whole is CUSTOM
    assert (short.epochs, short.learning_rate) == (2, 1e-3 * RATE)
