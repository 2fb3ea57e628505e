"""Nodes of the fine-tuning stage."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.choosing import find_kept
from graft.compute.streams import RowStream, TracedRows, copy_rows
from graft.errors import GraftError
from graft.images.colours import copy_pictures
from graft.parameters.fine_tuning import FineTuningParameters
from graft.pipelines.fine_tuning.telling import (
    RacePlan,
    tell_blocks,
    tell_outcome,
    tell_preview,
    tell_small_dev,
    tell_winner,
)
from graft.reporting.contact_sheets import draw_views
from graft.reporting.style import draw_note
from graft.reporting.training_figures import draw_race
from graft.training.backup import TrainingBackup
from graft.training.boundary import stream_activations
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.models.freezing import CutBackbone, CutClassifier
    from graft.training.boundary import BoundaryPlan
    from graft.training.tuning_recipes import Recipe, Workload
    from graft.training.views import ViewPools


RACE_COLUMNS = {
    "runner": "str", "rung": "float64", "epochs": "int64", "steps": "int64",
    "dev_accuracy": "float64", "log_loss": "float64", "passes": "float64", "kept": "bool",
}  # fmt: skip


def is_stored(cut: CutBackbone, parameters: FineTuningParameters) -> bool:
    """Whether the tail is trained on stored activations, and not the whole on pictures."""
    return bool(cut.frozen and cut.unfrozen and parameters.activation_cache)


def make_plan(splits: pd.DataFrame, parameters: FineTuningParameters) -> BoundaryPlan:
    """Which activations are stored; nothing of the test split is."""
    from graft.training.boundary import BoundaryPlan

    train, dev = (np.flatnonzero(splits["split"] == split) for split in ("train", "dev"))
    return BoundaryPlan(train, dev, parameters.views)


def make_pools(
    cut: CutClassifier,
    activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: FineTuningParameters,
) -> tuple[ViewPools, ViewPools]:
    """The batches of train and dev, from stored activations or from pictures.

    Raises:
        GraftError: If the activations were stored with other parameters.
    """
    from graft.models.augmentation import PictureAugmenter, is_active
    from graft.training.losses import read_sample_weights, weigh_pictures
    from graft.training.views import FreshViews, StoredViews, ViewPools, ViewReader

    plan = make_plan(splits, parameters)
    train: ViewReader
    dev: ViewReader
    if is_stored(cut, parameters):
        _check_stored(activations, plan, cut)
        read = partial(copy_rows, activations)
        train = StoredViews(read, 0, len(plan.train), plan.views)
        dev = StoredViews(read, len(plan) - len(plan.dev), len(plan.dev), views=0)
    else:
        augmenter = PictureAugmenter(parameters.augmentation, images.shape[1])
        active = augmenter if is_active(parameters.augmentation) else None
        read = partial(copy_pictures, images)
        train = FreshViews(read, plan.train, active)
        dev = FreshViews(read, plan.dev, None)
    labels = splits["label_index"].to_numpy(np.int64)
    weights = weigh_pictures(labels[plan.train], len(class_names), parameters.class_weights)
    if parameters.sample_weights is not None:
        weights = weights * read_sample_weights(
            splits.iloc[plan.train], parameters.sample_weights, parameters.stage
        )
    return (
        ViewPools(train, labels[plan.train], weights),
        ViewPools(dev, labels[plan.dev], np.ones(len(plan.dev), np.float32)),
    )


def _check_stored(activations: np.ndarray, plan: BoundaryPlan, cut: CutClassifier) -> None:
    expected = (len(plan), *cut.tail.input_shape[1:])
    if activations.shape != expected:
        raise GraftError(
            "the stored activations are of other parameters (unfreeze, views, image_size, "
            f"splits) than now; run --pipelines=fine_tuning as a whole; they should be {expected}; "
            f"got {activations.shape}"
        )


_SHEET_PICTURES, _SHEET_VIEWS = 6, 5


def store_boundary_activations(
    backbone: KerasModel,
    images: np.ndarray,
    image_origins: pd.DataFrame,
    splits: pd.DataFrame,
    previous_boundary_activations: TracedRows | None,
    parameters: FineTuningParameters,
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
        cut.trunk, plan, images, image_origins, splits, previous, parameters, tell_preview
    )


def list_recipes(name: str) -> list[Recipe]:
    """The recipes that may start: all, or the one of that name."""
    from graft.training.tuning_recipes import RECIPES

    return [recipe for recipe in RECIPES if name in ("auto", recipe.name)]


def find_stored_settings(
    backbone: KerasModel, splits: pd.DataFrame, parameters: FineTuningParameters
) -> FineTuningParameters:
    """The parameters of the recipe that trains on stored activations; of all, one does.

    If none does, those of a recipe for which nothing is stored.
    """
    from graft.training.tuning_recipes import follow

    load = measure_load(backbone, splits, parameters)
    recipes = list_recipes(parameters.recipe)
    stored = [recipe for recipe in recipes if load.is_first(recipe) and recipe.depth != "none"]
    recipe = stored[0] if stored else recipes[-1]
    return follow(recipe, parameters, load.pictures, len(load.shares))


def measure_load(
    backbone: KerasModel, splits: pd.DataFrame, parameters: FineTuningParameters
) -> Workload:
    """What a training of this backbone on these pictures costs."""
    from graft.models.blocks import find_blocks
    from graft.training.tuning_recipes import Workload

    works = [block.multiply_adds for block in find_blocks(backbone)]
    return Workload(
        pictures=int((splits["split"] == "train").sum()),
        dev=int((splits["split"] == "dev").sum()),
        batch_size=parameters.batch_size,
        shares=tuple(work / sum(works) for work in works),
        multiply_adds=sum(works),
        is_cached=parameters.activation_cache,
    )


def fine_tune(
    backbone: KerasModel,
    head: KerasModel,
    boundary_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: FineTuningParameters,
) -> tuple[KerasModel, pd.DataFrame, dict[str, Any], pd.DataFrame, pd.DataFrame]:
    """Train the backbone and the head further, by the recipe that dev finds to be the best.

    Every training starts from the head as it was trained on the frozen backbone (LP-FT, Kumar et
    al. 2022). With the recipe ``custom``, the weights go back to what they were if the log loss
    on dev ends no lower than it was before.

    Returns:
        ``fine_tuned.classifier``: from pictures (N, H, W, 3) uint8 to probabilities (N, C).
        ``fine_tuned.history``: a row an epoch, ``kept`` where its weights are; no row if the
        head is kept as it is. ``fine_tuned_recipe``: ``recipe``, ``unfreeze`` (where it was cut),
        ``chosen_among`` (runners that dev chose from), ``dev_accuracy`` and ``parameters`` of the
        training. ``recipe_race`` and ``recipe_curves``: see
        :func:`graft.training.race.tabulate_race` and ``tabulate_curves``.

    Raises:
        GraftError: If there is no such block or none to train, or the loss is no longer a number.
    """
    from graft.training.devices import seed_everything, tell_devices

    tell_devices()
    seed_everything(parameters.seed)
    if parameters.recipe == "custom":
        return _tune_as_told(
            backbone, head, boundary_activations, images, splits, class_names, backup, logs,
            parameters,
        )  # fmt: skip
    return _race(
        backbone, head, boundary_activations, images, splits, class_names, backup, logs, parameters
    )


def _tune_as_told(
    backbone: KerasModel,
    head: KerasModel,
    boundary_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: FineTuningParameters,
) -> tuple[KerasModel, pd.DataFrame, dict[str, Any], pd.DataFrame, pd.DataFrame]:
    from graft.models.freezing import cut_classifier
    from graft.training import tails

    cut = cut_classifier(backbone, head, parameters.unfreeze)
    if not cut.unfrozen:
        raise GraftError(
            "fine_tuning.unfreeze: name at least one block to fine-tune it; got "
            f"{parameters.unfreeze!r}"
        )
    train, dev = make_pools(cut, boundary_activations, images, splits, class_names, parameters)
    history, before, after = tails.tune(
        cut, train, dev, parameters, parameters.layer_decay, backup, logs
    )
    kept = find_kept(history, parameters.keep)
    tell_outcome(history, kept, before, after)
    accuracy = float(history["dev_accuracy"].iloc[kept])
    facts = _describe_choice("custom", 1, accuracy, parameters)
    race = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in RACE_COLUMNS.items()})
    return cut.whole, _mark_kept(history, parameters), facts, race, race.iloc[:, :1]


def _race(
    backbone: KerasModel,
    head: KerasModel,
    boundary_activations: np.ndarray,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    backup: TrainingBackup,
    logs: Path,
    parameters: FineTuningParameters,
) -> tuple[KerasModel, pd.DataFrame, dict[str, Any], pd.DataFrame, pd.DataFrame]:
    from graft.training.race import Race, tabulate_curves, tabulate_race

    def make_sources(
        cut: CutClassifier, settings: FineTuningParameters
    ) -> tuple[ViewPools, ViewPools]:
        return make_pools(cut, boundary_activations, images, splits, class_names, settings)

    load = measure_load(backbone, splits, parameters)
    recipes = list_recipes(parameters.recipe)
    plan = RacePlan(load, recipes, parameters.budget, _time_pass(backbone, images, splits, load))
    plan.tell_start()
    is_dev = splits["split"] == "dev"
    clusters = splits.loc[is_dev, "cluster"].to_numpy()
    if len(recipes) > 1:
        tell_small_dev(clusters)
    race = Race(backbone, head, make_sources, load, parameters, clusters, backup, logs, recipes)
    result = race.run(plan.tell_field)
    table = tabulate_race(result, load)
    tell_winner(result.recipe.name, table)
    runners = table["runner"].nunique()
    accuracy = table[(table["runner"] == result.recipe.name) & (table["rung"] == 1)]["dev_accuracy"]
    facts = _describe_choice(result.recipe.name, runners, float(accuracy.iloc[0]), result.settings)
    history = _mark_kept(result.history, result.settings)
    return result.cut.whole, history, facts, table, tabulate_curves(result, load)


def _time_pass(
    backbone: KerasModel, images: np.ndarray, splits: pd.DataFrame, load: Workload
) -> float | None:
    """Seconds of a pass; None where even a hundred of them are not worth measuring."""
    from graft.training.race import time_pass
    from graft.training.tuning_recipes import NEGLIGIBLE_WORK

    if 100 * load.pictures * load.multiply_adds < NEGLIGIBLE_WORK:
        return None
    train = np.flatnonzero(splits["split"] == "train")
    return time_pass(backbone, partial(copy_pictures, images), train, load.batch_size)


def _describe_choice(
    name: str, chosen_among: int, accuracy: float | None, settings: FineTuningParameters
) -> dict[str, Any]:
    return {
        "recipe": name,
        "unfreeze": settings.unfreeze,
        "chosen_among": chosen_among,
        "dev_accuracy": accuracy,
        "parameters": settings.model_dump(mode="json"),
    }


def _mark_kept(history: pd.DataFrame, settings: FineTuningParameters) -> pd.DataFrame:
    kept = np.zeros(len(history), bool)
    if len(history):
        kept[find_kept(history, settings.keep)] = True
    return history.assign(kept=kept)


def draw_augmented_pictures(
    images: np.ndarray, splits: pd.DataFrame, parameters: FineTuningParameters
) -> Figure:
    """Draw a few pictures of train beside some of their augmented views.

    Returns:
        ``augmented_pictures``: a row a picture, the picture itself first.
    """
    from graft.models.augmentation import PictureAugmenter, is_active

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
        return draw_note("No recipes raced (fine_tuning.recipe: custom).")
    return draw_race(recipe_curves, fine_tuned_recipe["recipe"])
