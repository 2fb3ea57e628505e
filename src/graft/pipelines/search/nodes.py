"""Nodes of the search: they prepare a space, run its trials and tell what came of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from graft.analysis.clusters import deal_folds
from graft.compute.streams import copy_rows
from graft.datasets.environments import FoundEnvironment
from graft.datasets.features import FeatureTable
from graft.errors import GraftError
from graft.fingerprints import fingerprint_code, hash_parts
from graft.parameters.fine_tuning import (
    AugmentationParameters,
    FineTuningParameters,
    find_settings,
)
from graft.parameters.from_scratch import ScratchTrainingParameters
from graft.parameters.training import HeadTrainingParameters, TrainingParameters
from graft.pipelines.search.parameters import SearchParameters
from graft.progress import tell as tell_lines
from graft.progress import track
from graft.reporting.report import render_page
from graft.reporting.search_figures import draw_coordinates, draw_history, draw_slices
from graft.search.spaces import SPACES, Knob, Values, nest
from graft.search.studies import Runner, Study
from graft.search.verdicts import ENOUGH_FOR_IMPORTANCES, Trial, judge, tell
from graft.training.backup import TrainingBackup
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.search.head_trials import FoldData


@dataclass(frozen=True)
class Job:
    """A space that is ready to be searched.

    Attributes:
        runner: Runs a trial.
        default: Of every knob, as the parameters say it.
        write: From the values of knobs to parameters as a file has them.
        content: Digest of what is trained on.
        clusters: Cluster of every picture of train, int (n,).
    """

    runner: Runner
    default: Values
    write: Callable[[Values], dict[str, Any]]
    content: str
    clusters: np.ndarray


def search_heads(
    features: FeatureTable,
    splits: pd.DataFrame,
    class_names: list[str],
    search_backup: TrainingBackup,
    head_training: HeadTrainingParameters,
    parameters: SearchParameters,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Try other parameters of the head, on stored features.

    A trial trains a head a fold of train and is scored on what each has not seen. Dev stops a
    training, as it does later; neither dev nor test choose.

    Returns:
        ``search_trials``: a row a trial, see :func:`tabulate_trials`. ``search_verdict``: see
        :func:`describe_verdict`.

    Raises:
        GraftError: If Optuna is missing, or the head is trained in a way that cannot be searched.
    """
    from graft.search.head_trials import HeadRunner, refuse_untrainable

    refuse_untrainable(head_training)
    data = _read_features(features, splits, class_names, head_training, parameters)
    arrays = (data.vectors, data.labels, data.weights, data.dev_vectors, data.dev_labels)
    default = {
        knob.path: getattr(head_training, knob.path.rpartition(".")[2]) for knob in SPACES["head"]
    }
    job = Job(
        HeadRunner(data, head_training), default, nest,
        hash_parts(*(array.tobytes() for array in arrays)),
        _read_train(splits, "cluster"),
    )  # fmt: skip
    return _search(job, search_backup, [head_training], parameters)


def search_recipes(
    features: FeatureTable,
    backbone: KerasModel,
    images: np.ndarray,
    fine_tuned_recipe: dict[str, Any],
    splits: pd.DataFrame,
    class_names: list[str],
    search_backup: TrainingBackup,
    head_training: HeadTrainingParameters,
    fine_tuning: FineTuningParameters,
    parameters: SearchParameters,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Try other rates, depths, layer decays and strengths of augmentation in fine-tuning.

    The default is the recipe that won the race of the fine-tuning stage, or the custom one.

    Returns:
        ``search_trials`` and ``search_verdict``, as of :func:`search_heads`.

    Raises:
        GraftError: If Optuna is missing, or what is trained cannot be searched.
    """
    from graft.models.blocks import find_blocks
    from graft.search.head_trials import refuse_untrainable
    from graft.search.network_trials import (
        RecipeRunner,
        change_recipe,
        refuse_strange_loss,
        write_recipe,
    )

    refuse_untrainable(head_training)
    refuse_strange_loss(fine_tuning, len(class_names))
    found = find_settings(fine_tuning, fine_tuned_recipe)
    data = _read_features(features, splits, class_names, head_training, parameters)
    arguments = _list_arguments(images, splits, class_names, fine_tuning, parameters)
    blocks = len(find_blocks(backbone))
    default = {
        "fine_tuning.learning_rate": found.learning_rate,
        "fine_tuning.depth": _find_depth(backbone, found),
        "fine_tuning.layer_decay": found.layer_decay,
        "fine_tuning.augmentation_strength": float(found.augmentation != _STILL),
    }
    train = int((splits["split"] == "train").sum())

    def write(values: Values) -> dict[str, Any]:
        if values == default:
            return {"fine_tuning": {"recipe": fine_tuning.recipe}}
        return dict(write_recipe(change_recipe(fine_tuning, values, train, blocks)))

    job = Job(
        RecipeRunner(backbone, data, head_training, found, *arguments), default, write,
        hash_parts(data.vectors.tobytes(), *_hash_pictures(images, splits)),
        _read_train(splits, "cluster"),
    )  # fmt: skip
    return _search(job, search_backup, [head_training, found], parameters)


_STILL = AugmentationParameters(
    rotation=0, zoom=0, shift=0, shear=0, horizontal_flip=False, fill_mode="nearest",
    brightness=0, contrast=0,
)  # fmt: skip


def _find_depth(backbone: KerasModel, parameters: FineTuningParameters) -> float:
    """Share of the backbone's blocks that are trained."""
    from graft.models.freezing import cut_backbone

    if parameters.unfreeze == "none":
        return 0.0
    cut = cut_backbone(backbone, parameters.unfreeze)
    return len(cut.unfrozen) / (len(cut.unfrozen) + len(cut.frozen))


def search_networks(
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    search_backup: TrainingBackup,
    from_scratch: ScratchTrainingParameters,
    parameters: SearchParameters,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Try other layers of a small network from scratch.

    The default is the network that is named, or ``tunable`` as its parameters say if none is.

    Returns:
        ``search_trials`` and ``search_verdict``, as of :func:`search_heads`.

    Raises:
        GraftError: If Optuna is missing, or the default cannot be trained.
    """
    from graft.search.network_trials import TUNABLE, NetworkRunner

    if from_scratch.network == "none":
        from_scratch = from_scratch.model_copy(update={"network": TUNABLE})
    said = from_scratch.model_dump(mode="json")
    default = {}
    for knob in SPACES["network"]:
        _, *folders, name = knob.path.split(".")
        default[knob.path] = (said[folders[0]] if folders else said)[name]

    def write(values: Values) -> dict[str, Any]:
        network = from_scratch.network if values == default else TUNABLE
        named = {"from_scratch.network": network}
        return nest(named if network != TUNABLE else {**named, **values})

    arguments = _list_arguments(images, splits, class_names, from_scratch, parameters)
    job = Job(
        NetworkRunner(from_scratch, *arguments), default, write,
        hash_parts(*_hash_pictures(images, splits)), _read_train(splits, "cluster"),
    )  # fmt: skip
    return _search(job, search_backup, [from_scratch], parameters)


def _list_arguments(
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    settings: TrainingParameters,
    parameters: SearchParameters,
) -> tuple[Any, ...]:
    """What runners of whole networks train on."""
    train, dev = (np.flatnonzero(splits["split"] == name) for name in ("train", "dev"))
    labels = splits["label_index"].to_numpy(np.int64)
    weights = _read_weights(splits.iloc[train], settings)
    return images, train, dev, labels, weights, _deal(splits, parameters), len(class_names)


def _hash_pictures(images: np.ndarray, splits: pd.DataFrame) -> list[str]:
    """Digests of all pictures of train and dev, read a few at a time, and of their labels."""
    parts = []
    for name in ("train", "dev"):
        rows = np.flatnonzero(splits["split"] == name)
        parts += [hash_parts(*(copy_rows(images, rows[start : start + 256]).tobytes()
                               for start in range(0, len(rows), 256)))]  # fmt: skip
        parts += [hash_parts(splits["label_index"].to_numpy(np.int64)[rows].tobytes())]
    return parts


def _read_weights(pictures: pd.DataFrame, settings: TrainingParameters) -> np.ndarray:
    from graft.training.losses import read_sample_weights

    if settings.sample_weights is None:
        return np.ones(len(pictures), np.float32)
    return read_sample_weights(pictures, settings.sample_weights, settings.stage)


def _read_features(
    features: FeatureTable,
    splits: pd.DataFrame,
    class_names: list[str],
    head_training: TrainingParameters,
    parameters: SearchParameters,
) -> FoldData:
    from graft.search.head_trials import FoldData

    train, dev = (splits[splits["split"] == name] for name in ("train", "dev"))
    return FoldData(
        features.read(train["image_id"]),
        train["label_index"].to_numpy(np.int64),
        _read_weights(train, head_training),
        _deal(splits, parameters),
        features.read(dev["image_id"]),
        dev["label_index"].to_numpy(np.int64),
        len(class_names),
    )


def _read_train(splits: pd.DataFrame, column: str) -> np.ndarray:
    return splits.loc[splits["split"] == "train", column].to_numpy(np.int64)


def _deal(splits: pd.DataFrame, parameters: SearchParameters) -> np.ndarray:
    """Fold of every picture of train, whole clusters in one.

    Raises:
        GraftError: If there are not even two.
    """
    labels, clusters = _read_train(splits, "label_index"), _read_train(splits, "cluster")
    folds = deal_folds(labels, clusters, parameters.folds, parameters.seed)
    if folds.max(initial=0) == 0:
        raise GraftError(
            "a search scores by cross-validation on train, and its pictures make no two folds: "
            "every class needs two pictures, or groups of pictures that belong together; got "
            f"{len(np.unique(clusters))} groups in train"
        )
    return folds


def _search(
    job: Job,
    backup: TrainingBackup,
    settings: Sequence[TrainingParameters],
    parameters: SearchParameters,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    knobs = SPACES[parameters.space]
    name = hash_parts(
        parameters.space, parameters.folds, parameters.seed, job.content, str(knobs),
        fingerprint_code(type(job.runner)), *(each.model_dump_json() for each in settings),
    )  # fmt: skip
    with backup.hold():
        file = backup.folder / "trials.sqlite"
        if backup.is_forgotten:
            file.unlink(missing_ok=True)
        study = Study(file, name, knobs, parameters.seed)
        known = study.read()
        if known:
            tell_lines("Search", "%d trials are known and not run again", len(known))
        running = study.run(
            job.runner, job.default, parameters.trials,
            workers=parameters.workers, minutes=parameters.minutes,
        )  # fmt: skip
        _follow(known, track(running, parameters.trials - len(known), "searching", "trials"))
        trials = study.read()
        importances = {}
        if sum(trial.right is not None for trial in trials) >= ENOUGH_FOR_IMPORTANCES:
            importances = study.measure_importances()
    facts = describe_verdict(trials, job, importances, parameters)
    tell_lines("Search", facts["line"])
    return tabulate_trials(trials, knobs), facts


def _follow(known: Sequence[Trial], running: Any) -> None:
    best = max((trial.accuracy or 0.0 for trial in known), default=0.0)
    for trial in running:
        if trial.accuracy is not None and trial.accuracy > best:
            best = trial.accuracy
            tell_lines(
                "", "trial %-3d accuracy %.4f, log loss %.4f by cross-validation",
                trial.number, best, trial.log_loss,
            )  # fmt: skip


def tabulate_trials(trials: Sequence[Trial], knobs: Sequence[Knob]) -> pd.DataFrame:
    """What was tried, a row a trial.

    Returns:
        ``trial`` (0 is the default), ``accuracy`` and ``log_loss`` by cross-validation (missing
        if it was given up), ``given_up`` (why; empty if it was not), and a column a knob.
    """
    rows = [
        {
            "trial": trial.number,
            "accuracy": np.nan if trial.accuracy is None else trial.accuracy,
            "log_loss": trial.log_loss if np.isfinite(trial.log_loss) else np.nan,
            "given_up": trial.reason,
            **{knob.path: trial.choice[knob.path] for knob in knobs},
        }
        for trial in trials
    ]
    return pd.DataFrame(rows).astype({"given_up": "str"})


def describe_verdict(
    trials: Sequence[Trial],
    job: Job,
    importances: Mapping[str, float],
    parameters: SearchParameters,
) -> dict[str, Any]:
    """What became of a search, as plain data.

    Returns:
        ``search_verdict``: ``space``, ``folds``, ``pictures`` (of train), ``trials``,
        ``given_up``, ``default`` (its accuracy), ``winner`` (number of the best trial),
        ``gain`` and ``error`` (its paired difference and that one's standard error),
        ``is_taken``, ``line`` (all of it in words), ``importances`` (empty with few trials),
        ``parameters`` (of the winner if it is taken, else of the default) and ``changes``
        (dotted name → ``[before, now]`` of what the winner would change).
    """
    verdict = judge(trials, job.clusters)
    default = trials[0].accuracy or 0.0
    winner = trials[verdict.winner].choice
    return {
        "space": parameters.space,
        "folds": parameters.folds,
        "pictures": len(job.clusters),
        "trials": verdict.trials,
        "given_up": verdict.given_up,
        "default": default,
        "winner": verdict.winner,
        "gain": verdict.gain,
        "error": verdict.error,
        "is_taken": verdict.is_taken,
        "line": tell(verdict, default),
        "importances": dict(importances),
        "parameters": job.write(winner if verdict.is_taken else job.default),
        "changes": {path: [job.default[path], value] for path, value in winner.items()},
    }


def describe_environment(
    search_verdict: dict[str, Any], parameters: SearchParameters
) -> FoundEnvironment:
    """The environment in which a run has what was found, and how it was found.

    Returns:
        ``search_environment``: the parameters of the winner; those of the default where that is
        kept, so that the environment is there and changes nothing.
    """
    space = "" if parameters.space == "head" else f" --params search.space={parameters.space}"
    comment = [
        f"Written by `kedro run --pipelines=search{space}`, trial {search_verdict['winner']} of "
        f"{search_verdict['trials']}.",
        f"{search_verdict['line'].capitalize()}.",
        f"Scored by {search_verdict['folds']}-fold cross-validation on the "
        f"{search_verdict['pictures']} pictures of train; dev and test chose nothing.",
    ]
    if not search_verdict["is_taken"]:
        comment.append("So these are the values that there were before: nothing is changed.")
    return FoundEnvironment(search_verdict["parameters"], comment)


def draw_search_history(search_trials: pd.DataFrame, search_verdict: dict[str, Any]) -> Figure:
    """Draw the score of every trial in turn, and the best so far."""
    return draw_history(search_trials, search_verdict)


def draw_search_slices(search_trials: pd.DataFrame, parameters: SearchParameters) -> Figure:
    """Draw the score against each knob."""
    return draw_slices(search_trials, _list_axes(parameters))


def draw_search_coordinates(search_trials: pd.DataFrame, parameters: SearchParameters) -> Figure:
    """Draw every trial as a line over all knobs, coloured by its score."""
    return draw_coordinates(search_trials, _list_axes(parameters))


def _list_axes(parameters: SearchParameters) -> dict[str, bool]:
    """Column of every knob, and whether its axis is logarithmic."""
    return {knob.path: knob.is_log for knob in SPACES[parameters.space]}


def write_search_page(
    search_trials: pd.DataFrame,
    search_verdict: dict[str, Any],
    search_history: bytes,
    search_slices: bytes,
    search_coordinates: bytes,
    parameters: SearchParameters,
) -> str:
    """Write what was tried and what came of it: one HTML page."""
    knobs = [knob.path for knob in SPACES[parameters.space]]
    ranked = search_trials.sort_values(
        ["accuracy", "log_loss", "trial"], ascending=[False, True, True], na_position="last"
    )
    return render_page(
        "search.html",
        verdict=search_verdict,
        rows=ranked.to_dict("records"),
        knobs=knobs,
        enough=ENOUGH_FOR_IMPORTANCES,
        figures={
            "Trial by trial": search_history,
            "One parameter at a time": search_slices,
            "All parameters together": search_coordinates,
        },
    )
