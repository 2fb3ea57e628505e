"""The learning-rate test: a ramp over one pass that leaves the network as it was."""

from __future__ import annotations

import numpy as np
import pytest

from graft.errors import GraftError
from graft.models.heads import build_head
from graft.models.learning_rate_finder import find_learning_rate, suggest_rates
from graft.models.row_pools import ArrayReader, RowPools
from graft.models.runtime import seed_everything
from graft.training_parameters import TrainingParameters

SETTINGS = TrainingParameters(
    learning_rate=1, batch_size=4, epochs=1, patience=1, seed=0, optimizer="sgd", weight_decay=0.1
)


def make_train(count=200):
    labels = np.arange(count) % 2
    features = np.random.default_rng(0).normal(size=(count, 6)).astype("float32")
    features[:, 0] += 2 * labels
    rows = np.arange(count)
    return RowPools(ArrayReader(features.__getitem__), rows, labels, np.ones(count, "float32"))


@pytest.fixture(scope="module")
def tested():
    seed_everything(0)
    head = build_head(6, 2, 0.2, 0.0, seed=0)
    before = [np.array(variable) for variable in head.variables]
    found = find_learning_rate(head, make_train(), SETTINGS, lowest=1e-4, highest=1e3)
    return head, before, found


def test_the_rates_grow_by_the_same_factor_from_the_lowest(tested):
    rates = tested[2].table["learning_rate"].to_numpy()
    assert rates[0] == pytest.approx(1e-4)
    np.testing.assert_allclose(rates[1:] / rates[:-1], 1e7 ** (1 / 49), rtol=1e-6)


def test_a_whole_pass_ends_at_the_highest_rate():
    head = build_head(6, 2, 0.2, 0.0, seed=0)
    table = find_learning_rate(head, make_train(42), SETTINGS, lowest=1e-4, highest=1e-2).table
    assert len(table) == 11
    assert table["learning_rate"].iloc[-1] == pytest.approx(1e-2)


def test_it_ends_when_the_loss_has_left_its_lowest_point_far_below(tested):
    table = tested[2].table
    assert len(table) < 50
    assert table["smoothed_loss"].iloc[-1] > 2 * table["smoothed_loss"].min()


def test_weights_and_seeds_are_what_they_were(tested):
    head, before, _ = tested
    for variable, value in zip(head.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    assert not head.compiled
    assert head.losses == []


def test_both_suggestions_lie_where_the_loss_is_still_falling(tested):
    found = tested[2]
    table = found.table.set_index("learning_rate")["smoothed_loss"]
    lowest = table.idxmin()
    assert found.tenth_of_lowest == pytest.approx(lowest / 10)
    assert 1e-4 < found.steepest < lowest


def test_the_suggestion_is_where_a_known_curve_is_steepest():
    rates = np.logspace(-5, 1, 121)
    # Falls along a logistic curve around 1e-2 and rises steeply beyond 1.
    losses = 1 / (1 + (rates / 1e-2) ** 2) + (rates > 1) * 10 * (rates - 1)
    found = suggest_rates(rates, losses)
    assert 0.8e-2 < found.steepest < 1.3e-2
    assert 0.02 < found.tenth_of_lowest <= 0.1


def test_a_loss_that_breaks_ends_the_table():
    found = suggest_rates(np.array([0.1, 0.2, 0.4, 0.8]), np.array([1.0, 0.5, np.inf, 0.1]))
    assert found.table["step"].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("count", "lowest", "message"),
    [(200, 0, r"above 0 .*; got 0 to 1\.0$"), (200, 2, r"got 2 to 1\.0$"),
     (20, 1e-6, r"at least 10 steps; lower training\.batch_size; got 5 steps of 4 pictures$")],
)  # fmt: skip
def test_a_test_that_cannot_tell_is_refused(count, lowest, message):
    head = build_head(6, 2, 0.2, 0.0, seed=0)
    with pytest.raises(GraftError, match=message):
        find_learning_rate(head, make_train(count), SETTINGS, lowest=lowest)


def test_a_first_loss_that_is_no_number_is_told():
    with pytest.raises(GraftError, match="first step is not a number"):
        suggest_rates(np.array([0.1]), np.array([np.nan]))
