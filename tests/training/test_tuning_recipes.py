"""Recipes and the budget: pure rules that anyone can read and check."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.errors import GraftError
from graft.parameters.fine_tuning import (
    OF_CUSTOM,
    AugmentationParameters,
    FineTuningParameters,
    RecipeName,
)
from graft.training import tuning_recipes as recipes
from graft.training.tuning_recipes import (
    NAMES,
    RECIPES,
    Workload,
    admit,
    count_epochs,
    count_repeats,
    count_steps,
    estimate_race,
    find_allowance,
    find_budget,
    find_rung,
    follow,
    get_recipe,
    order_deep,
)

OFF = {"rotation": 0, "zoom": 0, "shift": 0, "shear": 0, "horizontal_flip": False,
       "fill_mode": "nearest", "brightness": 0, "contrast": 0}  # fmt: skip
GIVEN = {
    "activation_cache": True, "activation_dtype": "float16", "activation_batch_size": 32,
    "augmentation": {**OFF, "rotation": 10, "horizontal_flip": True},
    "batch_size": 32, "seed": 0,
}  # fmt: skip
SIGNS = Workload(860, 215, 32, (0.5, 0.25, 0.18, 0.07), 55_000_000)
DEEP = [recipe for recipe in RECIPES if not SIGNS.is_first(recipe)]


def parameters(**changes) -> FineTuningParameters:
    return FineTuningParameters.model_validate({**GIVEN, "recipe": "auto", **changes})


def names(field: list[recipes.Recipe]) -> list[str]:
    return [recipe.name for recipe in field]


def test_the_configuration_takes_the_names_that_there_are() -> None:
    assert set(get_args(RecipeName)) == {"auto", "custom", *NAMES}


@pytest.mark.parametrize("name", OF_CUSTOM)
def test_what_a_recipe_decides_is_refused_beside_one(name: str) -> None:
    own = parameters(recipe="custom")
    value = {"views": 3, "keep": "accuracy"}.get(name, getattr(own, name))
    with pytest.raises(GraftError, match=rf"'auto' decides {name} itself; add recipe=custom"):
        parameters(**{name: value})
    parameters(recipe="custom", **{name: value})


def test_a_recipe_says_how_and_the_parameters_say_the_rest() -> None:
    given = parameters(batch_size=16, clip_norm=2.0, budget=7)
    deep = follow(get_recipe("all"), given, pictures=160, blocks=18)
    assert (deep.unfreeze, deep.learning_rate, deep.keep) == ("all", 1e-3, "accuracy")
    # 544 rows make the 34 steps an epoch of 1000 in 30 epochs; 160 pictures thrice are nearest.
    assert (deep.epochs, deep.patience, deep.repeats) == (34, 34, 3)
    assert deep.augmentation == given.augmentation
    assert not deep.activation_cache
    assert (deep.batch_size, deep.clip_norm, deep.label_smoothing) == (16, 2.0, 0.1)
    shallow = follow(get_recipe("last_block"), given, pictures=160, blocks=18)
    assert (shallow.unfreeze, shallow.activation_cache, shallow.label_smoothing) == (1, True, 0)
    assert shallow.augmentation == AugmentationParameters(**OFF)
    # What is trained does not depend on how it was found, so that a backup is known again.
    other = parameters(batch_size=16, clip_norm=2.0, budget=900, recipe="all")
    assert follow(get_recipe("all"), other, pictures=160, blocks=18) == deep
    FineTuningParameters.model_validate(deep.model_dump(mode="json"))


@given(st.integers(1, 5000), st.sampled_from(RECIPES[1:]))
def test_a_training_has_its_epochs_and_its_steps(pictures: int, recipe: recipes.Recipe) -> None:
    epochs, repeats = count_epochs(recipe, pictures, 32), count_repeats(recipe, pictures, 32)
    assert epochs >= recipe.epochs
    steps = epochs * count_steps(recipe, pictures, 32)
    assert steps == epochs * -(-pictures * repeats // 32) >= recipe.steps
    # Neither epochs, after each of which dev is measured, nor steps are many more.
    assert epochs <= 1.5 * recipe.epochs
    assert repeats == 1 or steps <= 1.5 * recipe.steps
    rungs = [find_rung(epochs, share) for share in recipes.RUNGS]
    assert rungs == sorted(rungs)
    assert rungs[-1] == epochs


def test_passes_grow_with_the_epochs_and_end_at_the_cost_of_the_whole() -> None:
    for recipe in RECIPES[1:]:
        length = count_epochs(recipe, SIGNS.pictures, SIGNS.batch_size)
        costs = [SIGNS.count_passes(recipe, epochs) for epochs in range(1, length + 1)]
        assert costs == sorted(costs)
        assert costs[-1] == SIGNS.count_passes(recipe)
    # Three forward passes a step and a quarter of one for dev; 38 epochs of 27 steps.
    assert SIGNS.count_passes(get_recipe("all")) == pytest.approx(38 * 3.25)
    assert SIGNS.count_passes(get_recipe("head")) == 0


def test_what_is_not_stored_costs_a_pass_of_the_frozen_blocks_in_every_epoch() -> None:
    plain = Workload(860, 215, 32, SIGNS.shares, SIGNS.multiply_adds, is_cached=False)
    last = get_recipe("last_block")
    assert plain.count_passes(last) > 30 > SIGNS.count_passes(last)
    assert not plain.is_first(last)
    assert SIGNS.is_first(last)


def test_far_sets_race_with_the_default_budget_and_near_ones_do_not() -> None:
    def field(accuracy: float, budget: float = 125) -> list[str]:
        return names(
            admit(SIGNS, order_deep(DEEP, accuracy), find_allowance(budget, accuracy, 860, 32))
        )

    assert field(0.41) == ["all"]
    assert field(0.8) == ["all", "all_gently", "half"]
    assert field(0.98) == []
    assert field(0.98, budget=625) == field(0.8)
    assert field(0.41, budget=400)[:2] == ["all", "all_long"]
    assert set(field(0.41, budget=10_000)) == set(names(DEEP))


def test_a_small_work_is_done_whatever_the_budget() -> None:
    digits = Workload(1078, 360, 32, (0.6, 0.27, 0.13), 650_000)
    assert "all" in names(admit(digits, DEEP, allowance=0.0))


@given(
    st.integers(20, 5000),
    st.floats(0, 1),
    st.floats(1, 2000),
)
def test_what_races_fits_into_the_budget(pictures: int, accuracy: float, budget: float) -> None:
    load = Workload(pictures, pictures // 4, 32, SIGNS.shares, 10**12)
    allowance = find_allowance(budget, accuracy, pictures, 32)
    field = admit(load, DEEP, allowance)
    assert estimate_race([load.count_passes(recipe) for recipe in field]) <= allowance
    # And the budget that is named would be enough for all.
    named = find_allowance(find_budget(load, DEEP, accuracy), accuracy, pictures, 32)
    assert admit(load, DEEP, named) == DEEP


def test_few_pictures_get_as_many_steps_for_their_budget() -> None:
    few = Workload(60, 20, 32, SIGNS.shares, 10**12)
    field = admit(few, DEEP, find_allowance(125, 0.4, 60, 32))
    assert names(field)[0] == "all"
