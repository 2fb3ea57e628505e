"""The intervals cover the truth as often as they promise, in many draws of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from graft.analysis import intervals as bootstrap
from graft.analysis.clusters import draw_weights
from graft.analysis.intervals import measure_with_intervals
from graft.analysis.metrics import METRICS


def draw_pictures(random, clusters, size, separation, shared):
    """Pictures of two classes in clusters, and probabilities that agree within a cluster."""
    labels = np.repeat(random.integers(0, 2, clusters), size)
    noise = np.sqrt(shared) * np.repeat(random.normal(size=clusters), size)
    noise += np.sqrt(1 - shared) * random.normal(size=clusters * size)
    scores = separation * (noise + separation * (labels - 0.5))
    second = 1 / (1 + np.exp(-scores))
    return labels, np.column_stack([1 - second, second]), np.repeat(np.arange(clusters), size)


@pytest.fixture(autouse=True)
def _draw_once(monkeypatch):
    """The seed is the same each time, so the weights are: drawing them is half of the work."""
    drawn = {}

    def draw(codes, draws, seed):
        key = codes.max(), draws, seed
        if key not in drawn:
            drawn[key] = list(draw_weights(codes, draws, seed))
        return drawn[key]

    monkeypatch.setattr(bootstrap, "draw_weights", draw)


@pytest.mark.parametrize("draws", [100, pytest.param(1_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("clusters", "size", "separation", "shared"),
    [(150, 1, 2.0, 0.0), (60, 3, 1.5, 0.6)],
    ids=["single pictures", "clusters of three"],
)
def test_the_intervals_cover_the_truth_93_to_97_times_of_100(
    clusters, size, separation, shared, draws
):
    random = np.random.default_rng(3)
    # The truth: pictures enough that its own error does not count.
    labels, probabilities, _ = draw_pictures(random, 400_000, 1, separation, 0.0)
    once = np.ones((1, len(labels)))
    truth = {name: metric(labels, probabilities, once)[0] for name, metric in METRICS.items()}
    covered = dict.fromkeys(METRICS, 0)
    for _ in range(draws):
        labels, probabilities, codes = draw_pictures(random, clusters, size, separation, shared)
        figures = measure_with_intervals(labels, probabilities, 200, 0.95, 0, codes)
        for name, figure in figures.items():
            covered[name] += figure["low"] <= truth[name] <= figure["high"]
    for name, count in covered.items():
        # Of 1,000 draws, 14 more or fewer are chance (two standard deviations); 4 of 100.
        chance = 2 * np.sqrt(0.95 * 0.05 / draws)
        assert 0.93 - chance <= count / draws <= 0.97 + chance, (name, covered)
