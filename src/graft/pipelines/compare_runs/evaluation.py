"""The node that compares two runs: the verdict is that of dev, test is only shown."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from graft.errors import GraftError
from graft.pipelines.compare_runs.parameters import CompareRunsParameters
from graft.scores.comparison import compare_classifiers
from graft.scores.metrics import METRICS

logger = logging.getLogger(__name__)


def compare_runs(
    chosen_predictions: pd.DataFrame,
    splits: pd.DataFrame,
    other_predictions: pd.DataFrame,
    other_splits: pd.DataFrame,
    parameters: CompareRunsParameters,
) -> dict[str, Any]:
    """Compare the chosen models of two runs on the same pictures of dev, and show test.

    A picture is the same if its bytes are, whatever its name. Both runs have looked at test
    already; the verdict is that of dev, so that nobody chooses by test.

    Returns:
        ``run_comparison``: ``other`` (its name), ``models`` (``other`` and ``this`` → the chosen
        model); for ``dev`` and ``test`` ``values`` (``other`` and ``this`` → accuracy and log
        loss) and what :func:`graft.scores.comparison.compare_classifiers` gives, the other run
        first.

    Raises:
        GraftError: If no other run is named, or pictures, labels or classes of dev or test differ.
    """
    if not parameters.other:
        raise GraftError(
            "compare_runs needs another run to compare with, by the name of its folder in "
            "data/08_reporting; add --params=other=NAME; got no name"
        )
    comparison: dict[str, Any] = {"other": parameters.other}
    for split in ("dev", "test"):
        mine = _select(chosen_predictions, splits, split)
        other = _select(other_predictions, other_splits, split)
        _refuse_other_pictures(mine, other, parameters.other, split)
        comparison["models"] = {"other": other["model"].iloc[0], "this": mine["model"].iloc[0]}
        comparison[split] = _compare_split(mine, other.loc[mine.index], parameters)
    for line in format_comparison(comparison, parameters.confidence):
        logger.info(line)
    return comparison


def _compare_split(
    mine: pd.DataFrame, other: pd.DataFrame, parameters: CompareRunsParameters
) -> dict[str, Any]:
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
    values = {
        run: {
            name: float(METRICS[name](labels, probabilities, once)[0])
            for name in ("accuracy", "log_loss")
        }
        for run, probabilities in given.items()
    }
    return {"values": values, **found}


def format_comparison(comparison: dict[str, Any], confidence: float) -> list[str]:
    """The verdict of dev as a table, and what test shows; lines of at most 80 columns.

    Args:
        comparison: As of :func:`compare_runs`.
        confidence: Coverage of the intervals.
    """
    models = {run: name.replace("_", "-") for run, name in comparison["models"].items()}
    lines = [
        f"Compared     other  {comparison['other']} ({models['other']})",
        f"             this   this run ({models['this']})",
    ]
    for split in ("dev", "test"):
        lines += ["", *_format_split(comparison[split], split, confidence)]
    found = comparison["dev"]
    lines += [
        "",
        f"on dev right with other alone {found['only_first']:,}, with this alone "
        f"{found['only_second']:,}: McNemar, p = {found['p_value']:.2g}",
    ]
    smallest = found["smallest"]
    if smallest is None:
        lines.append("so few pictures of dev could not show any difference")
    else:
        lines.append(
            f"a difference of {100 * smallest:.1f} points of accuracy would be shown 4 times of 5"
        )
    return [*lines, "the verdict is that of dev; test only shows what came of it"]


def _format_split(found: dict[str, Any], split: str, confidence: float) -> list[str]:
    clusters = found["clusters"]
    joined = f" in {clusters:,} clusters" if clusters < found["n"] else ""
    lines = [
        f"On {found['n']:,} pictures of {split}{joined}",
        f"{'':<12}{'other':>8}{'this':>8}{'change':>9}  {100 * confidence:g} % interval",
    ]
    for name, verdict in (("accuracy", "verdict"), ("log_loss", "log_loss_verdict")):
        values, change = found["values"], found[name]
        told = f"  {found[verdict]}" if split == "dev" else ""
        lines.append(
            f"{name.replace('_', ' '):<12}{values['other'][name]:>8.3f}{values['this'][name]:>8.3f}"
            f"{change['value']:>+9.3f}  {change['low']:+.3f} to {change['high']:+.3f}{told}"
        )
    return lines


def _select(predictions: pd.DataFrame, splits: pd.DataFrame, split: str) -> pd.DataFrame:
    """Rows of a split, named by their bytes, copies of one file numbered in the order of names."""
    rows = predictions[predictions["split"] == split].merge(
        splits[["image_id", "sha256", "cluster"]], on="image_id", validate="one_to_one"
    )
    rows = rows.sort_values("image_id")
    keys = [rows["sha256"], rows.groupby("sha256").cumcount()]
    return rows.set_index(pd.MultiIndex.from_arrays(keys))


def _refuse_other_pictures(mine: pd.DataFrame, other: pd.DataFrame, name: str, split: str) -> None:
    same = f"with the same pictures, splitting parameters and seed both have the same {split}"
    alone = len(mine.index.difference(other.index)), len(other.index.difference(mine.index))
    if any(alone):
        raise GraftError(
            f"the pictures of {split} are not the same, so nothing can be compared; {same}; got "
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
            f"labels of {split} have changed between the runs; evaluate the other one again on "
            f"today's labels; got {relabelled:,} pictures with another label in '{name}'"
        )
