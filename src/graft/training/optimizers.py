"""Optimizers by name, and how their learning rate goes on over a training and over the layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from graft.dotted_paths import load_by_path
from graft.errors import GraftError
from graft.parameters.training import SCHEDULES, TrainingParameters

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


OPTIMIZERS: dict[str, type] = {
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
}
_DEFAULTS: dict[str, dict[str, Any]] = {"sgd": {"momentum": 0.9}}


def decay_by_block(blocks: Sequence[Sequence[str]], factor: float) -> dict[str, float]:
    """Learning-rate factors that fall from the head towards the input (Howard and Ruder 2018).

    Args:
        blocks: Names of the layers of each block, from input to output, without the head.
        factor: Of one block against the next one; 1 gives all the same rate.

    Returns:
        Layer name to factor: ``factor`` in the last block, ``factor**2`` in the one before.

    Examples:
        >>> decay_by_block([["first"], ["second", "third"]], 0.5)
        {'first': 0.25, 'second': 0.5, 'third': 0.5}
    """
    return {
        name: factor ** (len(blocks) - number)
        for number, names in enumerate(blocks)
        for name in names
    }


def make_optimizer(
    model: keras.Model,
    settings: TrainingParameters,
    learning_rate: Rate,
    rate_factors: Mapping[str, float] | None = None,
) -> keras.optimizers.Optimizer:
    """An optimizer for the trainable variables of a model, built and ready to step.

    Args:
        model: The model to be trained.
        settings: Which optimizer, weight decay and clipping.
        learning_rate: A number or a schedule.
        rate_factors: Factor of the learning rate of layers, by name; others have 1.

    Raises:
        ValueError: If a name in ``rate_factors`` is not a layer of the model.
    """
    arguments = dict(_DEFAULTS.get(settings.optimizer, {}))
    if settings.optimizer == "adamw":
        arguments["weight_decay"] = settings.weight_decay
    if settings.clip_norm is not None:
        arguments["global_clipnorm"] = settings.clip_norm
    construct = OPTIMIZERS[settings.optimizer]
    factors = _by_variable(model, rate_factors or {})
    if set(factors) - {1.0}:
        construct = type("LayerWise", (_LayerWise, construct), {})
    optimizer = construct(learning_rate=learning_rate, **arguments)
    if settings.optimizer == "adamw":
        biases = [variable for variable in model.trainable_variables if not _is_kernel(variable)]
        optimizer.exclude_from_weight_decay(var_list=biases)
    optimizer.build(model.trainable_variables)
    if isinstance(optimizer, _LayerWise):
        optimizer.set_factors(model.trainable_variables, factors)
    return optimizer


def penalise_kernels(model: keras.Model, settings: TrainingParameters) -> list[keras.Variable]:
    """Add the L2 penalty to kernels that have none; ``adamw`` decays weights without it.

    Returns:
        The variables that now have a regularizer and had none.
    """
    if settings.optimizer == "adamw" or not settings.weight_decay:
        return []
    penalised = [
        variable
        for variable in model.trainable_variables
        if _is_kernel(variable) and variable.regularizer is None
    ]
    for variable in penalised:
        variable.regularizer = keras.regularizers.L2(settings.weight_decay)
    return penalised


def _is_kernel(variable: keras.Variable) -> bool:
    return len(variable.shape) > 1


def _by_variable(model: keras.Model, rate_factors: Mapping[str, float]) -> list[float]:
    """Factor of every trainable variable, in their order."""
    if unknown := set(rate_factors) - {layer.name for layer in model.layers}:
        raise ValueError(f"no such layer: {', '.join(sorted(unknown))}")
    factors = {
        id(variable): rate_factors.get(layer.name, 1.0)
        for layer in model.layers
        for variable in layer.trainable_variables
    }
    return [factors[id(variable)] for variable in model.trainable_variables]


class _LayerWise:
    """Mixin: scales the learning rate of every variable's update and decay by its own factor.

    Scaling gradients instead would do nothing, since Adam divides by their size.
    """

    # mypy cannot see that this is mixed into a Keras optimizer, which has what it ignores below.
    weight_decay: float | None

    def set_factors(self, variables: Sequence[keras.Variable], factors: Sequence[float]) -> None:
        self._factors = {
            self._var_key(variable): factor  # type: ignore[attr-defined]
            for variable, factor in zip(variables, factors, strict=True)
        }
        self._decay = self.weight_decay

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        factor = self._factors[self._var_key(variable)]  # type: ignore[attr-defined]
        super().update_step(gradient, variable, learning_rate * factor)  # type: ignore[misc]

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        if self._decay is None:
            return
        try:
            for variable in variables:
                factor = self._factors[self._var_key(variable)]  # type: ignore[attr-defined]
                # On several devices this runs once on each, in turn, up to the next line.
                self.weight_decay = self._decay * factor
                super()._apply_weight_decay([variable])  # type: ignore[misc]
        finally:
            self.weight_decay = self._decay
