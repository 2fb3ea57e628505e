"""Schedules: the learning rate of every step, against a calculation by hand."""

from __future__ import annotations

import numpy as np
import pytest

from graft.errors import GraftError
from graft.parameters.training import TrainingParameters
from graft.training.optimizers import make_learning_rate, make_schedule_callbacks

EPOCHS, EPOCH_STEPS = 6, 5


def declare(**changes):
    settings = {"learning_rate": 0.1, "batch_size": 4, "epochs": EPOCHS, "patience": 2, "seed": 0}
    return TrainingParameters(**settings | changes)


def list_rates(**changes):
    rate = make_learning_rate(declare(**changes), EPOCH_STEPS)
    return [float(rate(step)) if callable(rate) else rate for step in range(EPOCHS * EPOCH_STEPS)]


def test_a_constant_rate_is_a_plain_number():
    assert make_learning_rate(declare(), EPOCH_STEPS) == 0.1


def test_a_cosine_falls_from_the_learning_rate_to_zero():
    share = np.arange(30) / 30
    np.testing.assert_allclose(
        list_rates(schedule="cosine"), 0.1 * (1 + np.cos(np.pi * share)) / 2, rtol=1e-5
    )


def test_a_cosine_begins_after_the_warm_up():
    rates = list_rates(schedule="cosine", warmup_share=0.2)
    np.testing.assert_allclose(rates[:7], 0.1 * np.arange(7) / 6, rtol=1e-5)
    share = np.arange(24) / 24
    np.testing.assert_allclose(rates[6:], 0.1 * (1 + np.cos(np.pi * share)) / 2, rtol=1e-5)


def test_stairs_fall_at_the_first_step_of_an_epoch():
    rates = list_rates(schedule="step", reduce_after=2, reduce_factor=0.5)
    np.testing.assert_allclose(rates, np.repeat([0.1, 0.05, 0.025], 2 * EPOCH_STEPS), rtol=1e-6)


@pytest.mark.parametrize("reduce_after", [6, 100])
def test_a_training_may_end_before_the_first_stair(reduce_after):
    assert set(list_rates(schedule="step", reduce_after=reduce_after)) == {0.1}


@pytest.mark.parametrize("schedule", ["constant", "step"])
def test_a_warm_up_rises_from_zero(schedule):
    rates = list_rates(schedule=schedule, warmup_share=0.2)
    np.testing.assert_allclose(rates[:7], 0.1 * np.arange(7) / 6, rtol=1e-5)
    np.testing.assert_allclose(rates[6:], 0.1, rtol=1e-5)


@pytest.fixture
def my_schedules(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_schedules.py").write_text(
        "number = 3\n"
        "def halve(epoch, rate): return rate / 2 if epoch else rate\n"
        "def fall_below_zero(epoch, rate): return -1.0\n"
        "def fail(epoch, rate): return 1 / 0\n"
    )


def test_a_function_of_ones_own_sets_the_rate_of_each_epoch(my_schedules):
    [callback] = make_schedule_callbacks(declare(schedule="my_schedules.halve"))
    assert [callback.schedule(0, 0.1), callback.schedule(1, 0.1)] == [0.1, 0.05]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("my_schedules.double", r"cannot import 'double' from 'my_schedules' .*got 'my_sch"),
        ("nowhere.halve", r"\(ModuleNotFoundError: No module named 'nowhere'\)"),
        ("my_schedules.number", r"this is a int; got 'my_schedules.number'$"),
    ],
)
def test_a_function_that_is_not_there_is_told(path, message, my_schedules):
    with pytest.raises(GraftError, match=message):
        make_schedule_callbacks(declare(schedule=path))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fall_below_zero", r"at least 0; .* gave another in epoch 2; got -1\.0$"),
        ("fail", r"failed in epoch 2 \(ZeroDivisionError: division by zero\); got"),
    ],
)
def test_a_function_that_gives_no_learning_rate_is_told(name, message, my_schedules):
    [callback] = make_schedule_callbacks(declare(schedule=f"my_schedules.{name}"))
    with pytest.raises(GraftError, match=message):
        callback.schedule(2, 0.1)
