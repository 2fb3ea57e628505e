"""Which recipe, where dev is too small to say: asked of folds of train and dev."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from graft.analysis.choosing import Outcome, choose
from graft.analysis.clusters import deal_folds, has_few_clusters
from graft.analysis.predictions import measure_losses
from graft.datasets.features import FeatureTable
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.training import HeadTrainingParameters
from graft.pipelines.candidates import is_warm
from graft.pipelines.fine_tuning.pools import list_recipes, make_pools, measure_load
from graft.pipelines.fine_tuning.settling import apply_settled
from graft.pipelines.fine_tuning.telling import tell_fold_outcome, tell_folds
from graft.training.backup import TrainingBackup
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.training.tuning_recipes import Recipe, Workload

FOLD_COLUMNS = {
    "runner": "str", "rung": "float64", "epochs": "int64", "steps": "int64", "passes": "float64",
    "image_id": "str", "cluster": "int64", "right": "bool", "log_loss": "float64",
}  # fmt: skip


def compare_on_folds(
    backbone: KerasModel,
    features: FeatureTable,
    boundary_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    fine_tuning_settled: dict[str, Any],
    backup: TrainingBackup,
    head_training: HeadTrainingParameters,
    parameters: FineTuningParameters,
    starting_point: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """Train the recipes on two thirds of train and dev and measure them on the rest, three times.

    Only where recipes race and dev has too few clusters
    (:func:`graft.analysis.clusters.has_few_clusters`). A fold starts from a head of its own,
    and nothing is stopped early, for nothing is left to stop by. The cheap recipes are trained
    whole; the deep ones that the budget admits for a fifth of their length, with the schedule of
    so short a training.

    Returns:
        ``recipe_folds``, a row a recipe and picture of train and dev: ``runner``, ``rung`` (share
        of its length), ``epochs`` and ``steps`` of a fold, ``passes`` (cost of the whole recipe),
        ``image_id``, ``cluster``, and ``right`` and ``log_loss`` of the picture where it was not
        trained on. Without rows where dev is large enough, and in a warm start.
    """
    from graft.training.tuning_recipes import RUNGS, admit, find_allowance, order_deep, shorten

    is_dev = (splits["split"] == "dev").to_numpy()
    clusters = splits["cluster"].to_numpy()[is_dev]
    if parameters.recipe != "auto" or is_warm(starting_point) or not has_few_clusters(clusters):
        return _tabulate([])
    parameters = apply_settled(parameters, fine_tuning_settled)
    load, recipes = measure_load(backbone, splits, parameters), list_recipes("auto")
    comparison = _Comparison(
        backbone, features, boundary_activations, images, splits, class_names, backup,
        head_training, parameters, load,
    )  # fmt: skip
    tell_folds(clusters)
    found = [comparison.measure(recipe, recipe, 1.0) for recipe in recipes if load.is_first(recipe)]
    accuracy = max((float(table["right"].mean()) for table in found), default=0.0)
    allowance = find_allowance(float(parameters.budget), accuracy, load.pictures, load.batch_size)
    deep = [recipe for recipe in recipes if not load.is_first(recipe)]
    if accuracy < 1:
        found += [
            comparison.measure(recipe, shorten(recipe, RUNGS[0]), RUNGS[0])
            for recipe in admit(load, order_deep(deep, accuracy), allowance)
        ]
    return _tabulate(found)


class _Comparison:
    """The folds, and the trainings on them."""

    def __init__(
        self,
        backbone: KerasModel,
        features: FeatureTable,
        boundary_activations: np.ndarray,
        images: np.ndarray,
        splits: pd.DataFrame,
        class_names: list[str],
        backup: TrainingBackup,
        head_training: HeadTrainingParameters,
        parameters: FineTuningParameters,
        load: Workload,
    ) -> None:
        from graft.training.tuning_recipes import FOLDS

        self._backbone, self._features, self._images = backbone, features, images
        self._activations, self._splits, self._class_names = (
            boundary_activations, splits, class_names
        )  # fmt: skip
        self._backup = backup.enter("folds")
        quiet: dict[str, Any] = {"callbacks": ()}
        self._head_training = head_training.model_copy(update=quiet)
        self._parameters = parameters.model_copy(update=quiet)
        self._load, self._start = load, backbone.get_weights()
        self._used = np.flatnonzero(splits["split"].isin(("train", "dev")))
        labels = splits["label_index"].to_numpy(np.int64)[self._used]
        clusters = splits["cluster"].to_numpy()[self._used]
        self._folds = deal_folds(labels, clusters, FOLDS, parameters.seed)

    def measure(self, recipe: Recipe, trained: Recipe, rung: float) -> pd.DataFrame:
        """What a recipe does on every picture that it was not trained on, a row a picture.

        Args:
            recipe: Whose name and cost it gets.
            trained: What is trained, the recipe or a short one of it.
            rung: Share of the recipe's length that this is.
        """
        from graft.training.watching import BrokenLossError

        right = np.zeros(len(self._used), bool)
        losses = np.zeros(len(self._used))
        epochs = steps = 0
        try:
            for fold in np.unique(self._folds):
                held_out = self._folds == fold
                labels, probabilities, epochs, steps = self._run_fold(int(fold), held_out, trained)
                right[held_out] = probabilities.argmax(axis=1) == labels
                losses[held_out] = measure_losses(labels, probabilities.astype(np.float64))
        except BrokenLossError:
            # Too fast for this backbone: it has lost, and the others go on.
            right[:], losses[:] = False, np.inf
        tell_fold_outcome(recipe.name, epochs, float(right.mean()), float(losses.mean()))
        pictures = self._splits.iloc[self._used]
        return pd.DataFrame(
            {
                "runner": recipe.name, "rung": rung, "epochs": epochs, "steps": steps,
                "passes": self._load.count_passes(recipe),
                "image_id": pictures["image_id"].to_numpy(),
                "cluster": pictures["cluster"].to_numpy(),
                "right": right, "log_loss": losses,
            }
        )  # fmt: skip

    def _run_fold(
        self, fold: int, held_out: np.ndarray, recipe: Recipe
    ) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Labels and probabilities of a held-out fold, and the length of the training."""
        from graft.models.freezing import cut_classifier
        from graft.training.devices import seed_everything
        from graft.training.tails import find_trained, predict_source, train_tail
        from graft.training.tuning_recipes import count_steps, follow, get_recipe

        sides = self._used[~held_out], self._used[held_out]
        backup = self._backup.enter(f"fold_{fold}")
        self._backbone.set_weights(self._start)
        head = self._train_head(sides, backup.enter("head"))
        seed_everything(self._parameters.seed)
        is_head = recipe.depth == "none"
        # The head is measured where the cheapest recipe is trained: on what is stored.
        settings = follow(
            get_recipe("last_block") if is_head else recipe, self._parameters,
            len(sides[0]), len(self._load.shares),
        )  # fmt: skip
        cut = cut_classifier(self._backbone, head, settings.unfreeze)
        train, measured = make_pools(
            cut, self._activations, self._images, self._splits, self._class_names, settings, sides
        )
        epochs = steps = 0
        if not is_head:
            # With the pictures to train on in the place of dev the end of the training stays.
            plain = make_pools(
                cut, self._activations, self._images, self._splits, self._class_names, settings,
                (sides[0], sides[0]),
            )[1]  # fmt: skip
            history = train_tail(
                cut, train, plain, settings, settings.layer_decay, backup.enter(recipe.name)
            )
            epochs = len(history)
            steps = epochs * count_steps(recipe, len(sides[0]), settings.batch_size)
        labels, probabilities = predict_source(find_trained(cut, train), measured)
        return labels, probabilities, epochs, steps

    def _train_head(self, sides: tuple[np.ndarray, np.ndarray], backup: TrainingBackup) -> Any:
        from graft.training.fitting import fit
        from graft.training.heads_on_features import prepare_features, prepare_head

        named = np.full(len(self._splits), "unused", dtype=object)
        named[sides[0]], named[sides[1]] = "train", "dev"
        classes = len(self._class_names)
        head = prepare_head(self._features.dimension, classes, self._head_training)
        train, _, _ = prepare_features(
            self._features, self._splits.assign(split=named), classes, self._head_training
        )
        fit(head, train, train, self._head_training, backup=backup)
        return head


def _tabulate(found: Sequence[pd.DataFrame]) -> pd.DataFrame:
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in FOLD_COLUMNS.items()})
    return pd.concat(found, ignore_index=True).astype(FOLD_COLUMNS) if found else empty


def choose_by_folds(recipe_folds: pd.DataFrame) -> str:
    """The recipe that is kept, by the same rule as on dev (:mod:`graft.analysis.choosing`)."""
    names, outcomes = [], []
    for name, table in recipe_folds.groupby("runner", sort=False):
        names.append(str(name))
        cost = float(table["passes"].iloc[0])
        outcomes.append(
            Outcome(table["right"].to_numpy(bool), float(table["log_loss"].mean()), cost)
        )
    clusters = recipe_folds.loc[recipe_folds["runner"] == names[0], "cluster"].to_numpy()
    return names[choose(outcomes, clusters)]


def tabulate_folds(recipe_folds: pd.DataFrame) -> pd.DataFrame:
    """Of every recipe a row, as of :func:`graft.training.race.tabulate_race`; none is kept yet."""
    rows = recipe_folds.groupby("runner", sort=False, as_index=False).agg(
        rung=("rung", "first"), epochs=("epochs", "first"), steps=("steps", "first"),
        dev_accuracy=("right", "mean"), log_loss=("log_loss", "mean"), passes=("passes", "first"),
    )  # fmt: skip
    return rows.assign(kept=False, measured_on="folds").astype({"runner": "str"})
