"""The ladder of errors from train to test, and what its steps say.

Each step has a cause of its own and its own remedy: from the human level to train bias, from
train to pictures of the same source that were not trained on variance, from there to dev the
mismatch of the data, from dev to test what was adapted to dev (Ng, Machine Learning Yearning,
2018, chapters 20 to 42).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graft.scores.clusters import number_clusters
from graft.scores.comparison import BETTER, NO_EVIDENCE, WORSE, compare_right
from graft.scores.intervals import share_interval
from graft.scores.rates import Figure, subtract_rates

SHOWN, NOT_SHOWN, REVERSED = "shown", "not shown", "reversed"
SPLITS = ("train", "train_dev", "dev", "test")
# Without a human level a smaller share of the dev error than this is no bias to mend.
_LEAST_SHARE = 0.1
REMEDIES = {
    "bias": "a stronger backbone, larger pictures, more unfrozen blocks, longer training or less "
    "regularisation",
    "variance": "more pictures to train on, more augmentation, more regularisation or fewer "
    "unfrozen blocks",
    "data mismatch": "pictures to train on that are like those of dev, or augmentation that makes "
    "them so",
    "overfitting of dev": "a larger or a fresh dev split, and fewer choices made on it",
}


def read_ladder(errors: Mapping[str, Figure], human_error: float | None) -> list[dict[str, Any]]:
    """What each step says, from the first to the last.

    Args:
        errors: Split to ``value``, ``low``, ``high``; ``train``, ``dev``, ``test`` and perhaps
            ``train_dev``.
        human_error: Error of people on such pictures; None if unknown.

    Returns:
        A dict a step: ``kind``, ``step``, ``value``, ``low``, ``high``, ``state`` (``shown``,
        ``not shown``, ``reversed``), ``sentence`` and ``remedy`` (None unless shown).
    """
    readings = [read_bias(errors, human_error), read_variance(errors)]
    if "train_dev" in errors:
        readings.append(read_mismatch(errors))
    return [*readings, read_dev_overfitting(errors)]


def read_bias(errors: Mapping[str, Figure], human_error: float | None) -> dict[str, Any]:
    """Is the error on train itself too high?"""
    level, train = human_error or 0.0, errors["train"]
    step = {name: train[name] - level for name in ("value", "low", "high")}
    state = _judge(step)
    if human_error is None and step["value"] < _LEAST_SHARE * errors["dev"]["value"]:
        state = NOT_SHOWN
    told = f"{_percent(train['value'])} of train are wrong"
    if human_error is None:
        told += "; no human level is known, so all of it counts as avoidable"
    else:
        told += f", {_percent(human_error)} with people"
    says = {
        SHOWN: "it makes avoidable mistakes even on what it was trained on",
        NOT_SHOWN: "that it fits its own pictures too badly is not shown by this many pictures",
        REVERSED: "it fits its own pictures better than people know them",
    }
    return _make_reading("bias", "human level to train", step, state, f"{told}: {says[state]}.")


def read_variance(errors: Mapping[str, Figure]) -> dict[str, Any]:
    """Is it worse on pictures that it was not trained on?"""
    other = "train_dev" if "train_dev" in errors else "dev"
    says = {
        SHOWN: "it learnt its pictures better than what they have in common",
        NOT_SHOWN: "that it does worse on pictures it was not trained on is not shown by this many "
        "pictures",
        REVERSED: f"{_name(other)} is easier than train",
    }
    return _read_step("variance", "train", other, errors, says)


def read_mismatch(errors: Mapping[str, Figure]) -> dict[str, Any]:
    """Are the pictures of dev of another kind than those of train?"""
    says = {
        SHOWN: "the pictures of dev are of another kind than those it was trained on",
        NOT_SHOWN: "that the pictures of dev are of another kind is not shown by this many "
        "pictures",
        REVERSED: "the pictures of dev are of an easier kind",
    }
    return _read_step("data mismatch", "train_dev", "dev", errors, says)


def read_dev_overfitting(errors: Mapping[str, Figure]) -> dict[str, Any]:
    """Was too much chosen on dev?"""
    says = {
        SHOWN: "what was chosen on dev suits dev alone",
        NOT_SHOWN: "that the choices made on dev suit dev alone is not shown by this many pictures",
        REVERSED: "test is easier than dev",
    }
    return _read_step("overfitting of dev", "dev", "test", errors, says)


def compare_with_baseline(
    labels: np.ndarray, predicted: np.ndarray, label: str, clusters: np.ndarray, confidence: float
) -> dict[str, Any]:
    """Is it better than always naming the commonest class, on the very same pictures of test?

    Args:
        labels: The right classes by name, (n,).
        predicted: Those that the classifier gives, (n,).
        label: The commonest class of train.
        clusters: Cluster of every picture, (n,).
        confidence: Coverage of the intervals; 1 less the level of the test.

    Returns:
        ``label``; ``accuracy`` of always naming it, and ``gain`` of the classifier over it, each
        ``value``, ``low``, ``high``; ``p_value`` and ``verdict`` (see
        :func:`~graft.scores.comparison.compare_right`); ``sentence``.
    """
    codes = number_clusters(clusters, len(labels))
    trivial = labels == label
    found = compare_right(trivial, labels == predicted, codes, confidence)
    low, high = share_interval(trivial, codes, confidence)
    accuracy, gain = {"value": float(trivial.mean()), "low": low, "high": high}, found["accuracy"]
    says = {
        BETTER: "the classifier is better",
        WORSE: "the classifier is worse",
        NO_EVIDENCE: "that the classifier is better is not shown by this many pictures",
    }
    sentence = (
        f"Always saying “{label}” is right for {_percent(accuracy['value'])} of test "
        f"({_percent(low)} to {_percent(high)}); {says[found['verdict']]}: "
        f"{_points(gain['value'])} of accuracy ({100 * gain['low']:+.1f} to "
        f"{100 * gain['high']:+.1f})."
    )
    return {"label": label, "accuracy": accuracy, "gain": gain, "p_value": found["p_value"],
            "verdict": found["verdict"], "sentence": sentence}  # fmt: skip


def name_largest(readings: list[dict[str, Any]]) -> str:
    """The step that costs most, of those that are shown: what to work on first."""
    shown = [reading for reading in readings if reading["state"] == SHOWN]
    if not shown:
        return (
            "So few pictures are wrong that no cause stands out; more pictures of test would tell."
        )
    worst = max(shown, key=lambda reading: reading["value"])
    return (
        f"The largest step is {worst['kind']}, {_points(worst['value'])}. What usually helps: "
        f"{worst['remedy']}."
    )


def _read_step(
    kind: str, first: str, second: str, errors: Mapping[str, Figure], says: dict[str, str]
) -> dict[str, Any]:
    step = subtract_rates(errors[first], errors[second])
    state = _judge(step)
    told = f"{_percent(errors[second]['value'])} of {_name(second)} are wrong, "
    told += f"{_percent(errors[first]['value'])} of {_name(first)}"
    name = f"{_name(first)} to {_name(second)}"
    return _make_reading(kind, name, step, state, f"{told}: {says[state]}.")


def _make_reading(
    kind: str, step: str, figure: Figure, state: str, sentence: str
) -> dict[str, Any]:
    remedy = REMEDIES[kind] if state == SHOWN else None
    return {
        "kind": kind, "step": step, **figure, "state": state, "sentence": sentence,
        "remedy": remedy,
    }  # fmt: skip


def _judge(step: Figure) -> str:
    if step["low"] > 0:
        return SHOWN
    return REVERSED if step["high"] < 0 else NOT_SHOWN


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:+.1f} points"


def _name(split: str) -> str:
    return split.replace("_", "-")
