"""Candidates: the classifiers among which one is chosen, all wired alike.

A candidate has a name, under which its data sets and its folder stand, and a training that makes
``NAME.classifier`` and ``NAME.history``. Its predictions, its cost and its training curves follow
from these two; whatever comes after takes the candidates that there are. Which ones these are is
the parameter ``candidates``: names of this project, or dotted paths of functions of one's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from kedro.pipeline import Node, Pipeline
from matplotlib.figure import Figure

from graft.datasets.features import FeatureTable
from graft.datasets.shared_models import write_shared
from graft.dotted_paths import load_by_path
from graft.errors import GraftError
from graft.images.colours import make_reader
from graft.models.kept_exports import KeptExports
from graft.parameters.base import TrainSampleParameters
from graft.parameters.forward import AUTO, ForwardParameters
from graft.reporting.style import draw_note
from graft.reporting.training_figures import draw_history
from graft.types import KerasModel

# The candidates of this project, each with the stage that trains it.
STAGES = {
    "from_scratch": "from_scratch",
    "frozen": "head_training",
    "fine_tuned": "fine_tuning",
    "frozen_folds": "fold_ensemble",
    "self_trained": "self_training",
    "self_tuned": "self_tuning",
    "autokeras": "autokeras",
}
_BATCH, _FEATURE_BATCH = 64, 256


@dataclass(frozen=True)
class Candidate:
    """A classifier that stands for choice.

    Attributes:
        name: Of its data sets and of its folder in ``data``.
        title: What it is, in a line of the report.
        training: Function without arguments to the nodes that make ``NAME.classifier``, from
            pictures (N, H, W, channels) uint8 to probabilities (N, C), and ``NAME.history``, a
            row an epoch.
        predicting: Function to the nodes that make ``NAME.predictions`` in a quicker way than by
            passing every picture through the classifier; None where there is none.
        is_wanted: Whether it takes part, by the parameters of the run.
        has_backbone: Whether it is built on the pretrained backbone.
        learns_unlabelled: Whether it learns from pictures without a label too; the training then
            also makes ``NAME.unlabelled_verdict``, see :mod:`graft.analysis.unlabelled_verdicts`.
        needs: Candidate whose classifier it begins with; it stands before it.
    """

    name: str
    title: str
    training: Callable[[], Sequence[Node]]
    predicting: Callable[[], Sequence[Node]] | None = None
    is_wanted: Callable[[Mapping[str, Any]], bool] = lambda _: True
    has_backbone: bool = True
    learns_unlabelled: bool = False
    needs: str | None = None

    @property
    def stage(self) -> str:
        """The stage that trains it: what ``--pipelines`` takes, and a box in kedro-viz."""
        return STAGES.get(self.name, self.name)


_chosen: list[Candidate] | None = None
_begins_warm = False


def choose_candidates(parameters: Mapping[str, Any]) -> None:
    """Say which candidates the pipelines of this process have.

    Kedro builds pipelines before it knows an environment's parameters; a hook calls this first.

    Args:
        parameters: Of the run; ``candidates`` lists names or dotted paths, ``warm_start`` says
            whether head and fine-tuning begin with the weights of the last champion.

    Raises:
        GraftError: If the list is empty, names one twice, one that does not exist, or one without
            that with which it begins; if ``warm_start`` is neither true nor false, or none of the
            candidates can begin so.
    """
    global _chosen, _begins_warm
    named = parameters.get("candidates") or []
    if isinstance(named, str) or not named:
        raise GraftError(
            f"candidates is a list of at least one of {', '.join(STAGES)} or the dotted path of a "
            f"training function; got {named!r}"
        )
    found = [find_candidate(name) for name in named]
    names = [candidate.name for candidate in found]
    if len(set(names)) < len(names):
        raise GraftError(f"candidates: each may stand there once; got {named!r}")
    _chosen = [candidate for candidate in found if candidate.is_wanted(parameters)]
    if not _chosen:
        raise GraftError(
            "no candidate is left: the parameters leave out all of the list candidates; name a "
            f"network, or add frozen; got {named!r}"
        )
    for place, candidate in enumerate(_chosen):
        if candidate.needs and candidate.needs not in [one.name for one in _chosen[:place]]:
            raise GraftError(
                f"{candidate.name} begins with {candidate.needs}, which must stand before it in "
                f"candidates and take part, or leave {candidate.name} out; got {named!r}"
            )
    _begins_warm = _read_warm_start(parameters, [candidate.name for candidate in _chosen])


def _read_warm_start(parameters: Mapping[str, Any], names: Sequence[str]) -> bool:
    given = parameters.get("warm_start", False)
    if not isinstance(given, bool):
        raise GraftError(f"warm_start is true or false; got {given!r}")
    if given and "frozen" not in names:
        raise GraftError(
            "warm_start goes on from the head of the champion; name frozen among the candidates, "
            f"or leave warm_start out; got {', '.join(names)}"
        )
    return given


def list_warm_inputs() -> list[str]:
    """Datasets of the start that a training takes too, in a run that begins warm; else none."""
    return ["starting_point", "starting_weights"] if _begins_warm else []


def is_warm(starting_point: Mapping[str, Any] | None) -> TypeGuard[Mapping[str, Any]]:
    """Whether a training has a champion to begin with: a run that begins warm may have none yet."""
    return starting_point is not None and starting_point["champion"] is not None


def list_candidates() -> list[Candidate]:
    """The candidates of this run; before a run is known, those that need no parameter."""
    if _chosen is not None:
        return list(_chosen)
    return [find_candidate(name) for name in ("frozen", "fine_tuned")]


def find_candidate(name: str) -> Candidate:
    """A candidate by its name, or made of a training function by its dotted path.

    The function takes ``images`` (N, H, W, channels) uint8, ``splits`` and ``class_names`` and
    gives back a classifier and its history, a table with a row an epoch.

    Raises:
        GraftError: If there is none.
    """
    if name in STAGES:
        stage = import_module(f"graft.pipelines.{STAGES[name]}.pipeline")
        candidate: Candidate = stage.CANDIDATE
        return candidate
    if "." not in str(name):
        raise GraftError(
            f"unknown candidate; known are {', '.join(STAGES)}, and dotted paths of training "
            f"functions; got {name!r}"
        )
    function = load_by_path(name, "candidates")
    own = name.rpartition(".")[2]

    def train() -> list[Node]:
        return [
            Node(
                function,
                inputs=["images", "splits", "class_names"],
                outputs=[f"{own}.classifier", f"{own}.history"],
                name=own,
            )
        ]

    title = (function.__doc__ or own.replace("_", " ")).strip().splitlines()[0].rstrip(".")
    return Candidate(own, title, train, has_backbone=False)


def create_candidate_pipeline(candidate: Candidate) -> Pipeline:
    """Training, predictions, cost and training curves of one candidate, in one namespace."""
    own = candidate.name
    predicting = candidate.predicting() if candidate.predicting else [_create_prediction(own)]
    return Pipeline(
        [
            *candidate.training(),
            *predicting,
            Node(
                measure_cost, inputs=f"{own}.classifier", outputs=f"{own}.cost", name="measure_cost"
            ),
            Node(
                bind(draw_training_curves, title=candidate.title),
                inputs=f"{own}.history",
                outputs=f"{own}.training_curves",
                name="draw_training_curves",
            ),
        ],
        namespace=candidate.stage,
        prefix_datasets_with_namespace=False,
    )


def name_all(part: str) -> list[str]:
    """A dataset of every candidate, such as ``predictions``, by its name in the catalog."""
    return [f"{candidate.name}.{part}" for candidate in list_candidates()]


def bind(function: Callable[..., Any], **values: Any) -> Callable[..., Any]:
    """A node's function with some arguments given, that keeps its type hints.

    Kedro checks parameters by the hints of a node's function; of a bare partial it sees none.
    """
    return update_wrapper(partial(function, **values), function)


def _create_prediction(own: str) -> Node:
    return Node(
        predict_pictures,
        inputs=[
            f"{own}.classifier",
            "images",
            "splits",
            "class_names",
            "params:train_sample",
            "params:forward",
            "forward_exports",
        ],
        outputs=f"{own}.predictions",
        name="predict_pictures",
    )


def predict_pictures(
    classifier: KerasModel,
    images: np.ndarray,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
    forward: ForwardParameters = AUTO,
    exports: KeptExports | None = None,
) -> pd.DataFrame:
    """Classify the held-out pictures and some of train with a candidate's classifier.

    Returns:
        ``predictions``, see :func:`tabulate_predictions`.
    """
    from graft.models.forward_passes import open_forward
    from graft.models.inference import predict_rows

    rows = list_measured(splits, parameters)
    read = make_reader(images, classifier.input_shape[-1])
    passes = open_forward(classifier, read, rows, _BATCH, forward.engine, exports)
    probabilities = predict_rows(classifier, read, rows, _BATCH, "predicting", passes.run)
    return tabulate_predictions(splits.iloc[rows], probabilities, class_names)


def predict_from_features(
    features: FeatureTable,
    head: KerasModel,
    splits: pd.DataFrame,
    class_names: list[str],
    parameters: TrainSampleParameters,
) -> pd.DataFrame:
    """Classify the pictures of train_dev, dev and test and some of train from stored features.

    The backbone is not run again: the classifier is this very backbone and head.

    Returns:
        ``predictions``, see :func:`tabulate_predictions`.
    """
    from graft.models.inference import predict_rows

    pictures = splits.iloc[list_measured(splits, parameters)]
    rows = features.find_rows(pictures["image_id"])
    order = np.argsort(rows)  # as they lie on the disk
    probabilities = np.empty((len(rows), len(class_names)), np.float32)
    probabilities[order] = predict_rows(head, features.read_rows, rows[order], _FEATURE_BATCH)
    return tabulate_predictions(pictures, probabilities, class_names)


def tabulate_predictions(
    pictures: pd.DataFrame, probabilities: np.ndarray, class_names: list[str]
) -> pd.DataFrame:
    """Predictions as a table, a row a picture.

    Args:
        pictures: Columns ``image_id``, ``split`` and ``label``.
        probabilities: Array (n, C), in the same order.
        class_names: Of the columns.

    Returns:
        ``image_id``, ``split``, ``label``, ``predicted`` and ``probability_<class>`` for every
        class.
    """
    table = pictures[["image_id", "split", "label"]].reset_index(drop=True)
    table["predicted"] = np.array(class_names)[probabilities.argmax(axis=1)]
    columns = pd.DataFrame(probabilities, columns=[f"probability_{name}" for name in class_names])
    return table.join(columns).astype({"split": "str", "predicted": "str"})


def list_measured(splits: pd.DataFrame, parameters: TrainSampleParameters) -> np.ndarray:
    """Rows of train_dev, dev and test and of a random sample of train, in order, int (n,).

    The error on train is one part of the error breakdown and needs no more pictures than others;
    a pass of all pictures of train through a fine-tuned network may cost as much as an epoch. Drawn
    are those with the smallest salted hash: a few new pictures change the sample by a few.
    """
    drawn = draw_train(splits, parameters.pictures, parameters.seed)
    held_out = np.flatnonzero(splits["split"].isin(["train_dev", "dev", "test"]))
    return np.sort(np.concatenate([drawn, held_out]))


def draw_train(splits: pd.DataFrame, pictures: int, seed: int) -> np.ndarray:
    """Rows of a random sample of train, int (n,): those with the smallest salted hash."""
    train = np.flatnonzero(splits["split"] == "train")
    salted = [f"{seed} {content}" for content in splits["sha256"].iloc[train]]
    hashes = [hashlib.sha256(text.encode()).hexdigest() for text in salted]
    return train[np.argsort(hashes, kind="stable")[:pictures]]


def measure_cost(classifier: KerasModel) -> dict[str, Any]:
    """Measure what a classifier costs: space on the disk, weights, work for a picture.

    Returns:
        ``cost``: ``megabytes`` (10⁶ bytes of its ``.keras`` file), ``parameters`` and
        ``multiply_adds``, of one picture; None where a network's layers are called by its own
        code. Seconds differ from run to run; they are in the manifest.
    """
    from graft.models.blocks import count_multiply_adds

    try:
        work: int | None = count_multiply_adds(classifier)
    except LookupError:
        work = None
    with TemporaryDirectory() as folder:
        place = Path(folder) / "model.keras"
        write_shared(classifier, place)
        size = place.stat().st_size
    return {
        "megabytes": round(size / 1e6, 3),
        "parameters": int(classifier.count_params()),
        "multiply_adds": work,
    }


def draw_training_curves(history: pd.DataFrame, *, title: str) -> Figure:
    """Draw loss and accuracy on train and dev by epoch; a history may be empty."""
    if history.empty:
        return draw_note(f"{title}: nothing was trained, the head is kept as it is.")
    return draw_history(history, title)
