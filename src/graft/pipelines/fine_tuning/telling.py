"""What the fine-tuning tells before and after its work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from graft.analysis.clusters import FEW_CLUSTERS
from graft.progress import tell

if TYPE_CHECKING:
    from graft.models.freezing import CutBackbone
    from graft.training.boundary import BoundaryPlan
    from graft.training.tuning_recipes import Recipe, Workload


def tell_blocks(cut: CutBackbone, stored: bool) -> None:
    """Say what is trained, what share of the work that is, and if all work is done every epoch."""
    if not cut.unfrozen:
        tell("Fine-tuning", "left out (unfreeze: none)")
        return
    first, last = cut.unfrozen[0], cut.unfrozen[-1]
    names = first.name if first is last else f"{first.name} to {last.name}"
    blocks = [*cut.frozen, *cut.unfrozen]
    share = sum(b.multiply_adds for b in cut.unfrozen) / sum(b.multiply_adds for b in blocks)
    tell(
        "Fine-tuning",
        "%s, %s of %s parameters, %.0f %% of the multiply-adds",
        names,
        f"{sum(block.parameters for block in cut.unfrozen):,}",
        f"{sum(block.parameters for block in blocks):,}",
        100 * share,
    )
    if not stored:
        tell("", "the whole network runs in every epoch, on fresh views")


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
    tell(
        "Activations",
        "%s pictures × (1 + %d views) and %s of dev, %s %s each",
        f"{len(plan.train):,}",
        plan.views,
        f"{len(plan.dev):,}",
        "×".join(map(str, shape[1:])),
        dtype,
    )
    known = f", {new:,} of {len(plan):,} to be computed" if new < len(plan) else ""
    duration = "" if seconds is None else f", about {format_seconds(seconds)}"
    tell("", "%s on disk%s%s", format_bytes(size), known, duration)


def tell_outcome(history: pd.DataFrame, kept: int, before: float, after: float) -> None:
    """Say what became of the loss on dev, and whether the new weights are kept."""
    best = history.iloc[kept]
    tell(
        "Tuned",
        "%s; best on dev is epoch %d: accuracy %.3f",
        f"{len(history)} epoch{'s' if len(history) > 1 else ''}",
        int(best["epoch"]),
        best["dev_accuracy"],
    )
    tell("", "log loss %.3f → %.3f", before, after)
    if after >= before:
        tell("", "no better than before on dev: the frozen weights are kept")


@dataclass(frozen=True)
class RacePlan:
    """What a race will cost, said before it starts and before its deep recipes do.

    Attributes:
        load: What a training costs.
        recipes: Who may start.
        budget: In passes.
        pass_seconds: Measured; None where it is not worth a word.
        is_timed: Whether the budget was given as a time, as the advice then is.
    """

    load: Workload
    recipes: Sequence[Recipe]
    budget: float
    pass_seconds: float | None
    is_timed: bool = False

    def tell_start(self) -> None:
        """Say what runs first, and how long the whole may take."""
        from graft.training.tuning_recipes import admit, estimate_race, find_allowance

        load, first = self.load, self._list(deep=False)
        passes = sum(load.count_passes(recipe) for recipe in first)
        names = ", ".join(recipe.name for recipe in first)
        if first:
            tell("Recipes", f"{names} first{self._format(passes)}")
        allowance = find_allowance(self.budget, 0.0, load.pictures, load.batch_size)
        deep = self._list(deep=True)
        field = admit(load, deep, allowance) if first else deep
        if field:
            passes = estimate_race([load.count_passes(recipe) for recipe in field])
            names = ", ".join(recipe.name for recipe in field)
            when = "then, if it is worth it, " if first else ""
            tell("", f"{when}{names}{self._format(passes)}")

    def tell_field(self, field: Sequence[Recipe], accuracy: float) -> None:
        """Say which deep recipes start, and with which budget others would."""
        from graft.training.tuning_recipes import estimate_race, find_budget, order_deep

        deep = order_deep(self._list(deep=True), accuracy)
        if field:
            passes = estimate_race([self.load.count_passes(recipe) for recipe in field])
            names = ", ".join(recipe.name for recipe in field)
            tell("", f"now {names}{self._format(passes)}")
        left = [recipe for recipe in deep if recipe not in field]
        if left and accuracy < 1:
            more = [recipe for recipe in deep if recipe in field or recipe == left[0]]
            budget = self._format_budget(find_budget(self.load, more, accuracy))
            names = ", ".join(recipe.name for recipe in left)
            advice = f"with fine_tuning.budget={budget} also {left[0].name}"
            tell("", f"not {names}: {advice}")

    def _list(self, *, deep: bool) -> list[Recipe]:
        return [recipe for recipe in self.recipes if self.load.is_first(recipe) != deep]

    def _format_budget(self, passes: float) -> str:
        """As it is to be typed, in the unit in which it was given."""
        from graft.training.tuning_recipes import find_seconds

        if not self.is_timed or self.pass_seconds is None:
            return f"{passes:.0f}"
        seconds = find_seconds(passes, self.load, self.recipes, self.pass_seconds)
        # Another run measures another speed; a tenth more is enough for most.
        return f"'{math.ceil(1.1 * seconds / 60)} min'"

    def _format(self, passes: float) -> str:
        if not passes:
            return ""
        if self.pass_seconds is None:
            return f": {passes:.0f} passes"
        return f": {passes:.0f} passes, about {format_seconds(passes * self.pass_seconds)}"


def tell_mirroring(found: dict[str, Any]) -> None:
    """Say whether pictures are mirrored, and what dev said about it."""
    verdict = "pictures are mirrored" if found["is_allowed"] else "pictures are not mirrored"
    worse = f"; worse: {', '.join(found['worse'][:3])}" if found["worse"] else ""
    if len(found["worse"]) > 3:
        worse += f" and {len(found['worse']) - 3} more classes"
    tell(
        "Mirroring",
        f"{verdict}: the head is right on {found['accuracy']:.3f} of dev and on "
        f"{found['mirrored_accuracy']:.3f} of it mirrored (± {found['error']:.3f}){worse}",
    )


def tell_budget(budget: dict[str, Any]) -> None:
    """Say how many passes the time that was given is worth, and that this number stays."""
    tell(
        "Budget",
        f"{budget['given']} are {budget['passes']:.0f} passes for the deep recipes; as long as "
        "the backup is there, another run takes the same number",
    )


def tell_folds(clusters: np.ndarray) -> None:
    """Say that dev is too small to choose by, and what is done instead.

    Args:
        clusters: Cluster of every picture of dev.
    """
    from graft.training.tuning_recipes import FOLDS

    groups = len(np.unique(clusters))
    tell(
        "Recipes",
        f"dev has {len(clusters)} pictures in {groups} groups, fewer than {FEW_CLUSTERS}, and "
        f"cannot tell recipes apart: they are compared on {FOLDS} folds of train and dev",
    )


def tell_fold_outcome(name: str, epochs: int, accuracy: float, log_loss: float) -> None:
    """Say what a recipe did where it was not trained."""
    how_far = f"{epochs} epochs a fold" if epochs else "a head a fold"
    tell("", "%-11s %-18s accuracy %.3f, log loss %.3f", name, how_far, accuracy, log_loss)


def tell_winner(name: str, race: pd.DataFrame) -> None:
    """Say which recipe is kept, that its figure is an optimistic one, and how to repeat it."""
    own = race[(race["runner"] == name) & (race["rung"] == 1)]
    accuracy = own[own["measured_on"] == "dev"]["dev_accuracy"].iloc[0]
    runners = race["runner"].nunique()
    judge = "folds" if (race["measured_on"] == "folds").any() else "dev"
    optimism = f", best of {runners} by {judge}, so optimistic" if runners > 1 else ""
    tell("Recipe", "%s: dev accuracy %.3f%s", name, accuracy, optimism)
    if runners > 1:
        tell("", "to train it alone: --params fine_tuning.recipe=%s", name)


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
