"""Power laws and what they foretell: exact laws are found again, doubts are said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graft.analysis.learning_curve import ForecastSettings, fit_power_laws, forecast_errors
from graft.analysis.refits import Refits

SETTINGS = ForecastSettings(draws=300, coverage=0.95, noticeable=0.01, seed=0)
SIZES = np.array([25.0, 50, 100, 200, 400, 800])


def make_refits(errors, sizes=SIZES, dev=2000, repeats=5, seed=0):
    """Hits on dev with these error rates; each picture is as hard for all of the refits."""
    random = np.random.default_rng(seed)
    hardness = random.random((1, 1, dev))
    noise = random.normal(scale=0.01, size=(len(errors), repeats, 1))
    return Refits(np.asarray(sizes), hardness > np.asarray(errors)[:, None, None] + noise)


def forecast(errors, **options):
    refits = make_refits(errors, **options)
    dev = refits.hits.shape[2]
    return forecast_errors(refits, np.arange(dev), int(refits.counts[-1]), SETTINGS)


@given(first=st.floats(0.1, 0.9), exponent=st.floats(0.1, 1.5), floor=st.sampled_from([0.0, 0.05]))
@settings(max_examples=40, deadline=None)
def test_an_exact_law_is_found_again(first, exponent, floor):
    errors = first * (SIZES / 25) ** -exponent + floor
    laws = fit_power_laws(SIZES, errors[None], np.ones(6), with_floor=True)
    expected = first * np.array([64.0, 128]) ** -exponent + floor
    np.testing.assert_allclose(laws.predict(np.array([1600.0, 3200])), [expected], atol=0.004)


@given(errors=st.lists(st.floats(0, 1), min_size=4, max_size=8), with_floor=st.booleans())
@settings(max_examples=60, deadline=None)
def test_no_law_foretells_more_errors_from_more_pictures_or_less_than_none(errors, with_floor):
    sizes = 10 * 2.0 ** np.arange(len(errors))
    laws = fit_power_laws(sizes, np.array([errors]), np.ones(len(errors)), with_floor)
    foretold = laws.predict(np.geomspace(10, 1e6, 20))[0]
    assert (np.diff(foretold) <= 1e-12).all()
    assert foretold.min() >= 0


def test_without_a_floor_the_error_goes_to_zero():
    laws = fit_power_laws(SIZES, (0.2 + 0 * SIZES)[None], np.ones(6), with_floor=False)
    assert laws.floor.tolist() == [0.0]


def test_a_steep_curve_says_that_more_pictures_help():
    found = forecast(0.6 * (SIZES / 25) ** -0.5)
    assert found["verdict"] == "helps"
    twice, four_times = found["forecasts"]
    assert (twice["times"], twice["pictures"]) == (2, 1600)
    assert twice["low"] < 0.6 * (1600 / 25) ** -0.5 < twice["high"]
    assert four_times["low"] < 0.6 * (3200 / 25) ** -0.5 < four_times["high"]
    assert four_times["gain"] > twice["gain"] > 0


def test_a_flat_curve_says_that_they_do_not():
    found = forecast(0.1 + 0.3 * (SIZES / 25) ** -2.0)
    assert found["verdict"] == "does_not_help"
    assert found["law"]["floor_low"] > 0.05


def test_too_few_pictures_of_dev_leave_it_open():
    assert forecast(0.3 * (SIZES / 25) ** -0.3, dev=30)["verdict"] == "unclear"


def test_two_sizes_are_no_curve():
    found = forecast([0.3, 0.2], sizes=[25.0, 50])
    assert (found["verdict"], found["law"], found["forecasts"]) == ("too_few", None, [])
    assert len(found["points"]) == 2


def test_three_sizes_have_no_floor():
    assert forecast([0.4, 0.3, 0.2], sizes=[25.0, 50, 100])["law"]["floor"] is None


def test_from_no_mistake_nothing_is_foretold():
    refits = Refits(SIZES, np.ones((6, 3, 40), bool))
    found = forecast_errors(refits, np.arange(40), 800, SETTINGS)
    assert (found["verdict"], found["forecasts"]) == ("perfect", [])
    assert found["points"][-1]["high"] == pytest.approx(0.088, abs=0.001)


def test_all_wrong_stays_all_wrong():
    refits = Refits(SIZES, np.zeros((6, 3, 40), bool))
    found = forecast_errors(refits, np.arange(40), 800, SETTINGS)
    assert found["forecasts"][-1]["error"] == pytest.approx(1)
    assert found["verdict"] == "does_not_help"


def test_forecasts_start_from_all_pictures_though_a_sample_was_measured():
    refits = make_refits(0.6 * (SIZES / 25) ** -0.5)
    found = forecast_errors(refits, np.arange(2000), 5000, SETTINGS)
    assert found["now"]["pictures"] == 5000
    assert [row["pictures"] for row in found["forecasts"]] == [10_000, 20_000]


def test_forecasts_are_plain_numbers_and_the_same_every_time():
    first, again = (json.dumps(forecast(0.6 * SIZES**-0.3), allow_nan=False) for _ in range(2))
    assert first == again


@pytest.mark.parametrize(
    ("draws", "least"), [(20, 16), pytest.param(60, 52, marks=pytest.mark.slow)]
)
def test_the_interval_of_the_forecast_holds_the_truth_about_as_often_as_it_says(draws, least):
    truth = 0.05 + 0.35 * (np.append(SIZES, 3200) / 25) ** -0.5
    hits = 0
    for seed in range(draws):
        refits = make_refits(truth[:-1], dev=300, seed=seed)
        row = forecast_errors(refits, np.arange(300), 800, SETTINGS)["forecasts"][-1]
        hits += row["low"] <= truth[-1] <= row["high"]
    assert hits >= least
