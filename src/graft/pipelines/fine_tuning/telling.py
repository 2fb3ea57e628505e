"""What the fine-tuning tells before and after its work."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from graft.models.freezing import CutBackbone
    from graft.training.boundary import BoundaryPlan

logger = logging.getLogger(__name__)


def tell_blocks(cut: CutBackbone, stored: bool) -> None:
    """Say what is trained, what share of the work that is, and if all work is done every epoch."""
    if not cut.unfrozen:
        logger.info("Fine-tuning  left out (unfreeze: none)")
        return
    first, last = cut.unfrozen[0], cut.unfrozen[-1]
    names = first.name if first is last else f"{first.name} to {last.name}"
    blocks = [*cut.frozen, *cut.unfrozen]
    share = sum(b.multiply_adds for b in cut.unfrozen) / sum(b.multiply_adds for b in blocks)
    logger.info(
        "Fine-tuning  %s, %s of %s parameters, %.0f %% of the multiply-adds",
        names,
        f"{sum(block.parameters for block in cut.unfrozen):,}",
        f"{sum(block.parameters for block in blocks):,}",
        100 * share,
    )
    if not stored:
        logger.info("             the whole network runs in every epoch, on fresh views")


def tell_preview(
    plan: BoundaryPlan, shape: tuple[int, ...], dtype: str, new: int, seconds: float | None
) -> None:
    """Say how many activations are stored, how large they are and how long that takes.

    Args:
        plan: Which activations.
        shape: Of all of them.
        dtype: Of what is stored.
        new: How many are not known from the last run.
        seconds: How long computing these takes; None if that is not worth a word.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    logger.info(
        "Activations  %s pictures × (1 + %d views) and %s of dev, %s %s each",
        f"{len(plan.train):,}",
        plan.views,
        f"{len(plan.dev):,}",
        "×".join(map(str, shape[1:])),
        dtype,
    )
    known = f", {new:,} of {len(plan):,} to be computed" if new < len(plan) else ""
    duration = "" if seconds is None else f", about {format_seconds(seconds)}"
    logger.info("             %s on disk%s%s", format_bytes(size), known, duration)


def tell_outcome(history: pd.DataFrame, before: float, after: float) -> None:
    """Say what became of the loss on dev, and whether the new weights are kept."""
    best = history.loc[history["dev_loss"].idxmin()]
    logger.info(
        "Tuned        %s; best on dev is epoch %d: accuracy %.3f, log loss %.3f → %.3f",
        f"{len(history)} epoch{'s' if len(history) > 1 else ''}",
        int(best["epoch"]),
        best["dev_accuracy"],
        before,
        after,
    )
    if after >= before:
        logger.info("             no better than before on dev: the frozen weights are kept")


def format_bytes(size: float) -> str:
    """A size in the unit that suits it.

    Examples:
        >>> format_bytes(56_000_000), format_bytes(1_234), format_bytes(7.2e9)
        ('56 MB', '1.2 kB', '7.2 GB')
    """
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def format_seconds(seconds: float) -> str:
    """A duration to the nearest sensible unit.

    Examples:
        >>> format_seconds(0.4), format_seconds(75), format_seconds(9000)
        ('1 s', '75 s', '150 min')
    """
    return f"{max(1, round(seconds))} s" if seconds < 120 else f"{seconds / 60:.0f} min"
