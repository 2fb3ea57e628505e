"""A warm start: training on from weights that were trained before, with a few pictures more.

Training anew is what a run with ten new pictures costs. From weights that know the other pictures
the way is short; and since dev says whether it led anywhere, it can only end where it began.

A tail goes on by the recipe that it was made by, for a fifth of its length, at a tenth of its
rate. On signs, all layers at the whole rate lost a point of accuracy on dev in that time, at a
third of it two points, at a tenth none; on cats and dogs, the last block, it made no difference
(tried by hand on 30 November 2026, ten pictures new: one draw of signs, two of cats and dogs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import pandas as pd

from graft.analysis.choosing import find_kept, rank
from graft.analysis.predictions import measure_losses
from graft.errors import GraftError
from graft.parameters.fine_tuning import FineTuningParameters
from graft.training.shuffling import BatchSource
from graft.training.tails import predict_source
from graft.training.tuning_recipes import find_rung, follow, get_recipe, shorten

# Of the length of a training, and of its learning rate.
SHARE, RATE = 0.2, 0.1


def train_on(
    model: keras.Model, dev: BatchSource, keep: str, train: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """Train a model further, and let dev decide between its weights before and after.

    By the rule that candidates are chosen by: accuracy, ties by log loss. Ties keep those before.

    Args:
        model: Trained in place; afterwards it has the weights that dev has chosen.
        dev: What is measured on.
        keep: Which epoch is the best of the training, as of
            :func:`graft.analysis.choosing.find_kept`.
        train: Trains the model, leaves the weights of that epoch and gives the history.

    Returns:
        The history, with a row of epoch 0 before it: what the weights from before do on dev. In
        the column ``kept`` stands which row has the weights that stay. The figures on dev of epoch
        0 and of the best one are as dev compared them; Keras' own have the weight decay in them.
    """
    weights = model.get_weights()
    before = measure_on(model, dev)
    history = train()
    best, after = find_kept(history, keep), measure_on(model, dev)
    history.loc[best, ["dev_accuracy", "dev_loss"]] = after
    is_new = rank(*after) < rank(*before)
    if not is_new:
        model.set_weights(weights)
    start = pd.DataFrame([{"epoch": 0, "dev_accuracy": before[0], "dev_loss": before[1]}])
    # In this order, for an empty column of pandas' would be one of objects.
    table = pd.concat([history, start], ignore_index=True).sort_values("epoch", ignore_index=True)
    return table.assign(kept=np.arange(len(table)) == (1 + best if is_new else 0))


def measure_on(model: keras.Model, source: BatchSource) -> tuple[float, float]:
    """Accuracy and log loss."""
    labels, probabilities = predict_source(model, source)
    losses = measure_losses(labels, probabilities.astype(np.float64))
    return float((probabilities.argmax(axis=1) == labels).mean()), float(losses.mean())


def find_tail(made_by: Mapping[str, Any] | None, parameters: FineTuningParameters) -> str:
    """The recipe by which a champion's tail goes on; ``head`` if it has none.

    Args:
        made_by: ``fine_tuned_recipe`` of the run that the champion is of, if it is fine-tuned.
        parameters: Of fine-tuning, today.

    Raises:
        GraftError: If today's parameters name another recipe, or cut elsewhere.
    """
    if made_by is None:
        return "head"
    then, now = str(made_by["recipe"]), parameters.recipe
    if now not in (then, "auto") or (then == "custom") != (now == "custom"):
        raise GraftError(
            "warm_start goes on by the recipe that made the champion; take it, fine_tuning.recipe="
            f"{then}, or leave warm_start out to train anew; got fine_tuning.recipe '{now}'"
        )
    if then == "custom" and made_by["unfreeze"] != parameters.unfreeze:
        raise GraftError(
            "warm_start goes on where the champion was cut; take fine_tuning.unfreeze="
            f"{made_by['unfreeze']}, or leave warm_start out to train anew; got "
            f"{parameters.unfreeze!r}"
        )
    return then


def settle_tail(
    recipe: str, parameters: FineTuningParameters, pictures: int, blocks: int
) -> tuple[FineTuningParameters, FineTuningParameters]:
    """Parameters of the whole training that a recipe means today, and of the one that goes on.

    Args:
        recipe: Of :func:`find_tail`, another one than ``head``.
        parameters: Of fine-tuning.
        pictures: To train on.
        blocks: Of the backbone.

    Returns:
        What other stages that train by this recipe take, and what is taken here.
    """
    if recipe == "custom":
        whole = parameters
        epochs = find_rung(whole.epochs, SHARE)
        short = whole.model_copy(update={"epochs": epochs})
    else:
        long = get_recipe(recipe)
        whole = follow(long, parameters, pictures, blocks)
        short = follow(shorten(long, SHARE), parameters, pictures, blocks)
    return whole, short.model_copy(update={"learning_rate": whole.learning_rate * RATE})
