"""The node of the stage that a warm start begins with."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from graft.analysis.seen_pictures import find_former, find_moved, hash_data
from graft.classifier.champion import CLASSIFIER, load_champion
from graft.datasets.file_trees import FileTree
from graft.errors import GraftError
from graft.parameters.pictures import DecodingParameters
from graft.progress import tell
from graft.types import KerasModel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graft.classifier.champion import Champion

# Candidates that know how to go on from weights of before.
CONTINUED = ("frozen", "fine_tuned")
_ANEW = "train anew: leave warm_start out"
_NAMED = 3


def take_champion(
    previous_champion: FileTree | None,
    previous_champion_pictures: pd.DataFrame | None,
    backbone: KerasModel,
    splits: pd.DataFrame,
    class_names: list[str],
    decoding: DecodingParameters,
    warm_start: bool,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Take the weights of the champion of the last run, if today's pictures may follow its own.

    The run that reads this makes another champion. So what was taken is written down, and stays
    the start until pictures, splits, classes or backbone are others.

    Returns:
        ``starting_point``: ``champion`` (SHA-256 of its ``classifier.keras``; None where there is
        none, and all is to be trained), and of it ``model``, ``recipe``, ``pictures`` and
        ``steps`` (warm starts since all was trained anew); ``new`` and ``new_train``: pictures
        that it has not seen; ``former``, see :func:`graft.analysis.seen_pictures.find_former`.
        ``starting_weights``: see :func:`graft.models.layer_weights.collect_weights`.

    Raises:
        GraftError: If the champion cannot be continued, or a picture that it has seen is held out.
    """
    from graft.models.layer_weights import collect_weights

    if not warm_start:
        raise GraftError(
            "this stage is for runs that go on from the champion; add --params warm_start=true; "
            "got warm_start false"
        )
    if previous_champion is None:
        tell("Warm start", "there is no champion yet: all is trained as without warm_start")
        return {"champion": None}, {}
    champion = load_champion(previous_champion.folder)
    _refuse_another(champion, class_names, decoding)
    seen = _read_seen(champion, previous_champion_pictures)
    if moved := find_moved(seen, splits):
        names = ", ".join(moved[:_NAMED]) + (", …" if len(moved) > _NAMED else "")
        raise GraftError(
            "a warm start must not be judged by what the champion has learnt from, and pictures "
            f"that it has seen in train or dev are held out now; {_ANEW}; got {len(moved)} "
            f"({names})"
        )
    weights = collect_weights(champion.model)
    _refuse_another_backbone(backbone, weights, champion)
    start = _describe(champion, previous_champion, seen, splits)
    _tell(start)
    return start, weights


def _refuse_another(
    champion: Champion, class_names: list[str], decoding: DecodingParameters
) -> None:
    if champion.facts["model"] not in CONTINUED:
        raise GraftError(
            f"a warm start goes on from a champion that is {' or '.join(CONTINUED)}; {_ANEW}; got "
            f"{champion.facts['model']}"
        )
    if champion.class_names != class_names:
        others = sorted({*champion.class_names} ^ {*class_names})
        raise GraftError(
            "the champion's head has an output for each of its own classes, and these are others "
            f"now; {_ANEW}; got {', '.join(others[:_NAMED])}, only then or only now"
        )
    for name in ("image_size", "colour"):
        if champion.facts[name] != getattr(decoding, name):
            raise GraftError(
                f"the champion takes pictures of {name} {champion.facts[name]}; {_ANEW}, or set it "
                f"back; got decoding.{name} {getattr(decoding, name)}"
            )


def _read_seen(champion: Champion, pictures: pd.DataFrame | None) -> pd.DataFrame:
    """What the champion has seen, if the list at hand is its own."""
    known = None if pictures is None else hash_data(pictures[~pictures["is_former"]])
    if pictures is None or known != champion.facts["data"]["sha256"]:
        raise GraftError(
            "what the champion has seen is not known, for champion_pictures.parquet is missing or "
            "of another champion (an older version, or a run that was cut short); run once without "
            f"warm_start; got {'none' if known is None else f'one of data {known[:12]}'}"
        )
    return pictures


def _refuse_another_backbone(
    backbone: KerasModel, weights: Mapping[str, np.ndarray], champion: Champion
) -> None:
    """All that was not tuned is to the bit what it is in today's backbone."""
    from graft.models.freezing import cut_backbone
    from graft.models.layer_weights import find_differing

    name = f"{champion.facts['parameters']['backbone']['name']}"
    unfreeze = (champion.facts["recipe"] or {}).get("unfreeze", "none")
    is_tuned = champion.facts["model"] == "fine_tuned" and unfreeze != "none"
    try:
        unfrozen = cut_backbone(backbone, unfreeze).unfrozen if is_tuned else []
        tuned = {layer for block in unfrozen for layer in block.layers}
        differing = find_differing(backbone, weights, tuned)
    except (LookupError, GraftError) as error:
        differing = [str(error)]
    if differing:
        raise GraftError(
            f"the champion stands on another backbone than the run ({name} with weights "
            f"{champion.facts['parameters']['backbone']['weights']}); {_ANEW}, or set "
            f"it back; got {len(differing)} layers that differ, {differing[0]} first"
        )


def _describe(
    champion: Champion, place: FileTree, seen: pd.DataFrame, splits: pd.DataFrame
) -> dict[str, Any]:
    with (place.folder / CLASSIFIER).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    new = splits[~splits["sha256"].isin(seen["sha256"])]
    return {
        "champion": sha256,
        "model": champion.facts["model"],
        "recipe": champion.facts["recipe"],
        "pictures": champion.facts["data"]["pictures"],
        "steps": (champion.facts["warm_start"] or {}).get("steps", 0),
        "new": len(new),
        "new_train": int((new["split"] == "train").sum()),
        "former": find_former(seen, splits),
    }


def _tell(start: Mapping[str, Any]) -> None:
    tell(
        "Warm start",
        f"from champion {start['champion'][:12]}, {start['model'].replace('_', '-')}, of "
        f"{start['pictures']:,} pictures; new are {start['new']:,}, {start['new_train']:,} of them "
        "of train",
    )
    if start["former"]:
        tell(
            "",
            f"{len(start['former']):,} that it has learnt from or was chosen by are gone: only a "
            "run without warm_start forgets them",
        )
