"""Networks for tables as scikit-learn expects them: cloned, validated, stratified."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import StratifiedKFold, check_cv, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graft.pipelines.tabular.estimators import TableClassifier, TableRegressor

FEW = {"units": (4,), "epochs": 2, "batch_size": 16, "seed": 5}


def make_rows(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    rows = random.normal(size=(count, 3))
    return rows, np.where(rows[:, 0] > 0, "yes", "no")


def test_an_integer_cv_is_stratified_for_the_classifier() -> None:
    # The trap of scikeras 0.13.
    model = TableClassifier()
    assert is_classifier(model)
    assert is_regressor(TableRegressor())
    _, labels = make_rows()
    assert isinstance(check_cv(3, labels, classifier=is_classifier(model)), StratifiedKFold)


def test_a_clone_learns_the_same_bits_in_as_many_epochs_and_another_seed_others() -> None:
    model = TableClassifier(units=(7, 3), dropout=0.3, l2=0.1, epochs=3, batch_size=60, seed=4)
    copy, other = clone(model), clone(model).set_params(seed=5)
    assert copy.get_params() == model.get_params()
    rows, labels = make_rows()

    def learn(one: TableClassifier) -> list[bytes]:
        return [weights.tobytes() for weights in one.fit(rows, labels).network_.get_weights()]

    learnt = learn(model)
    assert learn(copy) == learnt
    assert learn(other) != learnt
    # The trap of Keras' own wrapper: its clones train one epoch.
    assert int(copy.network_.optimizer.iterations) == 3


def test_classes_keep_their_names_and_order_and_other_columns_are_refused() -> None:
    rows, labels = make_rows()
    model = TableClassifier(learning_rate=0.1, epochs=10, seed=1).fit(rows, labels)
    assert model.classes_.tolist() == ["no", "yes"]
    probabilities = model.predict_proba(rows)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert (model.predict(rows) == model.classes_[probabilities.argmax(axis=1)]).all()
    assert model.score(rows, labels) > 0.95
    with pytest.raises(ValueError, match="expecting 3 features"):
        model.predict(rows[:, :2])


def test_the_regressor_knows_the_scale_of_its_target() -> None:
    rows, _ = make_rows(200)
    targets = 1e5 + 3e4 * rows[:, 0] - 1e4 * rows[:, 1]
    model = TableRegressor(units=(), learning_rate=0.1, epochs=15).fit(rows, targets)
    assert model.score(rows, targets) > 0.999


def test_a_constant_target_is_learnt_and_other_columns_are_refused() -> None:
    rows, _ = make_rows()
    model = TableRegressor(**FEW).fit(rows, np.full(60, 7.0))
    np.testing.assert_allclose(model.predict(rows), 7, atol=1e-4)
    with pytest.raises(ValueError, match="expecting 3 features"):
        model.predict(rows[:, :2])


@pytest.mark.slow
def test_it_is_as_good_as_known_models_on_known_tables() -> None:
    rows, labels = load_breast_cancer(return_X_y=True)
    model = TableClassifier(epochs=20, learning_rate=3e-3, seed=1)
    found = cross_val_score(make_pipeline(StandardScaler(), model), rows, labels, cv=2)
    assert found.mean() > 0.95  # logistic regression has 0.98
    rows, targets = load_diabetes(return_X_y=True)
    model = TableRegressor(epochs=30, learning_rate=3e-3, dropout=0.2, seed=1)
    found = cross_val_score(make_pipeline(StandardScaler(), model), rows, targets, cv=2)
    linear = cross_val_score(make_pipeline(StandardScaler(), Ridge()), rows, targets, cv=2)
    assert found.mean() > linear.mean() - 0.05


@pytest.mark.parametrize("kind", [TableClassifier, TableRegressor])
def test_before_it_is_fitted_it_predicts_nothing(kind: type) -> None:
    rows, _ = make_rows()
    with pytest.raises(NotFittedError):
        kind().predict(rows)
