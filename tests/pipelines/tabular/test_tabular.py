"""Tables from file to report: the same folds for all models, mistakes told in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from graft.datasets import FigureDataset, HTMLDataset
from graft.errors import GraftError
from graft.pipelines.tabular import create_pipeline
from graft.pipelines.tabular.nodes import cross_validate_table, summarise_folds
from graft.pipelines.tabular.parameters import TabularParameters
from graft.pipelines.tabular.tables import LibraryTableDataset, TableFileDataset

CLASSIFICATION = TabularParameters(
    task="classification",
    target="kind",
    folds=3,
    units=(4,),
    dropout=0,
    l2=0,
    learning_rate=0.1,
    epochs=8,
    batch_size=16,
    seed=2,
)
# Where the network is not what a test is about.
BRIEF = CLASSIFICATION.model_copy(update={"epochs": 1})
REGRESSION = BRIEF.model_copy(update={"task": "regression", "target": -1, "folds": 2})


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Forty rows, thirty of them of class b, which column x tells; one value is missing."""
    random = np.random.default_rng(0)
    kinds = np.array(["a"] * 10 + ["b"] * 30)
    x = random.normal(size=40) + 6 * (kinds == "b")
    table = pd.DataFrame({"kind": kinds, "x": x, "y": random.normal(size=40)})
    table["z"] = 100 * table["x"] + random.normal(size=40)
    table.loc[3, "y"] = np.nan
    return table


@pytest.fixture(scope="module")
def made(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> DataCatalog:
    """What a run of the pipeline leaves."""
    folder = tmp_path_factory.mktemp("made")
    parameters = CLASSIFICATION.model_copy(update={"folds": 2})
    catalog = DataCatalog(
        {
            "raw_table": MemoryDataset(table),
            "params:tabular": MemoryDataset(parameters, copy_mode="assign"),
            "tabular_scores": CSVDataset(
                filepath=str(folder / "scores.csv"), save_args={"index": False}
            ),
            "tabular_metrics": JSONDataset(filepath=str(folder / "metrics.json")),
            "fold_scores": FigureDataset(filepath=str(folder / "folds.png")),
            "tabular_report": HTMLDataset(filepath=str(folder / "report.html")),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return catalog


def test_the_pipeline_ends_in_metrics_and_a_report(made: DataCatalog) -> None:
    metrics, scores = made.load("tabular_metrics"), made.load("tabular_scores")
    assert set(metrics) == {"network", "linear", "trivial"}
    assert metrics["network"]["accuracy"]["mean"] > 0.95
    assert metrics["trivial"]["accuracy"]["mean"] == pytest.approx(0.75, abs=0.02)
    assert metrics["trivial"]["roc_auc"]["mean"] == 0.5
    assert scores.groupby("model")["rows"].sum().tolist() == [40] * 3
    assert "2-fold cross-validation on <b>40</b> rows" in made.load("tabular_report")


def test_every_fold_of_a_classification_has_its_share_of_every_class(made: DataCatalog) -> None:
    scores = made.load("tabular_scores")
    trivial = scores[scores["model"] == "trivial"]
    shares = trivial["accuracy"] * trivial["rows"]
    # Folds that are not stratified would differ in it.
    np.testing.assert_allclose(trivial["rows"] - shares, 5)


def test_scores_of_a_regression_agree_with_scikit_learn(table: pd.DataFrame) -> None:
    numbers = table[["x", "y", "z"]].fillna(0)
    scores = cross_validate_table(numbers, REGRESSION)
    linear = scores[scores["model"] == "linear"].reset_index(drop=True)
    rows, targets = numbers[["x", "y"]].to_numpy(), numbers["z"].to_numpy()
    folds = KFold(2, shuffle=True, random_state=2).split(rows)
    for place, (train, held_out) in enumerate(folds):
        model = make_pipeline(StandardScaler(), Ridge()).fit(rows[train], targets[train])
        predicted = model.predict(rows[held_out])
        assert linear["r2"][place] == pytest.approx(r2_score(targets[held_out], predicted))
        rmse = mean_squared_error(targets[held_out], predicted) ** 0.5
        assert linear["rmse"][place] == pytest.approx(rmse)
    found = summarise_folds(scores, REGRESSION)["linear"]["rmse"]
    assert found["mean"] == pytest.approx(linear["rmse"].mean())
    assert found["std"] == pytest.approx(linear["rmse"].std(ddof=1))


@pytest.mark.parametrize(
    ("change", "parameters", "message"),
    [
        ({}, {"target": "sort"}, "has the columns kind, x, y, z; .* got 'sort'"),
        ({}, {"target": 4}, "got 4"),
        ({"x": "warm"}, {}, "got 'x' of text"),
        ({"kind": [None] * 2 + ["b"] * 38}, {}, "got 2 rows without one in column 'kind'"),
        ({"kind": ["a"] * 2 + ["b"] * 38}, {}, "got 2 classes, the smallest of 2 rows"),
        ({"kind": "a"}, {}, "got 1 classes"),
        ({"x": 1}, {"task": "regression"}, "a regression predicts numbers; got 'a'"),
        ({}, {"task": "regression", "target": -1, "folds": 21}, "got 'kind' of text"),
    ],
)
def test_a_table_that_does_not_fit_is_told_in_one_line(
    table: pd.DataFrame, change: dict, parameters: dict, message: str
) -> None:
    with pytest.raises(GraftError, match=message) as caught:
        cross_validate_table(table.assign(**change), CLASSIFICATION.model_copy(update=parameters))
    assert "\n" not in str(caught.value)


def test_too_many_folds_for_a_regression_are_told(table: pd.DataFrame) -> None:
    with pytest.raises(GraftError, match="every fold needs two rows, of 40; got 21"):
        cross_validate_table(table[["x", "y", "z"]], REGRESSION.model_copy(update={"folds": 21}))


def test_a_file_without_names_of_columns_has_numbers_for_them(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("1,2,0\n3,4,1\n")
    table = TableFileDataset(filepath=str(path), has_header=False).load()
    assert table.columns.tolist() == [0, 1, 2]
    assert table.to_numpy().tolist() == [[1, 2, 0], [3, 4, 1]]


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2,3\n4"])
def test_what_is_wrong_with_a_file_is_told_in_one_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "table.csv"
    if content is not None:
        path.write_text(content)
        if content:
            path.write_bytes(b"\xff\xfe,\x00\n" * 3)
    with pytest.raises(DatasetError) as caught:
        TableFileDataset(filepath=str(path)).load()
    error = caught.value.__cause__
    assert isinstance(error, GraftError)
    assert "\n" not in str(error)
    assert str(error).endswith(f"got '{path}'")


def test_the_table_of_scikit_learn_needs_no_network() -> None:
    table = LibraryTableDataset(name="diabetes").load()
    assert table.shape == (442, 11)
    assert table.columns[-1] == "target"
    with pytest.raises(GraftError, match="diabetes or california_housing; got 'boston'"):
        LibraryTableDataset(name="boston")


@pytest.mark.shared
def test_the_shared_table_is_read_as_it_is(shared: Path) -> None:
    path = shared / "data/pima/pima-indians-diabetes.csv"
    table = TableFileDataset(filepath=str(path), has_header=False).load()
    assert table.shape == (767, 9)
    assert table[8].value_counts().to_dict() == {0: 499, 1: 268}
