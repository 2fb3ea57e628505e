"""Where the champion comes from: what it has seen, and of a warm start what dev said to it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from graft.analysis.choosing import read_kept
from graft.analysis.seen_pictures import list_seen
from graft.pipelines.candidates import is_warm
from graft.progress import tell


def list_champion_pictures(
    splits: pd.DataFrame, starting_point: dict[str, Any] | None = None
) -> pd.DataFrame:
    """Write down what the champion has seen, for who goes on from it.

    Returns:
        ``champion_pictures``, see :func:`graft.analysis.seen_pictures.list_seen`.
    """
    former = starting_point["former"] if is_warm(starting_point) else None
    return list_seen(splits, former)


def describe_warm_start(
    starting_point: dict[str, Any],
    chosen_predictions: pd.DataFrame,
    *histories: pd.DataFrame,
    names: list[str],
) -> dict[str, Any]:
    """Say from which champion a warm start began, and which weights dev has chosen.

    Args:
        starting_point: Of the stage ``warm_start``.
        chosen_predictions: Of the classifier that dev has chosen.
        histories: Of the candidates; where one began with the champion's weights, epoch 0 is what
            these do on dev.
        names: Of the candidates, in the same order.

    Returns:
        ``warm_start_outcome``: ``champion`` (SHA-256 of its classifier), ``model``, ``pictures``
        and ``new`` of the start; ``steps``, warm starts since all was trained anew, this one
        included; ``chosen``; ``weights``: ``old`` or ``new``; ``dev_before`` and ``dev_after``
        with ``accuracy`` and ``log_loss``; ``sentence``. Empty where there was no champion yet.
    """
    if not is_warm(starting_point):
        return {}
    of_model = dict(zip(names, histories, strict=True))
    # A champion that was tuned by no deeper recipe than the head is a head.
    began, chosen = (
        name if len(of_model[name]) else "frozen"
        for name in (starting_point["model"], str(chosen_predictions["model"].iloc[0]))
    )
    before = of_model[began].iloc[0]
    history = of_model[chosen]
    after = history.iloc[read_kept(history)]
    is_old = chosen == began and after["epoch"] == 0
    found = {
        "champion": starting_point["champion"],
        "model": starting_point["model"],
        "pictures": starting_point["pictures"],
        "new": starting_point["new"],
        "steps": starting_point["steps"] + 1,
        "chosen": chosen,
        "weights": "old" if is_old else "new",
        "dev_before": _read_dev(before),
        "dev_after": _read_dev(after),
    }
    found["sentence"] = _say(found)
    tell("Warm start", found["sentence"])
    return found


def _read_dev(row: pd.Series[Any]) -> dict[str, float]:
    return {"accuracy": float(row["dev_accuracy"]), "log_loss": float(row["dev_loss"])}


def _say(found: dict[str, Any]) -> str:
    since = "the first" if found["steps"] == 1 else f"number {found['steps']}"
    before, after = found["dev_before"], found["dev_after"]
    told = f"accuracy {before['accuracy']:.3f}, log loss {before['log_loss']:.4f}"
    if found["weights"] == "new":
        what = (
            "its weights trained on"
            if found["chosen"] == found["model"]
            else (f"the {found['chosen'].replace('_', '-')} classifier trained beside it")
        )
        told = (
            f"dev chose {what}: accuracy {before['accuracy']:.3f} → {after['accuracy']:.3f}, log "
            f"loss {before['log_loss']:.4f} → {after['log_loss']:.4f}"
        )
    else:
        told = f"dev found nothing better than its own weights, {told}: these are kept"
    return (
        f"{since} since all was trained anew, from champion {found['champion'][:12]} "
        f"({found['model'].replace('_', '-')}, {found['pictures']:,} pictures), with "
        f"{found['new']:,} new; {told}."
    )
