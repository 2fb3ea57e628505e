"""Power laws of learning: how an error falls with the number of pictures.

``error = scale × (pictures / unit) ** -exponent + floor``. Sources: Hestness et al., "Deep
learning scaling is predictable, empirically", 2017; Rosenfeld et al., "A constructive prediction
of the generalization error across scales", ICLR 2020; Viering and Loog, "The shape of learning
curves: a review", IEEE TPAMI 45, 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Measured exponents lie between 0.05 and 1.
_EXPONENTS = np.geomspace(0.05, 2, 300)


@dataclass(frozen=True)
class PowerLaws:
    """Fitted laws, one for each of B rows of errors.

    Attributes:
        unit: Pictures at which a law is ``scale + floor``.
        scale: Float (B,), not negative.
        exponent: Float (B,), positive; of no meaning where ``scale`` is 0.
        floor: Error that no number of pictures takes away, float (B,), not negative.
    """

    unit: float
    scale: np.ndarray
    exponent: np.ndarray
    floor: np.ndarray

    def predict(self, pictures: np.ndarray) -> np.ndarray:
        """Errors (B, k) at numbers of pictures (k,)."""
        falling = (pictures[None, :] / self.unit) ** -self.exponent[:, None]
        return self.scale[:, None] * falling + self.floor[:, None]


def fit_power_laws(
    pictures: np.ndarray, errors: np.ndarray, weights: np.ndarray, with_floor: bool
) -> PowerLaws:
    """Fit a power law to each row of errors by weighted least squares.

    For every exponent of a grid the rest is linear and solved exactly under its bounds.

    Args:
        pictures: Numbers of pictures, float (k,), at least 3 of them, or 2 without a floor.
        errors: Float (B, k).
        weights: Inverse variances, float (k,).
        with_floor: False fixes the floor at 0.

    Examples:
        >>> sizes = np.array([10.0, 20, 40, 80, 160])
        >>> laws = fit_power_laws(sizes, (0.1 + 2 * sizes**-0.5)[None], np.ones(5), True)
        >>> bool(abs(laws.predict(np.array([640.0]))[0, 0] - (0.1 + 2 * 640**-0.5)) < 1e-3)
        True
    """
    unit = float(pictures.max())
    shares = weights / weights.sum()
    best = np.full(len(errors), np.inf)
    found = np.zeros((3, len(errors)))
    for exponent in _EXPONENTS:
        falling = (pictures / unit) ** -exponent
        scale, floor = _solve(falling, errors, shares, with_floor)
        misses = errors - scale[:, None] * falling - floor[:, None]
        loss = misses**2 @ shares
        better = loss < best * (1 - 1e-9)
        best = np.where(better, loss, best)
        found[:, better] = np.stack([scale, np.full(len(scale), exponent), floor])[:, better]
    return PowerLaws(unit, *found)


def _solve(
    falling: np.ndarray, errors: np.ndarray, shares: np.ndarray, with_floor: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and floor (B,), neither negative, that fit best at one exponent."""
    through_zero = (errors * falling) @ shares / (falling**2 @ shares)
    if not with_floor:
        return through_zero, np.zeros(len(errors))
    middle = falling @ shares
    centred = falling - middle
    scale = np.maximum((errors * centred) @ shares / (centred**2 @ shares), 0)
    floor = errors @ shares - scale * middle
    return np.where(floor < 0, through_zero, scale), np.maximum(floor, 0)
