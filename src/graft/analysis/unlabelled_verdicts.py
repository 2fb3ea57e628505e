"""Did pictures without a label help? A student, who saw them, beside its teacher, who did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from graft.analysis.choosing import Outcome, is_shown_better

Verdict = dict[str, object]


@dataclass(frozen=True)
class Pool:
    """The pictures without a label.

    Attributes:
        used: Pictures that were learnt from.
        left_out: Pictures unlike any that has a label: nobody knows what a classifier would take
            them for.
        unsure: Pictures of which the teacher is not sure enough.
        measured_on: ``dev`` or ``folds``: who decided, by labels that no judged classifier knew.
    """

    used: int
    left_out: int
    unsure: int = 0
    measured_on: str = "dev"


def judge_student(
    outcomes: Mapping[str, Outcome], chosen: str, teacher: str, student: str, pool: Pool,
    clusters: np.ndarray,
) -> Verdict:  # fmt: skip
    """Compare the best student with its teacher, picture by picture.

    Args:
        outcomes: Of all ways of training, on the same pictures.
        chosen: The way that is kept.
        teacher: The way that learns from labels alone.
        student: The best of those that learn from pictures without one too.
        pool: Those pictures.
        clusters: Cluster of every picture that was measured on, (n,).

    Returns:
        To be written as JSON: ``verdict`` (``gained``, ``no gain`` or ``refused``: with them more,
        as many or fewer pictures are named rightly), ``sentence``, ``used``, ``left_out``,
        ``unsure``, ``measured_on``, ``measured`` (pictures), ``won`` and ``lost`` (pictures that
        only the student, or only the teacher, names rightly), and ``ways``: of each ``way``,
        ``accuracy``, ``log_loss`` and ``is_chosen``.
    """
    before, after = outcomes[teacher].right, outcomes[student].right
    won, lost = int((after & ~before).sum()), int((before & ~after).sum())
    kinds = {1: "gained", 0: "no gain", -1: "refused"}
    verdict = kinds[int(np.sign(won - lost))]
    better, worse = (after, before) if won > lost else (before, after)
    sentence = _say(
        verdict, (float(before.mean()), float(after.mean())), (won, lost), pool,
        is_kept=chosen == student, is_sure=is_shown_better(better, worse, clusters),
    )  # fmt: skip
    return {
        "verdict": verdict,
        "sentence": sentence,
        "used": pool.used,
        "left_out": pool.left_out,
        "unsure": pool.unsure,
        "measured_on": pool.measured_on,
        "measured": len(before),
        "won": won,
        "lost": lost,
        "ways": [
            {
                "way": way,
                "accuracy": float(outcome.right.mean()),
                "log_loss": outcome.log_loss,
                "is_chosen": way == chosen,
            }
            for way, outcome in outcomes.items()
        ],
    }


def _say(
    verdict: str,
    accuracies: tuple[float, float],
    changed: tuple[int, int],
    pool: Pool,
    *,
    is_kept: bool,
    is_sure: bool,
) -> str:
    if not pool.used:
        return f"There was nothing to learn from without a label.{_count_rest(pool)}"
    before, after = (f"{100 * accuracy:.1f} %" for accuracy in accuracies)
    where = "dev" if pool.measured_on == "dev" else "folds of train and dev"
    rest = _count_rest(pool)
    if verdict == "no gain":
        then = "only its log loss is lower" if is_kept else "they are not learnt from"
        return (
            f"Pictures without a label gained nothing: with {pool.used:,} of them as without, "
            f"{after} of {where} are named rightly; {then}.{rest}"
        )
    points, chance = 100 * (accuracies[1] - accuracies[0]), "" if is_sure else ", may be chance"
    says = {
        "gained": "Pictures without a label helped",
        "refused": "Pictures without a label were refused",
    }
    return (
        f"{says[verdict]}: with {pool.used:,} of them {after} of {where} are named rightly, "
        f"without {before} ({points:+.1f} points; {changed[0]:,} won, {changed[1]:,} lost"
        f"{chance}).{rest}"
    )


def _count_rest(pool: Pool) -> str:
    """Why pictures were not learnt from, if there are any."""
    more = " more" if pool.used else ""
    far = f" {pool.left_out:,}{more} are unlike any with a label and were left out."
    unsure = f" Of {pool.unsure:,}{more} the teacher is not sure enough."
    return (far if pool.left_out else "") + (unsure if pool.unsure else "")
