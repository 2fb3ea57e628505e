"""How the learning rate goes on over a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from graft.errors import GraftError
from graft.models.dotted_paths import load_by_path
from graft.training_parameters import SCHEDULES, TrainingParameters

# A number, or a keras.optimizers.schedules.LearningRateSchedule.
Rate = float | Callable[[Any], Any]


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises linearly from 0 over so many steps and then is what it would be.

    Args:
        rate: A number, or a schedule by the number of the step from the start of the training.
        steps: Length of the rise.
    """

    def __init__(self, rate: Rate, steps: int) -> None:
        self.rate = rate
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        rate = self.rate(step) if callable(self.rate) else self.rate
        return rate * keras.ops.minimum(keras.ops.cast(step, "float32") / self.steps, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "steps": self.steps}


def make_learning_rate(settings: TrainingParameters, epoch_steps: int) -> Rate:
    """The learning rate as an optimizer takes it.

    Args:
        settings: Schedule and its parameters.
        epoch_steps: Steps an epoch.

    Returns:
        A number where the rate is constant or set between epochs by
        :func:`make_schedule_callbacks`, otherwise a function of the step.
    """
    steps = settings.epochs * epoch_steps
    warmup_steps = int(settings.warmup_share * steps)
    if settings.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup_steps else settings.learning_rate,
            decay_steps=steps - warmup_steps,
            warmup_target=settings.learning_rate if warmup_steps else None,
            warmup_steps=warmup_steps,
        )
    rate = _make_stairs(settings, epoch_steps) if settings.schedule == "step" else None
    rate = rate or settings.learning_rate
    return WarmUp(rate, warmup_steps) if warmup_steps else rate


def _make_stairs(settings: TrainingParameters, epoch_steps: int) -> Rate | None:
    """The rate of the schedule ``step``; None if the training ends before its first stair."""
    starts = range(settings.reduce_after, settings.epochs, settings.reduce_after)
    if not starts:
        return None
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        # Keras counts a boundary to the stair before it.
        [epoch * epoch_steps - 1 for epoch in starts],
        [settings.learning_rate * settings.reduce_factor**n for n in range(len(starts) + 1)],
    )


def make_schedule_callbacks(settings: TrainingParameters) -> list[keras.callbacks.Callback]:
    """Callbacks that set the learning rate between epochs; none for schedules by step.

    Raises:
        GraftError: If a function of one's own cannot be found or called.
    """
    if settings.schedule == "reduce_on_plateau":
        return [
            keras.callbacks.ReduceLROnPlateau(
                monitor="val_loss",
                factor=settings.reduce_factor,
                patience=settings.reduce_after,
                min_delta=0,
            )
        ]
    if settings.schedule in SCHEDULES:
        return []
    function = load_by_path(settings.schedule, f"{settings.stage}.schedule")
    return [keras.callbacks.LearningRateScheduler(_guard(function, settings))]


def _guard(
    function: Callable[[int, float], float], settings: TrainingParameters
) -> Callable[[int, float], float]:
    def schedule(epoch: int, learning_rate: float) -> float:
        name = f"{settings.stage}.schedule"
        try:
            rate = float(function(epoch, learning_rate))
        except Exception as error:
            raise GraftError(
                f"{name}: the function must give a learning rate for an epoch (from 0) and the "
                f"rate before, but failed in epoch {epoch} ({type(error).__name__}: {error}); "
                f"got '{settings.schedule}'"
            ) from error
        if not 0 <= rate < float("inf"):
            raise GraftError(
                f"{name}: a learning rate is a number of at least 0; '{settings.schedule}' gave "
                f"another in epoch {epoch}; got {rate}"
            )
        return rate

    return schedule
