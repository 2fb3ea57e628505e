"""Tables a class agree with scikit-learn and follow the order of the class names."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import classification_report

from graft.analysis.metrics import condense_confusions, count_confusions, tabulate_classes

CLASS_NAMES = ["rose", "daisy", "tulip"]


@pytest.fixture
def labels():
    return pd.Series(["rose", "rose", "daisy", "daisy", "daisy", "tulip"])


@pytest.fixture
def predicted():
    return pd.Series(["rose", "daisy", "daisy", "daisy", "rose", "daisy"])


def test_a_row_a_class_in_the_order_of_the_class_names(labels, predicted):
    table = tabulate_classes(labels, predicted, CLASS_NAMES)
    assert table["class"].tolist() == CLASS_NAMES
    assert table["support"].tolist() == [2, 3, 1]


def test_precision_recall_and_f1_counted_by_hand(labels, predicted):
    table = tabulate_classes(labels, predicted, CLASS_NAMES).set_index("class")
    assert table.loc["rose", ["precision", "recall", "f1"]].tolist() == [1 / 2, 1 / 2, 1 / 2]
    assert table.loc["daisy", ["precision", "recall"]].tolist() == [2 / 4, 2 / 3]


@pytest.mark.filterwarnings("error")
def test_a_class_that_is_never_predicted_has_precision_0(labels, predicted):
    table = tabulate_classes(labels, predicted, CLASS_NAMES).set_index("class")
    assert table.loc["tulip", ["precision", "recall", "f1"]].tolist() == [0, 0, 0]


def test_confusions_counted_by_hand(labels, predicted):
    counts = count_confusions(labels, predicted, CLASS_NAMES)
    assert counts.index.tolist() == counts.columns.tolist() == CLASS_NAMES
    assert counts.to_numpy().tolist() == [[1, 1, 0], [1, 2, 0], [0, 1, 0]]


def test_both_tables_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    names = [f"class {number}" for number in range(6)]
    labels, predicted = (pd.Series(random.choice(names, 300)) for _ in range(2))
    table = tabulate_classes(labels, predicted, names).set_index("class")
    report = classification_report(labels, predicted, output_dict=True)
    for name in names:
        assert table.loc[name, "f1"] == report[name]["f1-score"]
    counts = count_confusions(labels, predicted, names)
    assert (counts.sum(axis=1) == table["support"]).all()
    pairs = list(zip(labels, predicted, strict=True))
    assert counts.loc["class 1", "class 4"] == pairs.count(("class 1", "class 4"))


def test_of_many_classes_those_confused_most_keep_their_rows():
    names = list("abcde")
    counts = pd.DataFrame(np.diag([9, 9, 9, 9, 9]), index=names, columns=names)
    counts.loc["b", "d"], counts.loc["d", "b"], counts.loc["d", "e"] = 4, 1, 2
    counts.loc["a", "c"] = 1
    table = condense_confusions(counts, kept=2)
    assert table.index.tolist() == table.columns.tolist() == ["b", "d", "3 other classes"]
    assert np.nan_to_num(table.to_numpy(), nan=-1).tolist() == [[9, 4, 0], [1, 9, 2], [0, 0, -1]]


def test_a_thousand_classes_are_tabulated_quickly():
    random = np.random.default_rng(0)
    names = [f"class {number}" for number in range(1000)]
    labels, predicted = (pd.Series(random.choice(names, 1000)) for _ in range(2))
    started = time.process_time()
    table = tabulate_classes(labels, predicted, names)
    condense_confusions(count_confusions(labels, predicted, names), 24)
    assert time.process_time() - started < 2
    assert len(table) == 1000
