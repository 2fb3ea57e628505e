"""The figure of the learning-rate test."""

from __future__ import annotations

import pandas as pd

from graft.reporting.training_figures import draw_learning_rate_test


def test_it_shows_losses_on_a_logarithmic_axis_and_both_suggestions():
    table = pd.DataFrame(
        {"learning_rate": [1e-4, 1e-3, 1e-2], "loss": [2, 1, 50], "smoothed_loss": [2, 1.5, 40]}
    )
    figure = draw_learning_rate_test(table, 1e-3, 2e-4, "Head on features")
    [axes] = figure.axes
    assert axes.get_xscale() == "log"
    assert axes.get_title() == "Head on features"
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts[2:] == ["steepest descent: 1.0e-03", "a tenth of the lowest point: 2.0e-04"]
    assert axes.get_ylim()[1] < 10
