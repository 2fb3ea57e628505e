"""A warm start as a user goes it: a few pictures more, and the champion is trained on."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graft.pipelines import candidates
from helpers.killing import hash_outputs
from helpers.projects import FinishedRun

WARM = ("--env=test", "--params", "warm_start=true")
# What remembers looks at test on purpose, and what a warm start alone leaves.
_OF_THE_PAST = ("test_evaluations", "champion.json", "champion/", "report.html", "starting_",
                "warm_start.json", ".champion.", ".report.")  # fmt: skip


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """No other test of this process begins warm."""
    monkeypatch.setattr(candidates, "_begins_warm", False)


def change_count(project: Path, count: int) -> None:
    """Let the environment ``test`` have another number of digits than its 200."""
    catalog = project / "conf/test/catalog_ingestion.yml"
    text, found = re.subn(r"limit: \d+", f"limit: {count}", catalog.read_text())
    assert found == 1
    catalog.write_text(text)


def read(project: Path, name: str) -> Any:
    return json.loads((project / "data" / name).read_text())


def test_the_champion_goes_on_with_new_pictures_and_says_so(
    finished_project: Path, run_kedro: Callable
) -> None:
    champion = finished_project / "data/06_models/test/champion"
    sha256 = hashlib.sha256((champion / "classifier.keras").read_bytes()).hexdigest()
    change_count(finished_project, 206)
    ended = run_kedro(*WARM)
    assert ended.code == 0, ended.err
    assert f"Warm start   from champion {sha256[:12]}, " in ended.out
    assert "of 200 pictures; new are 6, " in " ".join(ended.out.split())
    outcome = read(finished_project, "08_reporting/test/warm_start.json")
    assert (outcome["champion"], outcome["new"], outcome["steps"]) == (sha256, 6, 1)
    before, after = outcome["dev_before"], outcome["dev_after"]
    assert (after["accuracy"], -after["log_loss"]) >= (before["accuracy"], -before["log_loss"])
    # The choice is told wherever somebody reads of the champion.
    manifest = read(finished_project, "08_reporting/test/manifest.json")
    assert manifest["warm_start_outcome"] == outcome
    assert manifest["parameters"]["warm_start"] is True
    facts = read(finished_project, "06_models/test/champion/classifier.json")
    assert facts["warm_start"] == outcome
    assert outcome["sentence"] in (champion / "model_card.md").read_text()
    report = (finished_project / "data/08_reporting/test/report.html").read_text()
    assert f"It comes of a <b>warm start</b>, {outcome['sentence']}" in report
    assert "nothing to do" in run_kedro(*WARM).out


@pytest.mark.slow
def test_without_the_flag_a_run_gives_the_bytes_of_one_that_never_heard_of_it(
    finished_project: Path, finished_run: FinishedRun, run_kedro: Callable
) -> None:
    change_count(finished_project, 206)
    assert run_kedro(*WARM).code == 0
    change_count(finished_project, 200)
    assert run_kedro("--env=test").code == 0
    first, second = hash_outputs(finished_run.project), hash_outputs(finished_project)
    compared = [name for name in first if not any(part in name for part in _OF_THE_PAST)]
    assert len(compared) > 100
    assert [name for name in compared if first[name] != second.get(name)] == []
