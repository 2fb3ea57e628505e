"""Trials that train whole networks: a small one from scratch, or the backbone further.

They run in the project's own training loop, a fold of train after the other, and are given up
after a fold by which they are below the median of the trials before them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from graft.compute.streams import copy_rows
from graft.errors import GraftError
from graft.images.colours import copy_pictures, make_reader
from graft.models.augmentation import PictureAugmenter, is_active
from graft.models.blocks import find_blocks
from graft.models.freezing import cut_classifier
from graft.models.heads import build_head
from graft.models.inference import predict_rows
from graft.models.networks import NetworkSettings, build_classifier
from graft.parameters.fine_tuning import FineTuningParameters
from graft.parameters.from_scratch import ArchitectureParameters, ScratchTrainingParameters
from graft.parameters.training import HeadTrainingParameters, TrainingParameters
from graft.search.head_trials import FoldData, FoldHeads
from graft.search.spaces import Values
from graft.search.verdicts import Trial, is_given_up, score
from graft.training.devices import seed_everything
from graft.training.fitting import fit
from graft.training.losses import weigh_pictures
from graft.training.shuffling import ArrayReader, RowPools
from graft.training.tails import train_tail
from graft.training.tuning_recipes import (
    count_epochs,
    count_repeats,
    get_recipe,
    scale_augmentation,
)
from graft.training.views import FreshViews, ViewPools
from graft.training.watching import BrokenLossError

_BATCH = 64
TUNABLE = "tunable"


class _FoldRunner:
    """What both have in common: a fold after the other, until all are done or it is given up.

    Args:
        images: All pictures (N, H, W, channels) uint8.
        train: Rows of train, int (n,).
        dev: Rows of dev; they stop a training, and nothing is chosen by them.
        labels: Class index of all pictures, int (N,).
        weights: Weight of every picture of train beside that of its class, float32 (n,).
        folds: Fold of every picture of train, int (n,).
        class_count: Number of classes C.
    """

    def __init__(
        self,
        images: np.ndarray,
        train: np.ndarray,
        dev: np.ndarray,
        labels: np.ndarray,
        weights: np.ndarray,
        folds: np.ndarray,
        class_count: int,
    ) -> None:
        self._images, self._train, self._dev = images, train, dev
        self._labels, self._weights, self._folds = labels, weights, folds
        self._class_count = class_count

    def _run_folds(
        self,
        number: int,
        values: Values | None,
        bars: Sequence[float],
        train_fold: Callable[[int, np.ndarray, np.ndarray], keras.Model],
    ) -> Trial:
        given = values or {}
        labels = self._labels[self._train]
        probabilities = np.zeros((len(self._train), self._class_count), np.float32)
        seen = np.zeros(len(self._train), bool)
        steps: list[float] = []
        for fold in range(int(self._folds.max()) + 1):
            here = self._folds == fold
            try:
                model = train_fold(fold, self._train[~here], self._weights[~here])
            except BrokenLossError:
                if values is None:
                    raise
                return Trial(number, given, tuple(steps), reason="its loss is no longer a number")
            read = make_reader(self._images, model.input_shape[-1])
            probabilities[here] = predict_rows(model, read, self._train[here], _BATCH)
            seen |= here
            right = probabilities[seen].argmax(axis=1) == labels[seen]
            steps.append(float(right.mean()))
            if not seen.all() and is_given_up(steps[-1], fold, bars):
                reason = f"below the median after {fold + 1} of {int(self._folds.max()) + 1} folds"
                return Trial(number, given, tuple(steps), reason=reason)
        return score(number, given, tuple(steps), labels, probabilities)

    def _weigh(
        self, rows: np.ndarray, weights: np.ndarray, parameters: TrainingParameters
    ) -> np.ndarray:
        by_class = weigh_pictures(self._labels[rows], self._class_count, parameters.class_weights)
        return by_class * weights


class NetworkRunner(_FoldRunner):
    """Runs trials of a network from scratch: a :class:`graft.search.studies.Runner`.

    Args:
        parameters: The default.
        arguments: Of :class:`_FoldRunner`.
    """

    def __init__(self, parameters: ScratchTrainingParameters, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._parameters = parameters

    def run(self, number: int, values: Values | None, bars: Sequence[float]) -> Trial:
        """Train a network a fold."""
        parameters = change_network(self._parameters, values or {})
        return self._run_folds(number, values, bars, partial(self._train_fold, parameters))

    def _train_fold(
        self,
        parameters: ScratchTrainingParameters,
        _: int,
        rows: np.ndarray,
        weights: np.ndarray,
    ) -> keras.Model:
        seed_everything(parameters.seed)
        chosen = parameters.model_dump(include={"activation", "initializer", "l1", "l2", "seed"})
        settings = NetworkSettings(
            self._class_count, **chosen, architecture=parameters.architecture
        )
        model = build_classifier(parameters.network, self._images.shape[1:], settings)
        reader = ArrayReader(partial(copy_rows, self._images))
        train = RowPools(reader, rows, self._labels[rows], self._weigh(rows, weights, parameters))
        ones = np.ones(len(self._dev), np.float32)
        dev = RowPools(reader, self._dev, self._labels[self._dev], ones)
        fit(model, train, dev, parameters.model_copy(update={"callbacks": ()}))
        return model


def change_network(
    parameters: ScratchTrainingParameters, values: Values
) -> ScratchTrainingParameters:
    """The parameters of a trial: of the network ``tunable``, if anything is changed."""
    if not values:
        return parameters
    plain: dict[str, Any] = {"network": TUNABLE}
    layers: dict[str, Any] = parameters.architecture.model_dump()
    for path, value in values.items():
        name = path.rpartition(".")[2]
        (layers if ".architecture." in path else plain)[name] = value
    plain["architecture"] = ArchitectureParameters(**layers)
    return parameters.model_copy(update=plain)


class RecipeRunner(_FoldRunner):
    """Runs trials of fine-tuning: a :class:`graft.search.studies.Runner`.

    Args:
        backbone: From pictures to features.
        data: The features, by which the heads are trained that the trials start from.
        head: How these are trained.
        parameters: How fine-tuning goes by default; with ``unfreeze: none`` not at all.
        arguments: Of :class:`_FoldRunner`.
    """

    def __init__(
        self,
        backbone: keras.Model,
        data: FoldData,
        head: HeadTrainingParameters,
        parameters: FineTuningParameters,
        *arguments: Any,
    ) -> None:
        super().__init__(*arguments)
        self._backbone, self._data, self._head = backbone, data, head
        self._parameters = parameters
        self._block_count = len(find_blocks(backbone))
        self._start: list[np.ndarray] | None = None
        self._heads: list[np.ndarray] | None = None

    def run(self, number: int, values: Values | None, bars: Sequence[float]) -> Trial:
        """Fine-tune the backbone and a head a fold; afterwards the backbone is as before."""
        self._heads = self._heads or FoldHeads(self._data).train(self._head).variables
        parameters = self._parameters
        if values is not None:
            least = len(self._train) - int(np.bincount(self._folds).max())
            parameters = change_recipe(parameters, values, least, self._block_count)
        try:
            return self._run_folds(number, values, bars, partial(self._train_fold, parameters))
        finally:
            if self._start is not None:
                self._backbone.set_weights(self._start)

    def _train_fold(
        self, parameters: FineTuningParameters, fold: int, rows: np.ndarray, weights: np.ndarray
    ) -> keras.Model:
        assert self._heads is not None
        if self._start is None:
            self._start = self._backbone.get_weights()
        self._backbone.set_weights(self._start)
        seed_everything(parameters.seed)
        head = build_head(
            self._data.vectors.shape[1], self._class_count, self._head.dropout, 0.0,
            self._head.seed, hidden_units=self._head.hidden_units,
        )  # fmt: skip
        head.set_weights([variable[fold] for variable in self._heads])
        cut = cut_classifier(self._backbone, head, parameters.unfreeze)
        if cut.unfrozen:
            read = partial(copy_pictures, self._images)
            augmenter = None
            if is_active(parameters.augmentation):
                augmenter = PictureAugmenter(parameters.augmentation, self._images.shape[1])
            labels, own = self._labels, self._weigh(rows, weights, parameters)
            train = ViewPools(
                FreshViews(read, rows, augmenter), labels[rows], own, parameters.repeats
            )
            ones = np.ones(len(self._dev), np.float32)
            dev = ViewPools(FreshViews(read, self._dev, None), labels[self._dev], ones)
            quiet = parameters.model_copy(update={"callbacks": ()})
            train_tail(cut, train, dev, quiet, parameters.layer_decay)
        return cut.whole


def change_recipe(
    parameters: FineTuningParameters, values: Values, pictures: int, blocks: int
) -> FineTuningParameters:
    """The parameters of a trial of fine-tuning.

    Args:
        parameters: What is not changed stays as it is there.
        values: Of the knobs.
        pictures: To train on, by which the length goes.
        blocks: Of the backbone.
    """
    found = {path.rpartition(".")[2]: float(value) for path, value in values.items()}
    unfrozen = max(1, round(found["depth"] * blocks))
    epochs = count_epochs(get_recipe("all"), pictures, parameters.batch_size)
    repeats = count_repeats(get_recipe("all"), pictures, parameters.batch_size)
    strength = found["augmentation_strength"]
    return parameters.model_copy(
        update={
            "recipe": "custom",
            "unfreeze": "all" if unfrozen >= blocks else unfrozen,
            "learning_rate": found["learning_rate"],
            "schedule": "cosine",
            "warmup_share": 0.1,
            "epochs": epochs,
            "repeats": repeats,
            "patience": epochs,
            "keep": "accuracy",
            "layer_decay": found["layer_decay"],
            "label_smoothing": get_recipe("all").label_smoothing,
            "augmentation": scale_augmentation(parameters.augmentation, strength),
            "views": 0,
            "activation_cache": False,
        }
    )


# What of a recipe an environment has to say, beside `recipe: custom`.
RECIPE_NAMES = (
    "unfreeze", "learning_rate", "schedule", "warmup_share", "epochs", "repeats", "patience",
    "keep", "layer_decay", "label_smoothing", "views", "activation_cache", "augmentation",
)  # fmt: skip


def write_recipe(parameters: FineTuningParameters) -> Mapping[str, Any]:
    """The parameters that :func:`change_recipe` has changed, as a file has them."""
    said = parameters.model_dump(mode="json")
    return {"fine_tuning": {"recipe": "custom", **{name: said[name] for name in RECIPE_NAMES}}}


def refuse_strange_loss(parameters: FineTuningParameters, classes: int) -> None:
    """Refuse a fine-tuning whose head has one output; the heads of the folds have one a class.

    Raises:
        GraftError: Names the parameter.
    """
    if parameters.loss == "binary_crossentropy":
        raise GraftError(
            "the search of recipes trains heads of one output a class; set fine_tuning.loss to "
            f"sparse_categorical_crossentropy; got 'binary_crossentropy' for {classes} classes"
        )
