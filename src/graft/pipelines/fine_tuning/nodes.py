"""Nodes of the fine-tuning stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.choosing import find_kept
from graft.compute.known_rows import TracedRows
from graft.compute.shards import ShardStore
from graft.compute.streams import RowStream
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.models.kept_exports import KeptExports
from graft.parameters.compute import HERE, ComputeParameters
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.forward import AUTO, ForwardParameters
from graft.pipelines.candidates import is_warm
from graft.pipelines.fine_tuning.folding import choose_by_folds, tabulate_folds
from graft.pipelines.fine_tuning.going_on import go_on
from graft.pipelines.fine_tuning.pools import (
    find_stored_settings,
    is_stored,
    list_recipes,
    make_plan,
    make_pools,
    measure_load,
)
from graft.pipelines.fine_tuning.settling import apply_settled, time_pass_of
from graft.pipelines.fine_tuning.telling import (
    RacePlan,
    tell_blocks,
    tell_outcome,
    tell_preview,
    tell_winner,
)
from graft.reporting.contact_sheets import draw_views
from graft.reporting.style import draw_note
from graft.reporting.training_figures import draw_race
from graft.training.backup import TrainingBackup
from graft.training.boundary import stream_activations
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.freezing import CutClassifier
    from graft.training.race import MakeSources
    from graft.training.shuffling import BatchSource


RACE_COLUMNS = {
    "runner": "str", "rung": "float64", "epochs": "int64", "steps": "int64",
    "dev_accuracy": "float64", "log_loss": "float64", "passes": "float64", "kept": "bool",
    "measured_on": "str",
}  # fmt: skip


_SHEET_PICTURES, _SHEET_VIEWS = 6, 5


def store_boundary_activations(
    backbone: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    previous_boundary_activations: TracedRows | None,
    fine_tuning_settled: dict[str, Any],
    parameters: FineTuningParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
    compute: ComputeParameters = HERE,
    boundary_shards: ShardStore | None = None,
) -> RowStream | np.ndarray:
    """Compute once what the frozen blocks give for every picture of train and dev.

    A picture is known by what its pixels were made of: what the last run made of the same
    pixels with the same blocks is taken over.

    Returns:
        ``boundary_activations`` (R, …): for each picture of train the picture itself and its
        augmented views, then the pictures of dev, in the order of ``splits``; as a stream that
        holds a batch at a time. Without rows if there is nothing to store.

    Raises:
        GraftError: If there is no such block; while the stream is stored, if an activation is
            too large for its type.
    """
    from graft.models.freezing import cut_backbone
    from graft.training.devices import seed_everything, tell_devices

    tell_devices()
    seed_everything(parameters.seed)
    parameters = apply_settled(parameters, fine_tuning_settled)
    is_custom = parameters.recipe == "custom"
    if not is_custom:
        parameters = find_stored_settings(backbone, splits, parameters)
    cut = cut_backbone(backbone, parameters.unfreeze)
    if is_custom:
        tell_blocks(cut, is_stored(cut, parameters))
    if cut.trunk is None or not is_stored(cut, parameters):
        return np.zeros((0, 1), parameters.activation_dtype)
    plan = make_plan(splits, parameters)
    previous = previous_boundary_activations
    return stream_activations(
        cut.trunk, plan, images, image_origins, splits, previous, parameters, forward, exports,
        tell_preview, compute, boundary_shards,
    )  # fmt: skip


def fine_tune(
    backbone: KerasModel,
    head: KerasModel,
    boundary_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    fine_tuning_settled: dict[str, Any],
    recipe_folds: pd.DataFrame,
    backup: TrainingBackup,
    logs: Path,
    parameters: FineTuningParameters,
    starting_point: dict[str, Any] | None = None,
    starting_weights: Mapping[str, np.ndarray] | None = None,
) -> tuple[KerasModel, pd.DataFrame, dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Train the backbone and the head further, by the recipe that dev finds to be the best.

    Every training starts from the head as it was trained on the frozen backbone (LP-FT, Kumar et
    al. 2022). With the recipe ``custom``, the weights go back to what they were if the log loss
    on dev ends no lower than it was before. Where ``recipe_folds`` has compared the recipes, no
    race is run: the one that is better there is trained. In a warm start none is run either:
    :func:`graft.pipelines.fine_tuning.going_on.go_on`.

    Returns:
        ``fine_tuned.classifier``: from pictures (N, H, W, 3) uint8 to probabilities (N, C).
        ``fine_tuned.history``: a row an epoch, ``kept`` where its weights are; no row if the
        head is kept as it is. ``fine_tuned_recipe``: ``recipe``, ``unfreeze`` (where it was cut),
        ``chosen_among`` (runners), ``chosen_on`` (``dev`` or ``folds``), ``dev_accuracy``,
        ``parameters`` of the training, ``mirroring`` and ``budget`` as they were settled.
        ``recipe_race`` and ``recipe_curves``: see
        :func:`graft.training.race.tabulate_race` and ``tabulate_curves``.

    Raises:
        GraftError: If there is no such block or none to train, or the loss is no longer a number.
    """
    from graft.training.devices import seed_everything, tell_devices

    tell_devices()
    seed_everything(parameters.seed)
    settled = apply_settled(parameters, fine_tuning_settled)

    def make_sources(
        cut: CutClassifier, settings: FineTuningParameters
    ) -> tuple[BatchSource, BatchSource]:
        return make_pools(cut, boundary_activations, images, splits, class_names, settings)

    if is_warm(starting_point):
        load = measure_load(backbone, splits, settled)
        found = go_on(
            backbone, head, make_sources, load.pictures, starting_point, starting_weights or {},
            backup, logs, settled,
        )  # fmt: skip
        made = (*found, *_make_no_race())
    elif parameters.recipe == "custom":
        made = _tune_as_told(backbone, head, make_sources, backup, logs, settled)
    else:
        load = measure_load(backbone, splits, settled)
        seconds = None
        if not load.is_negligible:
            seconds = time_pass_of(backbone, images, splits, load)
        budget = fine_tuning_settled["budget"]
        plan = RacePlan(
            load, list_recipes(settled.recipe), float(settled.budget), seconds, bool(budget)
        )
        clusters = splits.loc[splits["split"] == "dev", "cluster"].to_numpy()
        race = _Runners(backbone, head, make_sources, plan, clusters, backup, logs, settled)
        made = race.run(recipe_folds)
    classifier, history, facts, *tables = made
    return classifier, history, facts | fine_tuning_settled, *tables


Made = tuple[KerasModel, pd.DataFrame, dict[str, Any], pd.DataFrame, pd.DataFrame]


def _tune_as_told(
    backbone: KerasModel,
    head: KerasModel,
    make_sources: MakeSources,
    backup: TrainingBackup,
    logs: Path,
    parameters: FineTuningParameters,
) -> Made:
    from graft.models.freezing import cut_classifier
    from graft.training import tails

    cut = cut_classifier(backbone, head, parameters.unfreeze)
    if not cut.unfrozen:
        raise GraftError(
            "fine_tuning.unfreeze: name at least one block to fine-tune it; got "
            f"{parameters.unfreeze!r}"
        )
    train, dev = make_sources(cut, parameters)
    history, before, after = tails.tune(
        cut, train, dev, parameters, parameters.layer_decay, backup, logs
    )
    kept = find_kept(history, parameters.keep)
    tell_outcome(history, kept, before, after)
    accuracy = float(history["dev_accuracy"].iloc[kept])
    facts = _describe_choice("custom", 1, "dev", accuracy, parameters)
    return cut.whole, _mark_kept(history, parameters), facts, *_make_no_race()


def _make_no_race() -> tuple[pd.DataFrame, pd.DataFrame]:
    race = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in RACE_COLUMNS.items()})
    return race, race.iloc[:, :1]


@dataclass
class _Runners:
    """The race of recipes, or the training of the one that folds chose."""

    backbone: KerasModel
    head: KerasModel
    make_sources: MakeSources
    plan: RacePlan
    clusters: np.ndarray
    backup: TrainingBackup
    logs: Path
    parameters: FineTuningParameters

    def run(self, recipe_folds: pd.DataFrame) -> Made:
        from graft.training.race import Race, tabulate_curves, tabulate_race

        load, recipes, chosen_on = self.plan.load, self.plan.recipes, "dev"
        if len(recipe_folds):
            recipes, chosen_on = list_recipes(choose_by_folds(recipe_folds)), "folds"
        else:
            self.plan.tell_start()
        race = Race(
            self.backbone, self.head, self.make_sources, load, self.parameters, self.clusters,
            self.backup, self.logs, recipes,
        )  # fmt: skip
        result = race.run(None if len(recipe_folds) else self.plan.tell_field)
        table = tabulate_race(result, load).assign(measured_on="dev")
        name = result.recipe.name
        final = table[(table["runner"] == name) & (table["rung"] == 1)]["dev_accuracy"]
        if len(recipe_folds):
            table = pd.concat([tabulate_folds(recipe_folds), table], ignore_index=True)
        table = table.astype(RACE_COLUMNS)
        tell_winner(name, table)
        facts = _describe_choice(
            name, table["runner"].nunique(), chosen_on, float(final.iloc[0]), result.settings
        )
        history = _mark_kept(result.history, result.settings)
        return result.cut.whole, history, facts, table, tabulate_curves(result, load)


def _describe_choice(
    name: str, chosen_among: int, chosen_on: str, accuracy: float, settings: FineTuningParameters
) -> dict[str, Any]:
    return {
        "recipe": name,
        "unfreeze": settings.unfreeze,
        "chosen_among": chosen_among,
        "chosen_on": chosen_on,
        "dev_accuracy": accuracy,
        "parameters": settings.model_dump(mode="json"),
    }


def _mark_kept(history: pd.DataFrame, settings: FineTuningParameters) -> pd.DataFrame:
    kept = np.zeros(len(history), bool)
    if len(history):
        kept[find_kept(history, settings.keep)] = True
    return history.assign(kept=kept)


def draw_augmented_pictures(
    images: np.ndarray,
    splits: pd.DataFrame,
    fine_tuning_settled: dict[str, Any],
    parameters: FineTuningParameters,
) -> Figure:
    """Draw a few pictures of train beside some of their augmented views.

    Returns:
        ``augmented_pictures``: a row a picture, the picture itself first.
    """
    from graft.models.augmentation import PictureAugmenter, is_active

    parameters = apply_settled(parameters, fine_tuning_settled)
    train = np.flatnonzero(splits["split"] == "train")
    chosen = train[np.linspace(0, len(train) - 1, min(_SHEET_PICTURES, len(train))).astype(int)]
    names = splits["image_id"].iloc[chosen].tolist()
    pixels = copy_pictures(images, chosen)
    augmenter = PictureAugmenter(parameters.augmentation, images.shape[1])
    numbers = range(1, 1 + _SHEET_VIEWS) if is_active(parameters.augmentation) else ()
    views = [
        augmenter.make_views(pixels, [number] * len(names), parameters.seed) for number in numbers
    ]
    return draw_views(np.stack([pixels, *views], axis=1), names)


def draw_recipe_race(recipe_curves: pd.DataFrame, fine_tuned_recipe: dict[str, Any]) -> Figure:
    """Draw what every recipe reached on dev, against what it had cost until then."""
    if recipe_curves.empty:
        is_warm_start = "warm_start" in fine_tuned_recipe
        why = "a warm start" if is_warm_start else "fine_tuning.recipe: custom"
        return draw_note(f"No recipes raced ({why}).")
    return draw_race(recipe_curves, fine_tuned_recipe["recipe"])
