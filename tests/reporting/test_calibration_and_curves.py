"""Figures and sections on calibration and curves: readable for two classes and for a thousand."""

from __future__ import annotations

import functools
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from graft.analysis.calibration import summarise_calibration
from graft.analysis.learning_curve import (
    ForecastSettings,
    forecast_errors,
    withhold_forecast,
)
from graft.analysis.refits import Refits
from graft.analysis.thresholds import (
    measure_answers,
    measure_yes_or_no,
    select_shares,
    trace_abstention,
    trace_class_curves,
)
from graft.reporting.curve_figures import (
    draw_abstention,
    draw_precision_recall,
    draw_reliability,
    draw_roc,
)
from graft.reporting.embedding import encode_figure
from graft.reporting.report import render_page
from graft.reporting.training_figures import draw_learning_curve, draw_stage_curves

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:Glyph"),
]
STRANGE_NAMES = ["a$b$c", "$", r"\$x$", "<b>bold</b>", "Gänseblümchen", "x" * 200, "_a^{2", "%s {}"]


def draw_problem(class_count, count=300, signal=1.0, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % class_count
    weights = np.exp(
        random.normal(size=(count, class_count)) + signal * np.eye(class_count)[labels]
    )
    return labels, weights / weights.sum(axis=1, keepdims=True)


def make_calibration(class_count=3, signal=1.0, threshold=None, reason="not_asked", **changes):
    labels, probabilities = draw_problem(class_count, signal=signal)
    found = summarise_calibration(labels, probabilities, 10, 100, 0.95, 0)
    answers = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    abstention = trace_abstention(answers, answers, 0.95)
    return {
        "model": "frozen",
        "temperature": 1.5,
        "temperature_low": 0.9,
        "temperature_high": 2.0,
        "temperature_reason": "fitted",
        "confidence": 0.95,
        "classes": class_count,
        "dev": {"before": found, "after": found},
        "test": {"before": found, "after": found},
        "threshold": threshold,
        "threshold_reason": reason,
        "threshold_needed": None,
        "wanted_precision": 0.9,
        "abstention": abstention,
        "abstention_shown": select_shares(abstention, [1.0, 0.9, 0.5]),
    } | changes


def make_positive_threshold(name="cat", **changes):
    scores, positive = np.array([0.1, 0.4, 0.9]), np.array([False, True, True])
    found = {split: measure_yes_or_no(scores, positive, 0.3, 0.95) for split in ("dev", "test")}
    asked = {"chosen_by": "cost", "cost_false_positive": 1.0, "cost_false_negative": 9.0}
    kind = {"kind": "positive_class", "value": 0.3, "positive_class": name}
    return kind | asked | {"wanted_precision": None, "usual": found} | found | changes


def make_abstention_threshold(value=0.4):
    found = measure_answers(np.array([0.3, 0.6]), np.array([False, True]), value, 0.95)
    kind = {"kind": "abstain", "value": value, "positive_class": None, "chosen_by": "precision"}
    return kind | {"wanted_precision": 0.9, "dev": found, "test": found}


def make_learning_curve(errors=(0.5, 0.4, 0.3, 0.2), dev=500, **changes):
    hardness = np.random.default_rng(0).random((1, 4, dev))
    sizes = 25 * 2.0 ** np.arange(len(errors))
    refits = Refits(sizes, hardness >= np.array(errors)[:, None, None])
    settings = ForecastSettings(200, 0.95, 0.01, 0)
    found = forecast_errors(refits, np.arange(dev), int(sizes[-1]), settings)
    return found | {"train": int(sizes[-1]), "repeats": 4, "confidence": 0.95} | changes


def make_history(epochs):
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


def trace(class_count, **options):
    return trace_class_curves(*draw_problem(class_count, **options))


def name_classes(count):
    return [f"class {number}" for number in range(count)]


DRAWN = {
    "reliability": lambda: draw_reliability(make_calibration()),
    "abstention": lambda: draw_abstention(make_calibration()),
    "roc": lambda: draw_roc(trace(12), name_classes(12)),
    "precision recall": lambda: draw_precision_recall(trace(12), name_classes(12)),
    "stages": lambda: draw_stage_curves({"head": make_history(8), "fine-tuning": make_history(3)}),
    "learning sizes": lambda: draw_learning_curve(make_learning_curve()),
}


@functools.cache
def draw_and_encode(name):
    figure = DRAWN[name]()
    return figure, encode_figure(figure)


@pytest.mark.parametrize("name", DRAWN)
def test_every_figure_has_titles_and_labels_and_is_small(name):
    figure, content = draw_and_encode(name)
    for axes in figure.axes:
        assert axes.get_title()
        assert axes.get_xlabel()
        assert axes.get_ylabel()
    assert len(content) < 100_000


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_the_same_every_time(name):
    assert encode_figure(DRAWN[name]()) == draw_and_encode(name)[1]


@pytest.mark.parametrize("class_count", [2, 43, pytest.param(1000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("draw", [draw_roc, draw_precision_recall])
def test_class_curves_of_any_number_of_classes_have_a_short_legend(draw, class_count):
    curves = trace(class_count, count=2 * class_count + 20)
    figure = draw(curves, name_classes(class_count))
    assert len(figure.axes[0].get_legend().get_texts()) <= 7
    encode_figure(figure)
    assert max(figure.get_size_inches() * figure.dpi) <= 800


def test_the_worst_classes_are_named_the_very_worst_first():
    curves = trace(12)
    (axes,) = draw_roc(curves, name_classes(12)).axes
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    worst = min(curves, key=lambda curve: curve.area)
    assert texts[0].endswith("  mean")
    assert texts[1] == f"{worst.area:.3f}  class {worst.index}, {worst.count} pictures"
    assert axes.get_legend().get_title().get_text() == "the 4 worst of 12 classes, area"


def test_the_axis_of_good_curves_ends_early_and_says_so():
    (axes,) = draw_roc(trace(3, signal=20), name_classes(3)).axes
    assert axes.get_xlim()[1] < 0.06
    assert "shown up to 0.05" in axes.get_xlabel()
    (axes,) = draw_roc(trace(3, signal=0), name_classes(3)).axes
    assert axes.get_xlim()[1] > 1
    assert "shown" not in axes.get_xlabel()


@pytest.mark.parametrize("draw", [draw_roc, draw_precision_recall])
def test_without_a_curve_the_figure_says_why(draw):
    (text,) = draw([], ["cat", "dog"]).axes[0].texts
    assert text.get_text() == "No curve can be drawn: test has one class alone."


@pytest.mark.parametrize("draw", [draw_roc, draw_precision_recall])
@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_class_curves_take_any_name(draw, name):
    figure = draw(trace(2), [name, "other"])
    encode_figure(figure)
    texts = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert len(texts) == 2
    assert max(map(len, texts)) < 60


@pytest.mark.parametrize("draw", [draw_roc, draw_precision_recall])
@pytest.mark.parametrize("right", [True, False], ids=["all right", "all wrong"])
def test_perfect_and_hopeless_curves_can_be_drawn(draw, right):
    labels = np.arange(9) % 3
    probabilities = np.eye(3)[labels if right else (labels + 1) % 3]
    encode_figure(draw(trace_class_curves(labels, probabilities), name_classes(3)))


@pytest.mark.parametrize("signal", [-50, 50], ids=["all wrong", "all right"])
def test_perfect_and_hopeless_calibration_can_be_drawn(signal):
    calibration = make_calibration(signal=signal, temperature=1.0)
    reliability = draw_reliability(calibration)
    assert reliability.axes[1].get_title().startswith("no temperature")
    encode_figure(reliability)
    encode_figure(draw_abstention(calibration))


def test_the_points_of_the_diagram_are_the_bins():
    calibration = make_calibration()
    points = draw_reliability(calibration).axes[0].collections[-1].get_offsets()
    bins = calibration["test"]["before"]["bins"]
    expected = [(row["confidence"], row["accuracy"]) for row in bins]
    np.testing.assert_allclose(points, expected)


def test_the_chosen_confidence_is_marked():
    calibration = make_calibration(threshold=make_abstention_threshold())
    labels = [line.get_label() for line in draw_abstention(calibration).axes[0].lines]
    assert "chosen: from 0.400 on" in labels


def test_stages_follow_each_other_and_empty_ones_are_left_out():
    histories = {"head": make_history(4), "fine-tuning": make_history(0), "last": make_history(2)}
    for axes in draw_stage_curves(histories).axes:
        assert [text.get_text() for text in axes.texts] == ["head", "last"]
        assert axes.lines[0].get_xdata().tolist() == [1, 2, 3, 4]
        ends = [line.get_xdata()[-1] for line in axes.lines if len(line.get_xdata()) == 2]
        assert 6 in ends


def test_a_stage_of_one_epoch_and_no_stage_at_all_can_be_drawn():
    encode_figure(draw_stage_curves({"head": make_history(1)}))
    (text,) = draw_stage_curves({"head": make_history(0)}).axes[0].texts
    assert text.get_text() == "Nothing was trained."


@pytest.mark.parametrize("errors", [(0.3,), (0.3, 0.2), (0.1, 0.0, 0.0), (1.0, 1.0, 1.0)])
def test_learning_curve_without_a_curve_can_be_drawn(errors):
    encode_figure(draw_learning_curve(make_learning_curve(errors)))


FIGURES = {
    "calibration": ["reliability_diagram", "abstention_curve"],
    "curves": [
        "learning_curve_figure",
        "roc_curves",
        "precision_recall_curves",
        "all_training_curves",
    ],
}


def render(section, found):
    figures = dict.fromkeys(FIGURES[section], b"\x89PNG")
    content = SimpleNamespace(sections={section: found}, figures=figures)
    return render_page(f"{section}.html", content=content)


def make_curves(name="cat", **changes):
    row = {"class": name, "n": 4, "roc_auc": 0.9, "average_precision": 0.8}
    stage = {"name": "head", "epochs": 3, "kept": 2, "dev_loss": 0.5, "dev_accuracy": 0.75}
    return {
        "model": "frozen", "classes": [row], "class_count": 1, "left_out": 2, "roc_auc": 0.9,
        "average_precision": 0.8, "stages": [stage], "learning_curve": make_learning_curve(),
    } | changes  # fmt: skip


@pytest.mark.parametrize("section", FIGURES)
def test_a_section_begins_with_its_title_and_every_plot_has_a_text(section):
    page = render(section, make_calibration() if section == "calibration" else make_curves())
    assert page.startswith(f'<h2 id="{section}">')
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == len(FIGURES[section])
    assert all(re.search(r'alt="[^"]{20,}"', image) for image in images)
    assert page.count("<table>") == page.count('<div class="scroll"><table>')


@pytest.mark.parametrize("section", FIGURES)
def test_a_report_without_the_section_has_nothing_of_it(section):
    content = SimpleNamespace(sections={}, figures={})
    assert render_page(f"{section}.html", content=content).strip() == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"signal": 50}, "It made no mistake"),
        ({"temperature_reason": "no_gain", "temperature": 1.0}, "No temperature lowers"),
        ({"temperature_reason": "at_bound"}, "look at its labels"),
        ({}, "makes it less sure"),
        ({}, "As 1 is in the interval too, the gain may be chance."),
        ({"temperature": 0.5}, "makes it more sure"),
        ({"reason": "not_reached"}, "No threshold can promise a precision of 90.0 %"),
        ({"reason": "not_reached"}, "none is right so often even on the 300 pictures of dev"),
        ({"reason": "not_reached", "threshold_needed": 1200}, "About 1,200 like them would."),
        (
            {"reason": "too_small", "threshold_needed": 2900},
            "without a mistake. At least 2,900",
        ),
        ({}, "No threshold was asked for"),
        ({"threshold": make_abstention_threshold()}, "answers only from a confidence of"),
        ({"threshold": make_positive_threshold()}, "the lowest cost on dev"),
        (
            {"threshold": make_positive_threshold(chosen_by="precision", wanted_precision=0.9)},
            "is right 90.0 % of the time or more for new pictures of this kind: dev promises",
        ),
    ],
)
def test_the_section_on_calibration_says_what_was_found(changes, sentence):
    if changes.get("signal"):
        changes = changes | {"temperature_reason": "no_mistake"}
    assert sentence in render("calibration", make_calibration(**changes))


@pytest.mark.parametrize(
    ("mean", "error", "sentence"),
    [
        (0.9, 0.3, "It is too sure of itself"),
        (0.2, 0.3, "It is surer than it says"),
        (0.5, 0.3, "Its probabilities are off"),
        (0.9, 0.05, "There is no evidence that its probabilities mislead"),
    ],
)
def test_the_verdict_on_calibration_weighs_chance(mean, error, sentence):
    found = make_calibration()
    found["test"]["before"] = found["test"]["before"] | {
        "accuracy": {"value": 0.5, "low": 0.4, "high": 0.6},
        "mean_confidence": mean,
        "ece": error,
        "chance": {"mean": 0.05, "high": 0.1},
    }
    assert sentence in render("calibration", found)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"verdict": "helps"}, "More pictures of this kind would help."),
        ({"verdict": "does_not_help"}, "would not help noticeably</b> (by 1 percentage point)"),
        ({"verdict": "unclear"}, "is open"),
        ({"errors": (0.3, 0.2)}, "That cannot be said:"),
        ({"errors": (0.2, 0.1, 0.0)}, "makes no mistake on its 500 pictures"),
        ({"errors": (0.4, 0.3, 0.25)}, "no floor of the error could be fitted"),
        ({"train": 100}, "At most 100 of the 200 pictures of train took part."),
    ],
)
def test_the_section_on_curves_says_whether_more_pictures_would_help(changes, sentence):
    page = render("curves", make_curves(learning_curve=make_learning_curve(**changes)))
    assert sentence in page


def test_a_curve_that_is_withheld_is_told_by_its_reason_alone():
    reason = "the champion is fine-tuned"
    facts = {"train": 0, "repeats": 4, "confidence": 0.95}
    sizes = withhold_forecast(500, 2000, 0.01, reason) | facts
    page = render("curves", make_curves(learning_curve=sizes))
    assert f"<b>That cannot be said:</b> {reason}." in page
    assert "Training pictures" not in page
    assert "would help" not in page
    (text,) = draw_learning_curve(sizes).axes[0].texts
    assert "No curve" in text.get_text()


def test_twice_and_four_times_the_pictures_are_named_with_their_interval():
    page = render("curves", make_curves())
    assert re.search(r"with 2 × as many \(400\) it has \d+\.\d % \(95 % interval", page)
    assert "with 4 × as many (800)" in page


def test_a_test_split_of_one_class_is_said():
    found = make_curves(classes=[], class_count=0, roc_auc=None, average_precision=None)
    assert "test has pictures of one class alone" in render("curves", found)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "The hardest is “cat” with an area of 0.9000"),
        ({"class_count": 2}, "0.9000, the same for both classes"),
        ({}, "2 classes have no picture in test and no curve."),
        ({"left_out": 1}, "1 class has no picture in test and no curve."),
        ({}, "Head: epoch 2 of 3 was kept, accuracy on dev 75.0 %, log loss 0.500."),
    ],
)
def test_the_section_on_curves_names_the_hardest_class_and_the_trainings(changes, sentence):
    assert sentence in render("curves", make_curves(**changes))


def test_names_of_classes_are_escaped():
    name = "<script>alert(1)</script>"
    pages = [
        render("curves", make_curves(name)),
        render("calibration", make_calibration(threshold=make_positive_threshold(name))),
    ]
    for page in pages:
        assert "<script>" not in page
        assert "&lt;script&gt;" in page
