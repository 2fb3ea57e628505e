"""The node that compares two runs on the pictures of test, which it alone reads here."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from graft.analysis.comparison import compare_classifiers
from graft.analysis.metrics import METRICS
from graft.errors import GraftError
from graft.pipelines.compare_runs.parameters import CompareRunsParameters

logger = logging.getLogger(__name__)


def compare_runs(
    chosen_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    other_predictions: pd.DataFrame,
    other_splits: pd.DataFrame,
    parameters: CompareRunsParameters,
) -> dict[str, Any]:
    """Compare the chosen models of two runs on the same pictures of test.

    A picture is the same if its bytes are, whatever its name.

    Returns:
        ``run_comparison``: ``other`` (its name), ``models`` (``other`` and ``this`` → the chosen
        model), ``values`` (``other`` and ``this`` → accuracy and log loss), and what
        :func:`graft.analysis.comparison.compare_classifiers` gives, the other run first.

    Raises:
        GraftError: If no other run is named, or pictures, labels or classes of test differ.
    """
    if not parameters.other:
        raise GraftError(
            "compare_runs needs another run to compare with, by the name of its folder in "
            "data/08_reporting; add --params=other=NAME; got no name"
        )
    mine = _select_test(chosen_predictions, splits)
    other = _select_test(other_predictions, other_splits)
    _refuse_other_pictures(mine, other, parameters.other)
    other = other.loc[mine.index]
    columns = [name for name in mine.columns if name.startswith("probability_")]
    names = [name.removeprefix("probability_") for name in columns]
    labels = pd.Categorical(mine["label"], categories=names).codes.astype(np.int64)
    given = {
        "other": other[columns].to_numpy(np.float64),
        "this": mine[columns].to_numpy(np.float64),
    }
    found = compare_classifiers(
        labels,
        given["other"],
        given["this"],
        parameters.bootstrap_draws,
        parameters.confidence,
        parameters.seed,
        mine["cluster"].to_numpy(),
    )
    once = np.ones((1, len(labels)))
    comparison = {
        "other": parameters.other,
        "models": {"other": other["model"].iloc[0], "this": mine["model"].iloc[0]},
        "values": {
            run: {
                name: float(METRICS[name](labels, probabilities, once)[0])
                for name in ("accuracy", "log_loss")
            }
            for run, probabilities in given.items()
        },
        **found,
    }
    for line in format_comparison(comparison, parameters.confidence):
        logger.info(line)
    return comparison


def format_comparison(comparison: dict[str, Any], confidence: float) -> list[str]:
    """The verdict as a table, lines of at most 80 columns.

    Args:
        comparison: As of :func:`compare_runs`.
        confidence: Coverage of the intervals.
    """
    models = {run: name.replace("_", "-") for run, name in comparison["models"].items()}
    clusters = comparison["clusters"]
    joined = f" in {clusters:,} clusters" if clusters < comparison["n"] else ""
    lines = [
        f"Compared     {comparison['n']:,} pictures of test{joined}",
        f"             other  {comparison['other']} ({models['other']})",
        f"             this   this run ({models['this']})",
        "",
        f"{'':<12}{'other':>8}{'this':>8}{'change':>9}  {100 * confidence:g} % interval",
    ]
    for name, verdict in (("accuracy", "verdict"), ("log_loss", "log_loss_verdict")):
        values, change = comparison["values"], comparison[name]
        lines.append(
            f"{name.replace('_', ' '):<12}{values['other'][name]:>8.3f}{values['this'][name]:>8.3f}"
            f"{change['value']:>+9.3f}  {change['low']:+.3f} to {change['high']:+.3f}  "
            f"{comparison[verdict]}"
        )
    lines += [
        "",
        f"right with other alone {comparison['only_first']:,}, with this alone "
        f"{comparison['only_second']:,}: exact McNemar test, p = {comparison['p_value']:.2g}",
    ]
    smallest = comparison["smallest"]
    if smallest is None:
        lines.append("so few pictures of test could not show any difference")
    else:
        lines.append(
            f"a difference of {100 * smallest:.1f} points of accuracy would be shown 4 times of 5"
        )
    return lines


def _select_test(predictions: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """Rows of test, named by their bytes, copies of one file numbered in the order of names."""
    test = predictions[predictions["split"] == "test"].merge(
        splits[["image_id", "sha256", "cluster"]], on="image_id", validate="one_to_one"
    )
    test = test.sort_values("image_id")
    keys = [test["sha256"], test.groupby("sha256").cumcount()]
    return test.set_index(pd.MultiIndex.from_arrays(keys))


def _refuse_other_pictures(mine: pd.DataFrame, other: pd.DataFrame, name: str) -> None:
    same_test = "with the same pictures, splitting parameters and seed both have the same test"
    alone = len(mine.index.difference(other.index)), len(other.index.difference(mine.index))
    if any(alone):
        raise GraftError(
            f"the pictures of test are not the same, so nothing can be compared; {same_test}; got "
            f"{alone[0]:,} only in this run and {alone[1]:,} only in '{name}'"
        )
    columns = [
        {column for column in table.columns if column.startswith("probability_")}
        for table in (mine, other)
    ]
    differing = sorted(column.removeprefix("probability_") for column in columns[0] ^ columns[1])
    if differing:
        raise GraftError(
            f"the classes are not the same; both runs need the same; got {len(differing):,} that "
            f"only one has, such as '{differing[0]}', in this run and '{name}'"
        )
    relabelled = int((mine["label"] != other.loc[mine.index, "label"]).sum())
    if relabelled:
        raise GraftError(
            "labels of test have changed between the runs; evaluate the other one again on today's "
            f"labels; got {relabelled:,} pictures with another label in '{name}'"
        )
