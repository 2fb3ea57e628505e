"""Which learning rate to begin with: a test over one pass of growing rates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from graft.backends.backend import Epochs, load_backend
from graft.errors import GraftError
from graft.parameters.training import TrainingParameters
from graft.training.devices import open_for_training
from graft.training.losses import make_loss
from graft.training.optimizers import make_optimizer, penalise_kernels
from graft.training.shuffling import BatchSource
from graft.training.state import capture_variables, restore_variables

_WIDTH = 0.03  # of the smoothing, as a share of the steps
_MEMORY, _DIVERGED = 0.7, 4.0
_FEWEST_STEPS = 10


@dataclass(frozen=True)
class LearningRateTest:
    """What a learning-rate test found.

    Attributes:
        table: A row a step: ``step`` (from 1), ``learning_rate``, ``loss`` of the batch, and
            ``smoothed_loss``. The mean is around each step: one over the steps before, as is
            often seen, lags behind by a decade where a pass is short.
        steepest: Rate at which the smoothed loss falls fastest: the suggestion.
        tenth_of_lowest: A tenth of the rate with the lowest smoothed loss, the other common rule.
    """

    table: pd.DataFrame
    steepest: float
    tenth_of_lowest: float


def find_learning_rate(
    model: keras.Model,
    train: BatchSource,
    settings: TrainingParameters,
    *,
    lowest: float = 1e-6,
    highest: float = 1.0,
    rate_factors: Mapping[str, float] | None = None,
) -> LearningRateTest:
    """Train one pass while the learning rate grows exponentially (Smith 2017).

    The pass ends early when the running mean of the loss is four times its lowest. Afterwards all
    weights and seeds are what they were.

    Args:
        model: As :func:`graft.training.fitting.fit` takes it.
        train: Rows to learn from.
        settings: Optimizer, loss and batch size; the rate and its schedule are not used.
        lowest: Rate of the first step.
        highest: Rate of the last step of the pass.
        rate_factors: Factor of the learning rate of layers.

    Raises:
        GraftError: If the range is empty, a pass has fewer than ten steps, or the first loss is
            not a number.
    """
    if not 0 < lowest < highest:
        raise GraftError(
            "the lowest learning rate of the test must be above 0 and below the highest; "
            f"got {lowest} to {highest}"
        )
    steps = math.ceil(train.row_count / settings.batch_size)
    if steps < _FEWEST_STEPS:
        raise GraftError(
            f"a learning-rate test needs at least {_FEWEST_STEPS} steps; lower "
            f"{settings.stage}.batch_size; got {steps} steps of {settings.batch_size} pictures"
        )
    growth = (highest / lowest) ** (1 / (steps - 1))
    ramp = _Ramp(lowest, growth)
    with open_for_training(model, settings.precision, settings.stage) as trained:
        before = capture_variables(trained)
        penalised = penalise_kernels(trained, settings)
        try:
            _pass_once(trained, train, settings, ramp, dict(rate_factors or {}))
        finally:
            for variable in penalised:
                variable.regularizer = None
            trained.compiled = False
            restore_variables(trained, before)
    return suggest_rates(np.array(ramp.rates), np.array(ramp.losses))


def suggest_rates(rates: np.ndarray, losses: np.ndarray) -> LearningRateTest:
    """Smooth the losses and choose, see :class:`LearningRateTest`.

    Args:
        rates: Growing learning rates (n,), n ≥ 1.
        losses: Loss of the batch at each of them; the first is a finite number.
    """
    keep = np.isfinite(losses).cumprod().astype(bool)
    rates, losses = rates[keep], losses[keep]
    if not len(losses):
        raise GraftError("the loss of the first step is not a number; look into the inputs")
    smoothed = gaussian_filter1d(losses, max(1.0, _WIDTH * len(losses)), mode="nearest")
    slopes = np.gradient(smoothed, np.log(rates)) if len(rates) > 1 else np.zeros(1)
    lowest = int(smoothed.argmin())
    # Beyond its lowest point the smoothed loss may fall again by chance.
    steepest = int(slopes[: lowest + 1].argmin())
    table = pd.DataFrame(
        {
            "step": np.arange(1, len(rates) + 1),
            "learning_rate": rates,
            "loss": losses,
            "smoothed_loss": smoothed,
        }
    )
    return LearningRateTest(table, float(rates[steepest]), float(rates[lowest] / 10))


def _pass_once(
    trained: keras.Model,
    train: BatchSource,
    settings: TrainingParameters,
    ramp: _Ramp,
    rate_factors: Mapping[str, float],
) -> None:
    backend = load_backend()
    with backend.open_scope(trained):
        trained.compile(
            optimizer=make_optimizer(trained, settings, ramp.lowest, rate_factors),
            loss=make_loss(settings.loss, trained.output_shape[-1], settings.label_smoothing),
        )
    epochs = Epochs(settings.batch_size, settings.seed, planned=1, first=0, last=1)
    backend.run_epochs(trained, train, None, epochs, [ramp])


class _Ramp(keras.callbacks.Callback):
    """Sets the rate before each step and notes the loss of its batch."""

    def __init__(self, lowest: float, growth: float) -> None:
        super().__init__()
        self.lowest = lowest
        self.rates: list[float] = []
        self.losses: list[float] = []
        self._growth = growth
        self._mean: float | None = None
        self._best = float("inf")

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.rates.append(self.lowest * self._growth**batch)
        self.model.optimizer.learning_rate = self.rates[-1]
        # What Keras reports is the mean since the last reset.
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.losses.append(float((logs or {})["loss"]))
        before = self.losses[-1] if self._mean is None else self._mean
        self._mean = _MEMORY * before + (1 - _MEMORY) * self.losses[-1]
        self._best = min(self._best, self._mean)
        if not math.isfinite(self._mean) or self._mean > _DIVERGED * self._best:
            self.model.stop_training = True
