"""Figures: titled, labelled with units, and safe for any number and any name of classes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from graft.reporting.embedding import encode_figure
from graft.reporting.error_figures import draw_confusion, draw_steps
from graft.reporting.style import escape_math, shorten
from graft.reporting.training_figures import draw_few_shot, draw_history

STRANGE_NAMES = ["a$b$c", "$", r"\$x$", "<b>bold</b>", "Gänseblümchen", "x" * 200, "_a^{2", "%s {}"]

# Whatever else Matplotlib may complain about is a defect, not a font without Chinese.
pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:Glyph"),
]


def count_confusions(names):
    random = np.random.default_rng(0)
    counts = random.integers(0, 3, (len(names), len(names))) + 50 * np.eye(len(names), dtype=int)
    return pd.DataFrame(counts, index=names, columns=names)


def make_history(epochs=5):
    numbers = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": numbers,
            "loss": 1 / numbers,
            "accuracy": 1 - 1 / (1 + numbers),
            "dev_loss": 0.5 + abs(numbers - 3) / 10,
            "dev_accuracy": 0.9 - abs(numbers - 3) / 10,
        }
    )


BASELINES = {"guessing": 0.9, "commonest class": 0.12}


def make_errors():
    return {
        split: {"n": 1000, "value": value, "low": value / 2, "high": 2 * value}
        for split, value in {"train": 0.0, "dev": 0.05, "test": 0.06}.items()
    }


def make_few_shot():
    return pd.DataFrame(
        {
            "labels_per_class": [1, 5, 20],
            "frozen": [0.5, 0.8, 0.9],
            "frozen_std": [0.1, 0.05, 0.01],
            "from_scratch": [0.2, 0.4, 0.7],
            "from_scratch_std": [0.1, 0.1, 0.1],
        }
    )


DRAWN = {
    "confusion": lambda: draw_confusion(count_confusions(["cat", "dog", "owl"])),
    "confusion log2": lambda: draw_confusion(count_confusions(["cat", "dog"]), log2=True),
    "error_breakdown": lambda: draw_steps(
        make_errors(), {"guessing": 0.9, "commonest class": 0.12}, 0.01, 0.95
    ),
    "history": lambda: draw_history(make_history(), "Head on frozen features"),
    "few shot": lambda: draw_few_shot(make_few_shot()),
}


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_has_titles_and_labels(name):
    figure = DRAWN[name]()
    assert isinstance(figure, Figure)
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    assert panels
    for axes in panels:
        assert axes.get_title()
        assert axes.get_xlabel()
        assert axes.get_ylabel()


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_can_be_saved_without_a_warning(name):
    assert encode_figure(DRAWN[name]()).startswith(b"<?xml")


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("confusion", ["pictures"]),
        ("confusion log2", ["log2(1 + pictures)"]),
        ("history", ["loss (nats)", "accuracy (share)"]),
        ("few shot", ["accuracy on dev (share)"]),
    ],
)
def test_every_figure_names_its_units(name, units):
    assert [axes.get_ylabel() for axes in DRAWN[name]().axes][-len(units) :] == units


@pytest.mark.parametrize(
    ("class_count", "log2"), [(2, False), (13, True), (26, False), (61, True), (200, False)]
)
def test_a_confusion_matrix_of_any_size_can_be_saved(class_count, log2):
    counts = count_confusions([f"class {number}" for number in range(class_count)])
    figure = draw_confusion(counts, log2)
    encode_figure(figure)
    assert max(figure.get_size_inches()) <= 15


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_a_confusion_matrix_takes_any_name(name):
    figure = draw_confusion(count_confusions([name, "other"]))
    encode_figure(figure)
    shown = figure.axes[0].get_yticklabels()[0]
    assert len(shown.get_text()) < 60


def test_the_cells_of_a_confusion_matrix_are_counted():
    counts = pd.DataFrame([[1234, 0], [2, 30]], index=["cat", "dog"], columns=["cat", "dog"])
    texts = {(t.get_position(), t.get_text()) for t in draw_confusion(counts).axes[0].texts}
    assert texts == {((0, 0), "1,234"), ((0, 1), "2"), ((1, 1), "30")}


def test_the_colours_of_the_log_scale_are_logarithms():
    counts = pd.DataFrame([[255, 0], [1, 3]], index=["cat", "dog"], columns=["cat", "dog"])
    image = draw_confusion(counts, log2=True).axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), [[8, 0], [1, 2]])


def test_numbers_can_be_read_on_their_cells():
    counts = pd.DataFrame([[100, 1], [1, 100]], index=["cat", "dog"], columns=["cat", "dog"])
    colours = {t.get_text(): to_hex(t.get_color()) for t in draw_confusion(counts).axes[0].texts}
    assert colours == {"100": "#ffffff", "1": "#000000"}


def test_of_a_thousand_classes_the_most_confused_are_drawn_with_their_names():
    names = [f"class {number}" for number in range(1000)]
    counts = pd.DataFrame(np.eye(1000, dtype=int), index=names, columns=names)
    counts.loc["class 7", "class 999"] = 5
    axes = draw_confusion(counts, log2=True).axes[0]
    ticks = [tick.get_text() for tick in axes.get_xticklabels()]
    assert len(ticks) == 25
    assert {"class 7", "class 999", "976 other classes"} <= set(ticks)
    assert "the 24 most confused of 1,000 classes" in axes.get_title()
    assert "5" in {text.get_text() for text in axes.texts}


def test_a_confusion_matrix_without_any_picture_can_be_saved():
    encode_figure(draw_confusion(count_confusions(["cat", "dog"]) * 0))


def test_the_epoch_that_was_kept_is_marked():
    for axes in draw_history(make_history(), "Head").axes:
        marked = [line for line in axes.lines if line.get_label() == "kept: epoch 3"]
        assert [list(line.get_xdata()) for line in marked] == [[3, 3]]


def test_the_curves_show_train_and_dev():
    history = make_history()
    loss, accuracy = draw_history(history, "Head").axes
    for axes, name in ((loss, "loss"), (accuracy, "accuracy")):
        train, dev, _ = axes.lines
        np.testing.assert_array_equal(train.get_ydata(), history[name])
        np.testing.assert_array_equal(dev.get_ydata(), history[f"dev_{name}"])


def test_a_single_epoch_can_be_drawn():
    encode_figure(draw_history(make_history(epochs=1), "Head"))


@pytest.mark.parametrize("length", [1, 23, 24])
def test_a_short_name_is_shown_whole(length):
    assert shorten("x" * length) == "x" * length


@pytest.mark.parametrize("limit", [3, 10, 24])
def test_a_long_name_loses_its_middle(limit):
    name = "".join(map(chr, range(0x100, 0x200)))
    cut = shorten(name, limit)
    head, tail = cut.split("…")
    assert len(cut) == limit
    assert name.startswith(head)
    assert name.endswith(tail)
    assert tail


def test_dollar_signs_are_shown_and_not_read_as_formulas():
    assert escape_math("5$ and 6$") == r"5\$ and 6\$"


def test_the_ladder_says_what_does_not_fit_on_it():
    figure = draw_steps(make_errors(), BASELINES, None, 0.95)
    axes = figure.axes[0]
    assert "far above: guessing: 90.0 %" in {text.get_text() for text in axes.texts}
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["commonest class: 12.0 %"]
    assert axes.get_ylim()[0] == 0


def test_a_wide_letter_counts_as_two():
    assert shorten("犬" * 12) == "犬" * 12
    assert shorten("犬" * 13) == "犬" * 5 + "…" + "犬" * 6
