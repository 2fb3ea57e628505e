"""How many more pictures? What the curve of an error over the number of pictures foretells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from graft.scores.intervals import wilson_interval
from graft.scores.power_law import PowerLaws, fit_power_laws
from graft.scores.refits import Refits, resample_errors

TIMES = (2, 4)
_LEAST_SIZES, _LEAST_SIZES_FOR_A_FLOOR = 3, 4


@dataclass(frozen=True)
class ForecastSettings:
    """How a learning curve is extended.

    Attributes:
        draws: Resamples behind an interval.
        coverage: Of the intervals.
        noticeable: The smallest fall of the error that is worth collecting pictures for.
        seed: Of the resamples.
    """

    draws: int
    coverage: float
    noticeable: float
    seed: int


@dataclass(frozen=True)
class _FittedLaws:
    """The law of the measured errors, and those of the resampled ones."""

    measured: PowerLaws
    resampled: PowerLaws
    tail: float

    def tell(self, pictures: np.ndarray) -> list[dict[str, float]]:
        """``pictures``, ``error``, ``low`` and ``high`` at each number of pictures."""
        errors = self.measured.predict(pictures)[0]
        lows, highs = self.bound(self.resampled.predict(pictures))
        return _tabulate(pictures=pictures, error=errors, low=lows, high=highs)

    def bound(self, values: np.ndarray) -> np.ndarray:
        """Percentile interval over the resamples: (2, …) of (B, …)."""
        return np.quantile(values, [self.tail, 1 - self.tail], axis=0)


def forecast_errors(
    refits: Refits, clusters: np.ndarray, whole: int, settings: ForecastSettings
) -> dict[str, Any]:
    """Error on dev against the number of training pictures, and how it would go on.

    A power law (:mod:`graft.scores.power_law`) is fitted to the mean errors, with inverse
    variances as weights; its interval is the percentile bootstrap of
    :func:`graft.scores.refits.resample_errors`, the law fitted anew to each resample. It has no
    floor with three sizes; there is no law with fewer, or where all of dev is classified rightly.

    Args:
        refits: Classifiers trained on parts of train.
        clusters: Cluster of every picture of dev, int (m,).
        whole: Number of training pictures that there are; the refits may be of a sample.
        settings: How to extend.

    Returns:
        ``dev``: its pictures; ``whole``; ``noticeable``; ``withheld``: empty, see
        :func:`withhold_forecast`; ``points``: ``pictures``, ``error``, ``low``, ``high`` of each
        size; ``law``: ``unit``, ``scale``, ``exponent``, ``floor``, ``floor_low``,
        ``floor_high``, None where not fitted; ``curve`` and ``now``: like points;
        ``forecasts``: the same at some ``times`` the pictures, with ``gain``, the fall of the
        error, ``gain_low`` and ``gain_high``; ``verdict``, see :func:`_judge`.
    """
    samples = resample_errors(refits.hits, clusters, settings.draws, settings.seed)
    tail = (1 - settings.coverage) / 2
    found: dict[str, Any] = {
        "dev": len(clusters),
        "whole": whole,
        "noticeable": settings.noticeable,
        "withheld": "",
        "points": _tabulate_points(refits, samples, len(np.unique(clusters)), settings.coverage),
        "law": None,
        "curve": [],
        "now": None,
        "forecasts": [],
    }
    errors = 1 - refits.hits.mean(axis=(1, 2))[None]
    # From no mistake a law would foretell even less of it, with certainty.
    if len(refits.counts) >= _LEAST_SIZES and errors[0, -1] > 0:
        with_floor = len(refits.counts) >= _LEAST_SIZES_FOR_A_FLOOR
        weights = 1 / (np.var(samples, axis=0) + 0.25 / len(clusters) ** 2)
        fitted = _FittedLaws(
            fit_power_laws(refits.counts, errors, weights, with_floor),
            fit_power_laws(refits.counts, samples, weights, with_floor),
            tail,
        )
        goals = np.array([whole, *(times * whole for times in TIMES)], np.float64)
        found["law"] = _describe_law(fitted, with_floor)
        found["curve"] = fitted.tell(np.geomspace(refits.counts[0], goals[-1], 40))
        found["now"] = fitted.tell(goals[:1])[0]
        found["forecasts"] = _foretell(fitted, goals)
    return found | {"verdict": _judge(found)}


def withhold_forecast(dev: int, whole: int, noticeable: float, reason: str) -> dict[str, Any]:
    """What :func:`forecast_errors` gives where nothing may be foretold, with ``verdict`` withheld.

    Args:
        dev: Pictures of dev.
        whole: Training pictures that there are.
        noticeable: As in :class:`ForecastSettings`.
        reason: Why, part of a sentence; it becomes ``withheld``.
    """
    return {
        "dev": dev,
        "whole": whole,
        "noticeable": noticeable,
        "withheld": reason,
        "points": [],
        "law": None,
        "curve": [],
        "now": None,
        "forecasts": [],
        "verdict": "withheld",
    }


def _tabulate_points(
    refits: Refits, samples: np.ndarray, clusters: int, coverage: float
) -> list[dict[str, float]]:
    errors = 1 - refits.hits.mean(axis=(1, 2))
    tail = (1 - coverage) / 2
    lows, highs = np.quantile(samples, [tail, 1 - tail], axis=0)
    # Without a mistake no resample has one either.
    highs = np.where(errors == 0, 1 - wilson_interval(clusters, clusters, coverage)[0], highs)
    return _tabulate(pictures=refits.counts, error=errors, low=lows, high=highs)


def _foretell(fitted: _FittedLaws, goals: np.ndarray) -> list[dict[str, float]]:
    """What is expected at all goals but the first, which is what there is now."""
    measured, resampled = fitted.measured.predict(goals)[0], fitted.resampled.predict(goals)
    lows, highs = fitted.bound(resampled[:, :1] - resampled[:, 1:])
    gains = _tabulate(
        times=np.array(TIMES), gain=measured[0] - measured[1:], gain_low=lows, gain_high=highs
    )
    return [row | gain for row, gain in zip(fitted.tell(goals[1:]), gains, strict=True)]


def _describe_law(fitted: _FittedLaws, with_floor: bool) -> dict[str, Any]:
    low, high = fitted.bound(fitted.resampled.floor)
    floors = (float(fitted.measured.floor[0]), float(low), float(high))
    return {
        "unit": fitted.measured.unit,
        "scale": float(fitted.measured.scale[0]),
        "exponent": float(fitted.measured.exponent[0]),
        **dict(
            zip(
                ("floor", "floor_low", "floor_high"),
                floors if with_floor else (None, None, None),
                strict=True,
            )
        ),
    }


def _judge(found: dict[str, Any]) -> str:
    """What the curve says of collecting more pictures.

    Returns:
        ``perfect``: dev shows no mistake any more. ``too_few``: sizes for a curve. ``helps``,
        ``does_not_help``, ``unclear``: the interval of what four times the pictures would gain
        lies above, below or on both sides of what is noticeable.
    """
    if found["points"][-1]["error"] == 0:
        return "perfect"
    if not found["forecasts"]:
        return "too_few"
    last = found["forecasts"][-1]
    if last["gain_low"] >= found["noticeable"]:
        return "helps"
    return "does_not_help" if last["gain_high"] < found["noticeable"] else "unclear"


def _tabulate(**columns: np.ndarray) -> list[dict[str, float]]:
    """Columns as rows of plain numbers."""
    return [
        dict(zip(columns, row, strict=True))
        for row in zip(*(values.tolist() for values in columns.values()), strict=True)
    ]
