"""Heads of all folds trained at once on stored features, a hundred trials in a minute.

Keras' ``fit`` spends most of a small head's time between two steps. Here an epoch is one compiled
function, the heads of all folds are one array, and what a trial changes are numbers that are
handed in: nothing is compiled for it again. The optimizer is Keras' own; order of the rows,
batches, loss, penalty and early stopping are those of :func:`graft.training.fitting.fit`, and
without dropout so are the weights, but for rounding (a test compares them). The dropout draws
other masks than Keras would, from the same distribution to 1/256.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from graft.backends.backend import load_backend
from graft.errors import GraftError
from graft.parameters.training import HeadTrainingParameters
from graft.search.spaces import Values
from graft.search.verdicts import Trial, is_given_up, score
from graft.training.devices import seed_everything
from graft.training.losses import weigh_pictures
from graft.training.optimizers import make_optimizer

# A trial may be given up after so many epochs.
CHECKS = (5, 15, 40)
_STAGE = "head_training."


@dataclass(frozen=True)
class FoldData:
    """What heads are trained and measured on, in memory.

    Attributes:
        vectors: Features of train (n, D), float32.
        labels: Class index of each, int (n,).
        weights: Weight of each beside that of its class, float32 (n,).
        folds: Fold of each, int (n,), from 0.
        dev_vectors: Features of dev (m, D); they stop a training, and nothing is chosen by them.
        dev_labels: Class index of each, int (m,).
        class_count: Number of classes C.
    """

    vectors: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    folds: np.ndarray
    dev_vectors: np.ndarray
    dev_labels: np.ndarray
    class_count: int

    @property
    def fold_count(self) -> int:
        """Number of folds K."""
        return int(self.folds.max()) + 1


@dataclass(frozen=True)
class FoldOutcome:
    """The heads of all folds.

    Attributes:
        probabilities: Of every picture of train, by the head that has not seen it (n, C).
        variables: Weights of the best epochs, each (K, …): kernels and biases in turn.
        epochs: How many the longest of them took.
        steps: Accuracy so far at each of :data:`CHECKS` that was reached.
        reason: Why it was given up before its end; empty if it was not.
    """

    probabilities: np.ndarray
    variables: list[np.ndarray]
    epochs: int
    steps: tuple[float, ...]
    reason: str = ""


def refuse_untrainable(parameters: HeadTrainingParameters) -> None:
    """Refuse what the compiled training cannot do, before any trial.

    Raises:
        GraftError: Names the parameter.
    """
    allowed: Mapping[str, tuple[Any, ...]] = {
        "optimizer": ("adam", "sgd", "rmsprop"), "schedule": ("constant",),
        "warmup_share": (0,), "clip_norm": (None,),
        "keep": ("log_loss",), "precision": ("float32", "auto"), "outputs": ("auto",),
        "loss": ("sparse_categorical_crossentropy", "categorical_crossentropy"),
    }  # fmt: skip
    for name, values in allowed.items():
        if (given := getattr(parameters, name)) not in values:
            shown = "null" if values[0] is None else values[0]
            raise GraftError(
                f"the search of heads trains with head_training.{name} {shown}; set it, or search "
                f"another space with --params search.space=recipes; got {given!r}"
            )


class FoldHeads:
    """Trains a head a fold, again and again with other parameters.

    Args:
        data: To train and measure on.
    """

    def __init__(self, data: FoldData) -> None:
        seed_everything(0)  # for operations without chance in their last bits
        self._data = data
        self._compiled: dict[tuple[int, str], _Compiled] = {}
        self._rows = [np.flatnonzero(data.folds != fold) for fold in range(data.fold_count)]

    def train(self, parameters: HeadTrainingParameters, bars: Sequence[float] = ()) -> FoldOutcome:
        """Train until every head has stopped; of each the best epoch on dev stays.

        Args:
            parameters: How to train.
            bars: Accuracy below which it is given up, at each of :data:`CHECKS`.
        """
        compiled = self._find_compiled(parameters)
        compiled.start(parameters)
        weights = self._weigh(parameters)
        count = self._data.fold_count
        lowest, waited = np.full(count, np.inf), np.zeros(count, int)
        best = compiled.read()
        steps: list[float] = []
        for epoch in range(parameters.epochs):
            order, scales = self._order(epoch, parameters, weights)
            losses = compiled.run_epoch(order, scales, parameters.seed, epoch)
            now = compiled.read()
            if not np.isfinite(losses).all():
                return self._end(best, epoch + 1, steps, "its loss is no longer a number")
            better = (losses < lowest) & (waited < parameters.patience)
            lowest = np.where(better, losses, lowest)
            for kept, new in zip(best, now, strict=True):
                kept[better] = new[better]
            # Who has stopped stays so, whatever its loss does while the others go on.
            waited = np.where(better, 0, waited + 1)
            if (waited >= parameters.patience).all():
                return self._end(best, epoch + 1, steps)
            if epoch + 1 in CHECKS:
                right = self._predict(best).argmax(axis=1) == self._data.labels
                steps.append(float(right.mean()))
                if is_given_up(steps[-1], len(steps) - 1, bars):
                    reason = f"below the median after {epoch + 1} epochs"
                    return self._end(best, epoch + 1, steps, reason)
        return self._end(best, parameters.epochs, steps)

    def _end(
        self, best: list[np.ndarray], epochs: int, steps: list[float], reason: str = ""
    ) -> FoldOutcome:
        return FoldOutcome(self._predict(best), best, epochs, tuple(steps), reason)

    def _find_compiled(self, parameters: HeadTrainingParameters) -> _Compiled:
        key = parameters.hidden_units, parameters.optimizer
        if key not in self._compiled:
            self._compiled[key] = _Compiled(self._data, parameters)
        return self._compiled[key]

    def _weigh(self, parameters: HeadTrainingParameters) -> list[np.ndarray]:
        data = self._data
        return [
            weigh_pictures(data.labels[rows], data.class_count, parameters.class_weights)
            * data.weights[rows]
            for rows in self._rows
        ]

    def _order(
        self, epoch: int, parameters: HeadTrainingParameters, weights: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows (S, K, B) of every step, and what each counts in the loss of its batch."""
        size = parameters.batch_size
        steps = -(-max(map(len, self._rows)) // size)
        order = np.zeros((len(self._rows), steps * size), np.int32)
        scales = np.zeros(order.shape, np.float32)
        for fold, rows in enumerate(self._rows):
            drawn = np.random.default_rng([parameters.seed, epoch]).permutation(len(rows))
            order[fold, : len(rows)] = rows[drawn]
            # Keras divides by the rows of a batch, of which the last may have fewer.
            batch = np.full(len(rows), size)
            if len(rows) % size:
                batch[-(len(rows) % size) :] = len(rows) % size
            scales[fold, : len(rows)] = weights[fold][drawn] / batch
        shape = len(self._rows), steps, size
        return (
            np.ascontiguousarray(order.reshape(shape).transpose(1, 0, 2)),
            np.ascontiguousarray(scales.reshape(shape).transpose(1, 0, 2)),
        )

    def _predict(self, variables: list[np.ndarray]) -> np.ndarray:
        """Of every picture by the head of its own fold, which has not been trained on it."""
        data = self._data
        probabilities = np.empty((len(data.labels), data.class_count), np.float32)
        for fold in range(data.fold_count):
            here = data.folds == fold
            values = data.vectors[here]
            if len(variables) > 2:
                values = np.maximum(values @ variables[0][fold] + variables[1][fold], 0)
            logits = values @ variables[-2][fold] + variables[-1][fold]
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities[here] = powers / powers.sum(axis=1, keepdims=True)
        return probabilities


class _Compiled:
    """Variables, optimizer and compiled epoch for heads of one shape."""

    def __init__(self, data: FoldData, parameters: HeadTrainingParameters) -> None:
        self._data, self._hidden = data, parameters.hidden_units
        count, width = data.fold_count, data.vectors.shape[1]
        inputs = self._hidden or width
        shapes = [(inputs, data.class_count), (data.class_count,)]
        if self._hidden:
            shapes = [(width, self._hidden), (self._hidden,), *shapes]
        self._variables = [
            keras.Variable(np.zeros((count, *shape), np.float32), name=f"variable{number}")
            for number, shape in enumerate(shapes)
        ]
        self._optimizer = make_optimizer(_Bag(self._variables), parameters, 1e-3)
        self._first_state = [np.array(one) for one in self._optimizer.variables]
        self._rows = (
            ops.convert_to_tensor(data.vectors),
            ops.convert_to_tensor(data.labels, "int32"),
            ops.convert_to_tensor(data.dev_vectors)[np.newaxis],
            ops.convert_to_tensor(data.dev_labels, "int32"),
        )
        self._numbers: list[Any] = []
        self._dropped = 0
        # Without dropout no noise is drawn.
        self._dropped_width, self._silence = inputs, np.zeros((0, 0, 0), np.uint8)
        self._epoch = load_backend().compile_steps(
            self._measure_step, self._measure_dev, self._optimizer, self._variables
        )

    def start(self, parameters: HeadTrainingParameters) -> None:
        """Set everything back to what a freshly built head has."""
        for variable in self._variables:
            variable.assign(np.zeros(variable.shape, np.float32))
        if self._hidden:
            initial = keras.initializers.HeNormal(seed=parameters.seed)
            first = np.asarray(initial(self._variables[0].shape[1:]))
            self._variables[0].assign(np.broadcast_to(first, self._variables[0].shape))
        for variable, value in zip(self._optimizer.variables, self._first_state, strict=True):
            variable.assign(value)
        self._optimizer.learning_rate = parameters.learning_rate
        # Of 256 equally likely numbers those below are dropped.
        self._dropped = round(256 * parameters.dropout)
        self._numbers = [
            ops.convert_to_tensor(parameters.weight_decay, "float32"),
            ops.convert_to_tensor(parameters.label_smoothing, "float32"),
            # As `fit` has it: beside smoothed labels dev is measured by the log loss alone.
            ops.convert_to_tensor(
                0.0 if parameters.label_smoothing else parameters.weight_decay, "float32"
            ),
            ops.convert_to_tensor(self._dropped, "int32"),
        ]

    def read(self) -> list[np.ndarray]:
        """Copies of all weights."""
        return [np.array(variable) for variable in self._variables]

    def run_epoch(self, order: np.ndarray, scales: np.ndarray, seed: int, epoch: int) -> np.ndarray:
        """Train for an epoch; the loss of every head on dev (K,)."""
        shape = order.shape[0], order.shape[2], self._dropped_width
        if self._silence.shape != shape:
            self._silence = np.zeros(shape, np.uint8)
        noise = self._silence
        if self._dropped > 0:
            # A byte a number, and one for the heads of all folds: each sees what dropout draws.
            # NumPy, for what XLA draws on a CPU takes longer than the rest of the step.
            drawn = np.random.default_rng([seed, epoch, 1]).bytes(math.prod(shape))
            noise = np.frombuffer(drawn, np.uint8).reshape(shape)
        return self._epoch((order, scales, noise), (*self._rows, *self._numbers))

    def _measure_step(
        self,
        values: Sequence[Any],
        rows: Any,
        scales: Any,
        noise: Any,
        vectors: Any,
        labels: Any,
        _dev: Any,
        _dev_labels: Any,
        penalty: Any,
        smoothing: Any,
        _dev_penalty: Any,
        dropped: Any,
    ) -> Any:
        """Loss of a step, of all heads together."""
        inputs = ops.take(vectors, rows, axis=0)
        logits = self._apply(values, inputs, _choose_kept(noise, dropped))
        losses = self._measure(logits, ops.take(labels, rows, axis=0), smoothing)
        return ops.sum(losses * scales) + penalty * ops.sum(_sum_squares(values))

    def _measure_dev(
        self,
        values: Sequence[Any],
        _vectors: Any,
        _labels: Any,
        dev: Any,
        dev_labels: Any,
        _penalty: Any,
        _smoothing: Any,
        dev_penalty: Any,
        _dropped: Any,
    ) -> Any:
        """Loss of every head on dev, with what penalty counts there (K,)."""
        logits = self._apply(values, dev, 1.0)
        targets = ops.broadcast_to(dev_labels, ops.shape(logits)[:2])
        losses = ops.mean(self._measure(logits, targets, 0.0), axis=1)
        return losses + dev_penalty * _sum_squares(values)

    def _apply(self, values: Sequence[Any], inputs: Any, kept: Any) -> Any:
        if self._hidden:
            inputs = ops.relu(ops.matmul(inputs, values[0]) + values[1][:, np.newaxis])
        return ops.matmul(inputs * kept, values[-2]) + values[-1][:, np.newaxis]

    def _measure(self, logits: Any, labels: Any, smoothing: Any) -> Any:
        count = self._data.class_count
        targets = ops.one_hot(labels, count) * (1.0 - smoothing) + smoothing / count
        return ops.categorical_crossentropy(targets, logits, from_logits=True)


def _sum_squares(values: Sequence[Any]) -> Any:
    """Of the kernels of every head (K,)."""
    sums = [ops.sum(ops.square(kernel), axis=(1, 2)) for kernel in values[::2]]
    return sum(sums[1:], sums[0])


def _choose_kept(noise: Any, dropped: Any) -> Any:
    """What dropout multiplies by: 0, or a little more than 1 so that the mean stays."""
    kept = ops.cast(ops.cast(noise, "int32") >= dropped, "float32")
    return kept * (256.0 / (256.0 - ops.cast(dropped, "float32")))


class _Bag:
    """What an optimizer asks of a model: its variables, in a layer."""

    name = "heads"

    def __init__(self, variables: list[keras.Variable]) -> None:
        self.trainable_variables = variables
        self.layers = (self,)


class HeadRunner:
    """Runs trials of heads: a :class:`graft.search.studies.Runner`.

    Args:
        data: To train and measure on.
        parameters: The default.
    """

    def __init__(self, data: FoldData, parameters: HeadTrainingParameters) -> None:
        self._data, self._parameters = data, parameters
        self._heads: FoldHeads | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Compiled functions cannot be sent to another process.
        return {**self.__dict__, "_heads": None}

    def run(self, number: int, values: Values | None, bars: Sequence[float]) -> Trial:
        """Train the heads of all folds with some parameters changed.

        Raises:
            GraftError: If the loss of the default is no longer a number.
        """
        self._heads = self._heads or FoldHeads(self._data)
        given = values or {}
        changes = {path.removeprefix(_STAGE): value for path, value in given.items()}
        outcome = self._heads.train(self._parameters.model_copy(update=changes), bars)
        if outcome.reason and values is None:
            raise GraftError(
                "a search starts from the default, and that cannot be trained; lower "
                f"head_training.learning_rate; got {self._parameters.learning_rate}: "
                f"{outcome.reason}"
            )
        if outcome.reason:
            return Trial(number, given, outcome.steps, reason=outcome.reason)
        return score(number, given, outcome.steps, self._data.labels, outcome.probabilities)
