"""A race of recipes: short runs first, the better ones go on, and dev says which one is kept.

Successive halving (Jamieson and Talwalkar 2016): after a fifth of its length, and if more than one
is left after half, the better half of the runners goes on, from where it stopped and bit for bit
as one undisturbed run.
What is cheap runs first and whole: the head as it is, and recipes on stored activations; what they
leave to be won decides how many of the deep ones start (:mod:`graft.training.tuning_recipes`).

Everything is decided by numbers of epochs, passes and pictures, never by seconds: the same seed
gives the same race on the same machine. Every runner has a backup of its own, and so has the
outcome of every rung: a race that was killed goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from graft.analysis.choosing import Outcome, choose, find_kept, is_shown_better
from graft.analysis.metrics import measure_losses
from graft.fingerprints import fingerprint_code, hash_parts
from graft.models.freezing import CutClassifier, cut_classifier
from graft.models.inference import compile_forward
from graft.parameters.fine_tuning import FineTuningParameters
from graft.progress import tell
from graft.training.backup import Snapshot, TrainingBackup
from graft.training.devices import seed_everything
from graft.training.fitting import identify
from graft.training.shuffling import BatchSource
from graft.training.tails import (
    find_factors,
    find_trained,
    make_empty_history,
    predict_source,
    seed_random_layers,
    train_tail,
)
from graft.training.tuning_recipes import (
    RECIPES,
    RUNGS,
    Recipe,
    Workload,
    admit,
    find_allowance,
    find_rung,
    follow,
    get_recipe,
    order_deep,
)
from graft.training.watching import BrokenLossError

# Batches of train and dev for a classifier that is cut somewhere, and its parameters.
MakeSources = Callable[[CutClassifier, FineTuningParameters], tuple[BatchSource, BatchSource]]
# Called before the deep recipes start: who starts, and the best accuracy on dev so far.
TellField = Callable[[Sequence[Recipe], float], None]


@dataclass(frozen=True, eq=False)
class Standing:
    """Where a runner is after a rung.

    Attributes:
        recipe: What it follows.
        rung: Share of its length.
        outcome: Of its best epoch so far, on dev.
        history: A row an epoch, as of :func:`graft.training.fitting.fit`.
    """

    recipe: Recipe
    rung: float
    outcome: Outcome
    history: pd.DataFrame


@dataclass(frozen=True)
class RaceResult:
    """What a race came to.

    Attributes:
        recipe: The one that is kept.
        settings: The parameters that it came to.
        cut: The classifier with its weights, cut where its training began.
        history: Of its training; without rows if the head is kept as it is.
        standings: Of all runners at all rungs, in the order of the race.
        goes_on: Of every standing, whether its runner went on or, at its end, was kept.
    """

    recipe: Recipe
    settings: FineTuningParameters
    cut: CutClassifier
    history: pd.DataFrame
    standings: list[Standing]
    goes_on: list[bool]


class Race:
    """Trains one classifier by several recipes, each from the same start.

    Args:
        backbone: From pictures to features; its weights come back before every run.
        head: From features to probabilities; trained.
        make_sources: Gives what is trained and measured on.
        load: What a training costs.
        parameters: What the recipes leave open, and the budget.
        clusters: Cluster of every picture of dev, in their order.
        backup: A folder, in which every runner gets one.
        logs: Folder for what callbacks write; every runner gets one in it.
        recipes: Who may start, in the order of :data:`~graft.training.tuning_recipes.RECIPES`.
    """

    def __init__(
        self,
        backbone: keras.Model,
        head: keras.Model,
        make_sources: MakeSources,
        load: Workload,
        parameters: FineTuningParameters,
        clusters: np.ndarray,
        backup: TrainingBackup,
        logs: Path,
        recipes: Sequence[Recipe] = RECIPES,
    ) -> None:
        self._backbone, self._head, self._make_sources = backbone, head, make_sources
        self._load, self._parameters, self._clusters = load, parameters, clusters
        self._recipes, self._backup, self._logs = recipes, backup, logs
        self._backups = {recipe.name: backup.enter(recipe.name) for recipe in recipes}
        self._start = [part.get_weights() for part in (backbone, head)]
        self._standings: list[Standing] = []
        self._goes_on: list[bool] = []

    def run(self, tell: TellField | None = None) -> RaceResult:
        """Race, and put the weights of the winner into the backbone and the head.

        Args:
            tell: Called before the deep ones start.

        Raises:
            GraftError: If another run trains in this folder, or a loss is no longer a number.
        """
        with self._backup.hold():
            first = [recipe for recipe in self._recipes if self._load.is_first(recipe)]
            deep = [recipe for recipe in self._recipes if not self._load.is_first(recipe)]
            ended = [self._advance(recipe, 1.0) for recipe in first]
            field = self._let_start(deep, ended, tell)
            for rung in RUNGS[:-1]:
                # Whoever is alone from the start, or has won already, need not stop on the way.
                if len(field) + (len(ended) if rung == RUNGS[0] else 0) < 2:
                    continue
                places = range(len(self._standings), len(self._standings) + len(field))
                now = [self._advance(recipe, rung) for recipe in field]
                chosen = select_better(
                    [standing.outcome for standing in now],
                    [standing.outcome for standing in ended],
                    self._clusters,
                    _prefer(field),
                )
                for place in chosen:
                    self._goes_on[places[place]] = True
                field = [field[place] for place in chosen]
            ended += [self._advance(recipe, 1.0) for recipe in field]
            winner = ended[choose([standing.outcome for standing in ended], self._clusters)]
            self._goes_on[self._standings.index(winner)] = True
            return self._take(winner.recipe)

    def _let_start(
        self, deep: Sequence[Recipe], ended: Sequence[Standing], tell: TellField | None
    ) -> list[Recipe]:
        """Those that can be paid for, if even a perfect one would be shown to be better."""
        if not ended:
            return list(deep)
        best = min((standing.outcome for standing in ended), key=lambda outcome: outcome.rank)
        accuracy = float(best.right.mean())
        perfect = np.ones(len(best.right), bool)
        field: list[Recipe] = []
        if is_shown_better(perfect, best.right, self._clusters):
            load = self._load
            allowance = find_allowance(
                float(self._parameters.budget), accuracy, load.pictures, load.batch_size
            )
            field = admit(load, order_deep(deep, accuracy), allowance)
        if tell is not None:
            tell(field, accuracy)
        return field

    def _advance(self, recipe: Recipe, rung: float) -> Standing:
        """Train a runner as far as a rung, unless that was done before, and measure it."""
        settings, cut, (train, dev) = self._set_up(recipe)
        model = find_trained(cut, train)
        factors = find_factors(cut, model, settings.layer_decay)
        until = find_rung(settings.epochs, rung)
        name = hash_parts(
            identify(model, train, dev, settings, factors), fingerprint_code(Race), until
        )
        store = self._backups[recipe.name].enter(f"epoch_{until:03d}")
        with store.hold():
            known = store.load_newest(name)
            if known is None:
                known = self._measure(recipe, settings, cut, (train, dev), until, name)
                store.save(known)
        history = pd.DataFrame(known.facts["history"], columns=make_empty_history().columns)
        labels, probabilities = known.arrays["labels"], known.arrays["probabilities"]
        right, log_loss = np.zeros(len(labels), bool), float("inf")
        if probabilities.size:
            right = probabilities.argmax(axis=1) == labels
            log_loss = float(measure_losses(labels, probabilities.astype(np.float64)).mean())
        outcome = Outcome(right, log_loss, self._load.count_passes(recipe, until))
        standing = Standing(recipe, rung, outcome, history)
        self._standings.append(standing)
        self._goes_on.append(False)
        _tell_standing(standing, settings)
        return standing

    def _measure(
        self,
        recipe: Recipe,
        settings: FineTuningParameters,
        cut: CutClassifier,
        sources: tuple[BatchSource, BatchSource],
        until: int,
        name: str,
    ) -> Snapshot:
        rows: list[dict[str, float]] = []
        try:
            if recipe.depth != "none":
                rows = self._train(recipe, settings, cut, sources, until).to_dict("records")
            labels, probabilities = predict_source(find_trained(cut, sources[0]), sources[1])
        except BrokenLossError:
            if len(self._recipes) == 1:
                raise
            # Too fast for this backbone: it has lost, and the others go on.
            count = sources[1].row_count
            nowhere = {"labels": np.zeros(count, np.int64), "probabilities": np.zeros((count, 0))}
            return Snapshot(name, {"history": []}, nowhere)
        return Snapshot(name, {"history": rows}, {"labels": labels, "probabilities": probabilities})

    def _train(
        self,
        recipe: Recipe,
        settings: FineTuningParameters,
        cut: CutClassifier,
        sources: tuple[BatchSource, BatchSource],
        until: int,
    ) -> pd.DataFrame:
        logs = self._logs / recipe.name
        if settings.callbacks:
            logs.mkdir(parents=True, exist_ok=True)
        backup = self._backups[recipe.name]
        return train_tail(cut, *sources, settings, settings.layer_decay, backup, logs, until)

    def _set_up(
        self, recipe: Recipe
    ) -> tuple[FineTuningParameters, CutClassifier, tuple[BatchSource, BatchSource]]:
        """The classifier as it was at first, cut for a recipe, and what it is trained on."""
        for part, weights in zip((self._backbone, self._head), self._start, strict=True):
            part.set_weights(weights)
        seed_everything(self._parameters.seed)
        if recipe.depth == "none":
            # Nothing is trained: it is measured where another is, on what is stored if possible.
            trained = (other for other in self._recipes if other.depth != "none")
            recipe = next(filter(self._load.is_first, trained), get_recipe("all"))
        settings = follow(recipe, self._parameters, self._load.pictures, len(self._load.shares))
        cut = cut_classifier(self._backbone, self._head, settings.unfreeze)
        seed_random_layers(cut.tail, settings.seed)
        return settings, cut, self._make_sources(cut, settings)

    def _take(self, recipe: Recipe) -> RaceResult:
        settings, cut, sources = self._set_up(recipe)
        history = make_empty_history()
        if recipe.depth == "none":
            settings = settings.model_copy(update={"unfreeze": "none"})
            cut = cut_classifier(self._backbone, self._head, "none")
        else:
            history = self._train(recipe, settings, cut, sources, settings.epochs)
        return RaceResult(recipe, settings, cut, history, self._standings, self._goes_on)


def _prefer(field: Sequence[Recipe]) -> list[int]:
    """Places of the recipes as they are preferred: in their order, but the shallow ones last."""
    return sorted(range(len(field)), key=lambda place: isinstance(field[place].depth, int))


def select_better(
    runners: Sequence[Outcome],
    ended: Sequence[Outcome],
    clusters: np.ndarray,
    preferred: Sequence[int] | None = None,
) -> list[int]:
    """Places of the runners that go on: the better half of them.

    Of those that the best does not beat by more than a standard error the preferred one goes on:
    early on, two pictures of dev say less than what served most sets. (Without it `half` went on
    in place of `all` for two pictures more, on signs with two tracks a class, where `all` ends
    some 15 points above it.)
    One at least goes on, unless a recipe that has ended is better by more than a standard error.

    Args:
        runners: At the same share of their lengths.
        ended: At their ends; may be none.
        clusters: Cluster of every picture of dev.
        preferred: All places, the most preferred first; None for the order of ``runners``.
    """
    left = list(range(len(runners)) if preferred is None else preferred)
    better: list[int] = []
    while left and len(better) < max(1, len(runners) // 2):
        top = runners[min(left, key=lambda place: runners[place].rank)].right
        equals = (
            place for place in left if not is_shown_better(top, runners[place].right, clusters)
        )
        better.append(next(equals))
        left.remove(better[-1])
    better.sort()
    if not ended:
        return better
    best = min(ended, key=lambda outcome: outcome.rank)
    return [
        place for place in better if not is_shown_better(best.right, runners[place].right, clusters)
    ]


def tabulate_race(result: RaceResult, load: Workload) -> pd.DataFrame:
    """A row a runner and rung.

    Returns:
        ``runner``, ``rung`` (share of its length), ``epochs``, ``steps``, ``dev_accuracy``,
        ``log_loss`` (of its best epoch so far), ``passes`` (cost so far, see
        :class:`~graft.training.tuning_recipes.Workload`), ``kept`` (whether it went on or, at its
        end, won).
    """
    return pd.DataFrame(
        [
            {
                "runner": standing.recipe.name,
                "rung": standing.rung,
                "epochs": len(standing.history),
                "steps": len(standing.history) * load.count_steps(standing.recipe),
                "dev_accuracy": float(standing.outcome.right.mean()),
                "log_loss": standing.outcome.log_loss,
                "passes": standing.outcome.cost,
                "kept": kept,
            }
            for standing, kept in zip(result.standings, result.goes_on, strict=True)
        ],
    ).astype({"runner": "str"})


def tabulate_curves(result: RaceResult, load: Workload) -> pd.DataFrame:
    """A row an epoch of every runner, as far as it came; of the head a row with epoch 0.

    Returns:
        ``runner``, the columns of a history, ``passes`` (cost up to there) and ``is_best``: the
        epoch whose weights count.
    """
    last = {standing.recipe.name: standing for standing in result.standings}
    tables = []
    for name, standing in last.items():
        table = standing.history
        if table.empty:
            values = [float(standing.outcome.right.mean()), standing.outcome.log_loss]
            table = pd.DataFrame([[0, *values]], columns=["epoch", "dev_accuracy", "dev_loss"])
        passes = [
            load.count_passes(standing.recipe, int(epoch)) if epoch else 0.0
            for epoch in table["epoch"]
        ]
        is_best = np.arange(len(table)) == find_kept(table, "accuracy")
        tables.append(table.assign(runner=name, passes=passes, is_best=is_best))
    columns = ["runner", *make_empty_history().columns, "passes", "is_best"]
    return pd.concat(tables, ignore_index=True).reindex(columns=columns).astype({"runner": "str"})


def time_pass(
    backbone: keras.Model, read: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, batch: int
) -> float:
    """Seconds that one pass of these pictures takes, from two batches after one that compiles.

    Args:
        backbone: From pictures to features.
        read: From row numbers to pictures.
        rows: Of the pictures to train on.
        batch: Pictures a forward pass.
    """
    forward = compile_forward(backbone, batch)
    pictures = read(rows[:batch])
    forward(pictures)
    started = time.perf_counter()
    for _ in range(2):
        forward(pictures)
    return (time.perf_counter() - started) / 2 * len(rows) / batch


def _tell_standing(standing: Standing, settings: FineTuningParameters) -> None:
    accuracy = float(standing.outcome.right.mean())
    recipe = standing.recipe
    how_far = f"{len(standing.history)} of {settings.epochs} epochs"
    if np.isinf(standing.outcome.log_loss):
        tell("", "%-11s its loss is no longer a number: it is out", recipe.name)
        return
    if recipe.depth == "none":
        how_far = "as trained"
    tell(
        "", "%-11s %-18s dev accuracy %.3f, log loss %.3f",
        recipe.name, how_far, accuracy, standing.outcome.log_loss,
    )  # fmt: skip
