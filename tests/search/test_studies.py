"""Trials in a file: the same ones however often the search is killed, and however many work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from graft.errors import GraftError
from graft.search import studies
from graft.search.spaces import Knob
from graft.search.studies import Study
from graft.search.verdicts import Trial
from helpers.killing import make_env

pytest.importorskip("optuna", reason="the extra 'search' is not installed")
KNOBS = (
    Knob("head.rate", 1e-4, 1e-1, is_log=True),
    Knob("head.units", 1, 64, is_log=True, is_integer=True),
    Knob("head.kind", choices=(0, 32)),
)
DEFAULT = {"head.rate": 0.5, "head.units": 3, "head.kind": 0}


class Hill:
    """Scores by how near a rate is to 0.01, without any training."""

    def __init__(self, kill_at: int = -1) -> None:
        self.kill_at = kill_at

    def run(self, number, values, bars) -> Trial:
        if number == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        choice = values or DEFAULT
        distance = abs(np.log10(choice["head.rate"]) + 2)
        right = np.arange(40) < 40 - 8 * distance
        steps = (float(right.mean()),)
        if bars and steps[0] < bars[0]:
            return Trial(number, choice, steps, reason="below the median")
        return Trial(number, choice, steps, right, float(distance))


def _search(folder: Path, trials: int, name: str = "one", **options) -> list[tuple]:
    study = Study(folder / "trials.sqlite", name, KNOBS, seed=7)
    list(study.run(Hill(), DEFAULT, trials, **options))
    return [_tell(trial) for trial in study.read()]


def _tell(trial: Trial) -> tuple:
    right = None if trial.right is None else trial.right.tolist()
    return trial.number, dict(trial.choice), trial.steps, right, trial.log_loss, trial.reason


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple]]:
    """The folder and the trials of a search in which the sampler has learnt."""
    folder = tmp_path_factory.mktemp("long")
    return folder, _search(folder, 40)


def test_what_is_written_is_what_is_read(long: tuple[Path, list[tuple]]) -> None:
    trials = long[1]
    assert [trial[0] for trial in trials] == list(range(40))
    assert trials[0][1] == DEFAULT  # as it is, though a rate of 0.5 lies outside of the range
    assert any(trial[5] for trial in trials)
    assert all(isinstance(trial[1]["head.units"], int) for trial in trials)
    assert all(trial[1]["head.kind"] in (0, 32) for trial in trials)
    # The sampler has learnt: later trials are nearer to the top than those drawn at random.
    early, late = (
        np.mean([abs(np.log10(trial[1]["head.rate"]) + 2) for trial in part])
        for part in (trials[1:13], trials[13:])
    )
    assert late < early


def test_a_search_goes_on_where_a_shorter_one_ended(tmp_path: Path) -> None:
    whole = _search(tmp_path, 19)
    for number in (1, 4, 11, 18, 19):
        part = tmp_path / "parts"
        part.mkdir(exist_ok=True)
        assert _search(part, number) == whole[:number]


@pytest.mark.slow
def test_the_trials_are_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    assert _search(others, 7, workers=2) == _search(tmp_path, 7)


KILLED = """
import sys
import time
from pathlib import Path
from search.test_studies import DEFAULT, KNOBS, Hill
from graft.search.studies import Study
study = Study(Path(sys.argv[1]) / "trials.sqlite", "one", KNOBS, seed=7)
list(study.run(Hill(int(sys.argv[2])), DEFAULT, 16))
"""


@pytest.mark.parametrize("numbers", [(7,), pytest.param((2, 7), marks=pytest.mark.slow)])
def test_a_killed_search_goes_on_with_the_same_trials(
    numbers: tuple[int, ...], tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    for number in numbers:
        command = [sys.executable, "-c", KILLED, str(killed), str(number)]
        ended = subprocess.run(command, env=make_env(), capture_output=True, text=True)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert len(Study(killed / "trials.sqlite", "one", KNOBS, seed=7).read()) == number
    assert _search(killed, 16) == _search(tmp_path, 16)


def test_trials_of_another_search_are_removed(tmp_path: Path) -> None:
    _search(tmp_path, 3)
    assert len(_search(tmp_path, 2, name="two")) == 2
    assert len(_search(tmp_path, 2, name="one")) == 2


def test_no_trial_starts_when_the_minutes_are_over(tmp_path: Path) -> None:
    assert len(_search(tmp_path, 30, minutes=1e-9)) == 1


def test_minutes_end_between_two_trials_and_the_rest_is_the_same(tmp_path: Path) -> None:
    class Slow(Hill):
        def run(self, number, values, bars) -> Trial:
            time.sleep(0.4 if number == 2 else 0)
            return super().run(number, values, bars)

    study = Study(tmp_path / "trials.sqlite", "one", KNOBS, seed=7)
    # The third of five trials takes longer than all may.
    assert len(list(study.run(Slow(), DEFAULT, 9, minutes=0.3 / 60))) <= 3
    whole = tmp_path / "whole"
    whole.mkdir()
    assert _search(tmp_path, 9) == _search(whole, 9)


def test_importances_name_the_knob_that_matters(long: tuple[Path, list[tuple]]) -> None:
    found = Study(long[0] / "trials.sqlite", "one", KNOBS, seed=7).measure_importances()
    assert max(found, key=found.__getitem__) == "head.rate"


def test_without_optuna_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(GraftError, match=r"install the extra: pip install .*\[search\]"):
        studies.import_optuna()
