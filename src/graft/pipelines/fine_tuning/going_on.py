"""The fine-tuning of a warm start: from the champion's last blocks, by the recipe that made it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from graft.analysis.choosing import read_kept
from graft.progress import tell
from graft.types import KerasModel

if TYPE_CHECKING:
    from graft.parameters.fine_tuning import FineTuningParameters
    from graft.training.backup import TrainingBackup
    from graft.training.race import MakeSources


def go_on(
    backbone: KerasModel,
    head: KerasModel,
    make_sources: MakeSources,
    pictures: int,
    start: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    backup: TrainingBackup,
    logs: Path,
    parameters: FineTuningParameters,
) -> tuple[KerasModel, pd.DataFrame, dict[str, Any]]:
    """Train the champion's last blocks and head further; dev decides between before and after.

    No recipes race. A champion that is a head on the frozen backbone goes no deeper: the
    classifier is then the head that was trained before this stage.

    Args:
        backbone: From pictures to features, pretrained.
        head: From features to probabilities; the one that this run has trained.
        make_sources: Gives what is trained and measured on.
        pictures: To train on.
        start: ``starting_point`` of the warm start.
        weights: Its ``starting_weights``.
        backup: Folder of snapshots.
        logs: Folder for what callbacks write.
        parameters: Of fine-tuning, with all settled.

    Returns:
        The classifier, its history (epoch 0 are the champion's weights), and what was done, as
        of :func:`graft.pipelines.fine_tuning.nodes.fine_tune`; ``parameters`` are those of the
        whole recipe, for other stages that train by it, and ``warm_start`` those of what was done.

    Raises:
        GraftError: If the parameters name another recipe, or the loss is no longer a number.
    """
    from functools import partial

    from graft.models.blocks import find_blocks
    from graft.models.freezing import cut_classifier
    from graft.models.layer_weights import put_weights
    from graft.training.tails import find_trained, make_empty_history, train_tail
    from graft.training.warm_start import find_tail, settle_tail, train_on

    made_by = start["recipe"] if start["model"] == "fine_tuned" else None
    recipe = find_tail(made_by, parameters)
    if recipe == "head":
        tell("Fine-tuning", "goes no deeper: the champion is a head, and in a warm start none race")
        history = make_empty_history().assign(kept=np.zeros(0, bool))
        accuracy = None
        cut = cut_classifier(backbone, head, "none")
        whole = short = parameters.model_copy(update={"recipe": "custom", "unfreeze": "none"})
    else:
        whole, short = settle_tail(recipe, parameters, pictures, len(find_blocks(backbone)))
        for part in (backbone, head):
            put_weights(part, weights)
        cut = cut_classifier(backbone, head, short.unfreeze)
        train, dev = make_sources(cut, short)
        history = train_on(
            find_trained(cut, train), dev, short.keep,
            partial(
                train_tail, cut, train, dev, short, short.layer_decay,
                backup.enter("warm_start"), logs,
            ),
        )  # fmt: skip
        _tell(recipe, history)
        accuracy = float(history["dev_accuracy"].iloc[read_kept(history)])
    facts = {
        "recipe": recipe,
        "unfreeze": whole.unfreeze,
        "chosen_among": 1,
        "chosen_on": "dev",
        "dev_accuracy": accuracy,
        "parameters": whole.model_dump(mode="json"),
        "warm_start": short.model_dump(mode="json"),
    }
    return cut.whole, history, facts


def _tell(recipe: str, history: pd.DataFrame) -> None:
    start, kept = history.iloc[0], history.iloc[read_kept(history)]
    found = f"{recipe}, {len(history) - 1} epochs on from the champion; best on dev "
    if kept["epoch"]:
        found += (
            f"is epoch {kept['epoch']:.0f}: accuracy {start['dev_accuracy']:.3f} → "
            f"{kept['dev_accuracy']:.3f}, log loss {start['dev_loss']:.4f} → "
            f"{kept['dev_loss']:.4f}; the new weights stay"
        )
    else:
        found += (
            f"are the champion's own weights, accuracy {start['dev_accuracy']:.3f}, log loss "
            f"{start['dev_loss']:.4f}: they stay"
        )
    tell("Tuned", found)
