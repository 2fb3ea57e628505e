"""The cross-validation as a person runs it: after the features, on request, in one command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

VALIDATION = "--pipelines=cross_validation"


def test_folds_are_measured_told_and_kept(run_kedro: Callable, finished_project: Path) -> None:
    outcome = run_kedro("--env=test", VALIDATION, "--params", "cross_validation.folds=3")
    assert outcome.code == 0, outcome.err
    assert "3 folds of 160 pictures, test left out" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80
    place = finished_project / "data/08_reporting/test"
    found = json.loads((place / "cross_validation.json").read_text())
    scores = pd.read_csv(place / "cross_validation_scores.csv")
    assert found["models"]["frozen"]["accuracy"]["folds"] == scores["accuracy"].tolist()
    assert "Graft cross-validation" in (place / "cross_validation.html").read_text()

    refused = run_kedro("--env=test", VALIDATION, "--params", "cross_validation.folds=50")
    assert refused.code == 1
    assert "every fold needs one; at most" in refused.error
    tuned = "cross_validation.fine_tuning=true,fine_tuning.unfreeze=none"
    # How folds are tuned is what the fine-tuning stage was told, or found.
    refused = run_kedro("--env=test", "--pipelines=fine_tuning,cross_validation", "--params", tuned)
    assert "name at least one block to fine-tune it; got 'none'" in refused.error
