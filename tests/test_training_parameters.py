"""Training parameters: mistakes are told in one line, with the reason."""

from __future__ import annotations

import pytest

from graft.errors import GraftError
from graft.training_parameters import TrainingParameters

GOOD = {"learning_rate": 0.1, "batch_size": 4, "epochs": 6, "patience": 2, "seed": 0}


def test_five_values_are_enough():
    settings = TrainingParameters.model_validate(GOOD)
    assert (settings.optimizer, settings.schedule, settings.callbacks) == ("adam", "constant", ())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0}, r"^learning_rate: Input should be greater than 0; got 0$"),
        ({"learning_rate": -1e-3}, r"greater than 0; got -0\.001$"),
        ({"learning_rate": float("nan")}, r"^learning_rate: "),
        ({"patience": 0}, r"^patience: Input should be greater than 0; got 0$"),
        ({"optimizer": "adma"}, r"'adam', 'adamw', 'sgd' or 'rmsprop'; got 'adma'$"),
        ({"schedule": "cosin"}, r"^schedule: allowed are constant, cosine, .* dotted path"),
        ({"warmup_share": 0.1, "schedule": "reduce_on_plateau"}, r"warmup_share goes with"),
        ({"warmup_share": 1}, r"^warmup_share: Input should be less than 1; got 1$"),
        ({"loss": "mse"}, r"or 'binary_crossentropy'; got 'mse'$"),
        ({"label_smoothing": 1}, r"^label_smoothing: "),
        ({"clip_norm": 0}, r"^clip_norm: Input should be greater than 0; got 0$"),
        ({"precision": "float16"}, r"'float32', 'mixed_bfloat16' or 'auto'; got 'float16'$"),
        ({"callbacks": [{"klass": "tensorboard"}]}, r"each needs 'class': csv_logger, .*; got"),
        ({"callbacks": [{"class": "tensorbord"}]}, r"or the dotted path of a Keras callback"),
        ({"callbacks": ["tensorboard"]}, r"^callbacks\.0: Input should be a valid dict"),
    ],
)
def test_a_mistake_is_refused_in_one_line(change, message):
    with pytest.raises(GraftError, match=message) as refusal:
        TrainingParameters.model_validate(GOOD | change)
    assert "\n" not in str(refusal.value)


def test_a_training_may_be_shorter_than_its_patience():
    assert TrainingParameters.model_validate(GOOD | {"epochs": 5, "patience": 10}).epochs == 5


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step", "my_package.schedules.halve"])
def test_schedules_are_known_by_name_or_by_path(schedule):
    assert TrainingParameters.model_validate(GOOD | {"schedule": schedule}).schedule == schedule
