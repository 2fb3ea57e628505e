"""Faults: whatever happens to a run, the next one ends like an undisturbed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.killing import hash_outputs, make_env, run_killed_at_move, run_whole
from helpers.projects import FinishedRun

KILLED = -9


@pytest.mark.slow
def test_threads_give_the_same_bytes(project: Path, finished_run: FinishedRun) -> None:
    done = run_whole(project, "run", "--env=test", "--runner=ThreadRunner")
    assert done.returncode == 0, done.stderr
    assert hash_outputs(project) == hash_outputs(finished_run.project)


def test_a_kill_ends_with_the_same_bytes(
    project: Path, finished_run: FinishedRun, run_kedro: Callable
) -> None:
    arguments = ("--env=test", "--pipelines=ingestion,splitting,decoding")
    assert run_killed_at_move(project, 30, "run", *arguments) == KILLED
    half = hash_outputs(project)
    done = run_kedro(*arguments)
    assert done.code == 0, done.err
    made, whole = hash_outputs(project), hash_outputs(finished_run.project)
    assert len(half) < len(made)
    assert made.items() <= whole.items()
    assert "nothing to do" in run_kedro(*arguments).out


@pytest.mark.slow
def test_kills_end_with_the_same_bytes(project: Path, finished_run: FinishedRun) -> None:
    for move in (2, 9, 30, 17, 40):
        assert run_killed_at_move(project, move, "run", "--env=test") == KILLED
    done = run_whole(project, "run", "--env=test")
    assert done.returncode == 0, done.stderr
    assert hash_outputs(project) == hash_outputs(finished_run.project)


def test_kedro_viz_shows_of_each_node_how_it_went(finished_run: FinishedRun) -> None:
    events = json.loads((finished_run.project / ".viz/kedro_pipeline_events.json").read_text())
    went_well = {event["node"] for event in events if event.get("status") == "success"}
    assert {"ingestion.check_images", "head_training.train_head"} < went_well
    assert events[-1]["event"] == "after_pipeline_run"


def test_a_run_whose_lines_nobody_reads_any_more_ends_quietly(
    project: Path, run_kedro: Callable
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "kedro", "run", "--env=test", "--pipelines=ingestion"]
    ended = subprocess.run(
        command, cwd=project, env=make_env(), stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert ended.returncode == 1
    assert ended.stderr == ""
    assert run_kedro(*command[4:]).code == 0


def test_a_folder_that_cannot_be_written_is_told_in_one_line(run_kedro, project) -> None:
    folder = project / "data" / "02_intermediate" / "test"
    folder.parent.mkdir(parents=True)
    if os.geteuid() == 0:
        folder.symlink_to("/sys")  # Root may write anywhere but there.
    else:
        folder.mkdir(0o555)
    failed = run_kedro("--env=test", "--pipelines=ingestion")
    assert "no permission to read or write here" in failed.error
    folder.unlink() if folder.is_symlink() else folder.chmod(0o755)
    assert run_kedro("--env=test", "--pipelines=ingestion").code == 0


def test_a_second_run_on_the_same_outputs_is_refused(run_kedro, project) -> None:
    from graft.caching.lock import RunLock

    lock = RunLock(project / "data" / ".locks")
    lock.acquire([project / "data" / "02_intermediate" / "test"])
    refused = run_kedro("--env=test", "--pipelines=ingestion")
    lock.release()
    assert f"got process {os.getpid()}" in refused.error
    assert run_kedro("--env=test", "--pipelines=ingestion").code == 0


def test_the_plan_alone_makes_nothing(run_kedro, project) -> None:
    shown = run_kedro("--env=test", "--plan")
    assert "Plan         nothing is made yet: ingestion, splitting, decoding" in shown.out
    assert not list((project / "data").rglob("*.parquet"))


def test_stale_features_are_refused_not_met_with_a_traceback(run_kedro, project) -> None:
    upstream = "--pipelines=ingestion,splitting,decoding"
    assert run_kedro("--env=test", upstream).code == 0
    refused = run_kedro("--env=test", "--pipelines=decoding", "--params", "splitting.folds=4")
    assert "splitting.folds 5 → 4" in refused.error
    assert "--pipelines=splitting" in refused.error
