"""Keras networks for tables as estimators of scikit-learn.

Why not a wrapper: with scikit-learn 1.9 ``is_classifier`` is false for that of scikeras 0.13, so
an integer ``cv`` is silently not stratified; that of Keras 3.15 loses its ``fit_kwargs`` when it
is cloned, so ``cross_val_score`` trains one epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted, validate_data

from graft.pipelines.tabular.parameters import LINEAR, NETWORK, TRIVIAL, TabularParameters
from graft.training.devices import seed_everything

_PREDICTED_ROWS = 4096


class _TableNetwork(BaseEstimator):
    """Dense layers with dropout, trained with Adam for a fixed number of epochs.

    Args:
        units: Units of every hidden layer; empty for a linear model.
        dropout: Share of each hidden layer's outputs dropped in training, in [0, 1).
        l2: Factor of the L2 penalty on kernels.
        learning_rate: Of Adam.
        epochs: Passes over the rows.
        batch_size: Rows a step.
        seed: Of start weights, dropout and the order of the rows.
    """

    def __init__(
        self,
        units: Sequence[int] = (16,),
        dropout: float = 0.0,
        l2: float = 0.0,
        learning_rate: float = 1e-3,
        epochs: int = 50,
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        self.units = units
        self.dropout = dropout
        self.l2 = l2
        self.learning_rate = learning_rate
        self.epochs = epochs
        self.batch_size = batch_size
        self.seed = seed

    def _fit(
        self, rows: np.ndarray, targets: np.ndarray, outputs: int, activation: str, loss: str
    ) -> None:
        seed_everything(self.seed)
        layers: list[keras.Layer] = [keras.Input((rows.shape[1],))]
        for number, units in enumerate(self.units):
            seed = 100 * self.seed + 10 * number
            layers += [
                keras.layers.Dense(
                    units,
                    activation="relu",
                    kernel_initializer=keras.initializers.HeNormal(seed=seed),
                    kernel_regularizer=keras.regularizers.L2(self.l2) if self.l2 else None,
                ),
                keras.layers.Dropout(self.dropout, seed=seed + 1),
            ]
        output = keras.layers.Dense(outputs, activation=activation, kernel_initializer="zeros")
        self.network_ = keras.Sequential([*layers, output])
        self.network_.compile(keras.optimizers.Adam(self.learning_rate), loss)
        self.network_.fit(
            rows.astype(np.float32),
            targets,
            batch_size=self.batch_size,
            epochs=self.epochs,
            verbose=0,
        )

    def _predict(self, rows: Any) -> np.ndarray:
        check_is_fitted(self, "network_")
        checked = validate_data(self, rows, reset=False).astype(np.float32)
        return self.network_.predict(checked, batch_size=_PREDICTED_ROWS, verbose=0)


class TableClassifier(ClassifierMixin, _TableNetwork):
    """A classifier of rows of numbers; its arguments are those of its base class.

    Attributes:
        classes_: The classes, sorted.
    """

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's names
        """Train on rows (n, D) and their classes (n,)."""
        rows, labels = validate_data(self, X, y)
        self.classes_, targets = np.unique(labels, return_inverse=True)
        loss = "sparse_categorical_crossentropy"
        self._fit(rows, targets, len(self.classes_), "softmax", loss)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:  # noqa: N803 - as above
        """Probability of every class, (n, C) in the order of ``classes_``."""
        return self._predict(X)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803 - as above
        """The most probable class of every row, (n,)."""
        best = self._predict(X).argmax(axis=1)
        return self.classes_[best]


class TableRegressor(RegressorMixin, _TableNetwork):
    """A regressor of rows of numbers; its arguments are those of its base class.

    The target is standardised while it is learnt.
    """

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - as above
        """Train on rows (n, D) and their targets (n,)."""
        rows, targets = validate_data(self, X, y, y_numeric=True)
        self.mean_, self.scale_ = float(targets.mean()), float(targets.std()) or 1.0
        standardised = (targets - self.mean_) / self.scale_
        self._fit(rows, standardised, 1, "linear", "mean_squared_error")
        return self

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803 - as above
        """The expected target of every row, (n,)."""
        return self._predict(X)[:, 0].astype(np.float64) * self.scale_ + self.mean_


def make_models(parameters: TabularParameters) -> dict[str, Pipeline]:
    """The network and what it is measured against, each behind the same preparation."""
    settings = parameters.model_dump(exclude={"task", "target", "folds"})
    models: dict[str, BaseEstimator]
    if parameters.task == "classification":
        models = {
            NETWORK: TableClassifier(**settings),
            LINEAR: LogisticRegression(max_iter=1000),
            TRIVIAL: DummyClassifier(),
        }
    else:
        models = {NETWORK: TableRegressor(**settings), LINEAR: Ridge(), TRIVIAL: DummyRegressor()}
    return {
        name: make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), model)
        for name, model in models.items()
    }
