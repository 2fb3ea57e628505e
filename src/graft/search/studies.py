"""The trials of a search, in a SQLite file of Optuna's: asked for, run in our own loop, told.

What is tried next depends on the seed and on the trials before it and on nothing else. Trials are
drawn four at a time, from a sampler seeded by the seed and the number of trials that were known
when the four were drawn. So a search that was killed goes on with the same trials, one of 50 goes
on to 100 as if it had been told so at once, and how many processes work on the four changes
nothing. A trial is written down when it has ended, in one transaction and in the order of their
numbers: the file never holds half of one, and no trial that "runs" in a process that is dead.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from graft.errors import GraftError
from graft.search.spaces import Knob, Values
from graft.search.verdicts import Trial, find_bars

if TYPE_CHECKING:
    import optuna

# Trials that are drawn together, whatever the number of processes that run them.
TOGETHER = 4
# Trials after the default that are drawn at random, before the sampler learns from them.
_AT_RANDOM = 12


class Runner(Protocol):
    """Runs one trial; it is sent to other processes, so it must be picklable."""

    def run(self, number: int, values: Values | None, bars: Sequence[float]) -> Trial:
        """Train and score.

        Args:
            number: Of the trial.
            values: Of every knob; None for the default, as the parameters say it.
            bars: Accuracy below which it is given up, at each step.
        """


class Study:
    """Trials in a file.

    Args:
        file: The SQLite file; its folder is there.
        name: Of all that decides how the trials go. Trials under other names are removed.
        knobs: What may change.
        seed: Of the sampler.
    """

    def __init__(self, file: Path, name: str, knobs: Sequence[Knob], seed: int) -> None:
        self._optuna = import_optuna()
        self._knobs, self._seed = knobs, seed
        self._distributions = {knob.path: self._describe(knob) for knob in knobs}
        storage = self._optuna.storages.RDBStorage(f"sqlite:///{file}")
        for other in self._optuna.get_all_study_names(storage):
            if other != name:
                self._optuna.delete_study(study_name=other, storage=storage)
        self._study = self._optuna.create_study(
            study_name=name, storage=storage, direction="maximize", load_if_exists=True
        )

    def read(self) -> list[Trial]:
        """All trials that have ended, by their numbers."""
        return [self._read_one(frozen) for frozen in self._study.get_trials(deepcopy=False)]

    def run(
        self,
        runner: Runner,
        default: Values,
        trials: int,
        *,
        workers: int = 1,
        minutes: float | None = None,
    ) -> Iterator[Trial]:
        """Run trials until there are so many, those of earlier calls included.

        Args:
            runner: Runs one.
            default: Where the default lies in the space.
            trials: How many in all, the default included.
            workers: Processes.
            minutes: No trial is started later than this; None for any time.

        Yields:
            Every trial that has ended now and is written down.
        """
        end = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        known = self.read()
        with _open_runner(runner, workers) as submit:
            while len(known) < trials and not (known and time.monotonic() > end):
                start = _find_start(len(known))
                drawn = self._draw(known[:start]) if start else [None]
                wanted = drawn[len(known) - start : trials - start]
                bars = find_bars(known[:start])
                calls = [submit(len(known) + n, values, bars) for n, values in enumerate(wanted)]
                for call in calls:
                    # One process runs a trial when it is waited for; several have started all.
                    if workers == 1 and known and time.monotonic() > end:
                        return
                    trial = call()
                    if trial.number == 0:
                        trial = Trial(0, default, trial.steps, trial.right, trial.log_loss)
                    self._study.add_trial(self._freeze(trial))
                    known.append(trial)
                    yield trial

    def measure_importances(self) -> dict[str, float]:
        """Share of the scores' spread that each knob explains (fANOVA, Hutter et al. 2014)."""
        evaluator = self._optuna.importance.FanovaImportanceEvaluator(seed=self._seed)
        found = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {path: float(share) for path, share in found.items()}

    def _draw(self, known: Sequence[Trial]) -> list[Values | None]:
        """The values of the trials that are drawn together, given all before them."""
        sampler = self._optuna.samplers.TPESampler(
            seed=self._seed + len(known), n_startup_trials=_AT_RANDOM, constant_liar=True
        )
        mirror = self._optuna.create_study(direction="maximize", sampler=sampler)
        mirror.add_trials([self._freeze(trial) for trial in known])
        drawn: list[Values | None] = []
        for _ in range(TOGETHER):
            asked = mirror.ask(self._distributions)
            drawn.append({knob.path: knob.clean(asked.params[knob.path]) for knob in self._knobs})
        return drawn

    def _describe(self, knob: Knob) -> optuna.distributions.BaseDistribution:
        kinds = self._optuna.distributions
        if knob.choices:
            return kinds.CategoricalDistribution(knob.choices)
        if knob.is_integer:
            return kinds.IntDistribution(int(knob.low), int(knob.high), log=knob.is_log)
        return kinds.FloatDistribution(knob.low, knob.high, log=knob.is_log)

    def _freeze(self, trial: Trial) -> optuna.trial.FrozenTrial:
        state = self._optuna.trial.TrialState
        right = None if trial.right is None else _pack(trial.right)
        # Rounding to four digits may leave a range by as much.
        values = {knob.path: knob.bring_in(trial.choice[knob.path]) for knob in self._knobs}
        facts = {
            "right": right, "log_loss": trial.log_loss if right else None, "reason": trial.reason,
            "values": json.dumps(dict(trial.choice)),
        }  # fmt: skip
        return self._optuna.trial.create_trial(
            state=state.PRUNED if right is None else state.COMPLETE,
            value=trial.accuracy,
            params=values,
            distributions=self._distributions,
            user_attrs=facts,
            intermediate_values=dict(enumerate(trial.steps)),
        )

    def _read_one(self, frozen: optuna.trial.FrozenTrial) -> Trial:
        facts, steps = frozen.user_attrs, frozen.intermediate_values
        right = facts["right"]
        return Trial(
            frozen.number,
            json.loads(facts["values"]),
            tuple(steps[step] for step in sorted(steps)),
            None if right is None else _unpack(right),
            facts["log_loss"] if right else float("inf"),
            facts["reason"],
        )


def import_optuna() -> Any:
    """Optuna, which then tells nothing by itself.

    Raises:
        GraftError: If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise GraftError(
            "a search needs Optuna; install the extra: "
            "pip install -c constraints.txt -e '.[search]'; got an environment without it"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _find_start(known: int) -> int:
    """How many trials were known when the one that comes next was drawn, with its neighbours.

    Examples:
        >>> [_find_start(known) for known in (0, 1, 2, 4, 5, 8, 9)]
        [0, 1, 1, 1, 5, 5, 9]
    """
    return 0 if known == 0 else 1 + (known - 1) // TOGETHER * TOGETHER


def _pack(right: np.ndarray) -> str:
    return f"{len(right)} {base64.b64encode(np.packbits(right).tobytes()).decode()}"


def _unpack(text: str) -> np.ndarray:
    count, packed = text.split()
    bits = np.frombuffer(base64.b64decode(packed), np.uint8)
    return np.unpackbits(bits, count=int(count)).astype(bool)


Submit = Callable[[int, "Values | None", Sequence[float]], Callable[[], Trial]]


@contextmanager
def _open_runner(runner: Runner, workers: int) -> Iterator[Submit]:
    """Gives a function that starts a trial and gives back a function that waits for its end."""
    if workers == 1:
        yield lambda *trial: lambda: runner.run(*trial)
        return
    # TensorFlow's threads do not survive a fork.
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start_worker, initargs=(runner, os.getpid())
    ) as pool:
        yield lambda *trial: pool.submit(_run_here, *trial).result


_runner_here: Runner | None = None


def _start_worker(runner: Runner, parent: int) -> None:
    global _runner_here
    _runner_here = runner
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    """End with the process that started this one: a killed search leaves none behind."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _run_here(number: int, values: Values | None, bars: Sequence[float]) -> Trial:
    assert _runner_here is not None
    return _runner_here.run(number, values, bars)
