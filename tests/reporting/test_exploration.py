"""Figures of the exploration: titled, with units, readable for any number and name of classes."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graft.analysis.shortcuts import SHORTCUT_COLUMNS, derive_properties
from graft.reporting.contact_sheets import Panel, draw_sheet
from graft.reporting.embedding import encode_figure
from graft.reporting.exploration import (
    draw_class_counts,
    draw_class_spread,
    draw_picture_sizes,
    draw_shortcuts,
    render_profile,
    settle_names,
)
from helpers.exploration import make_index

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:Glyph"),
    # pandas and seaborn inside skrub.
    pytest.mark.filterwarnings("ignore::DeprecationWarning:skrub"),
]
STRANGE_NAMES = ["a$b$c", r"\$x$", "<b>bold</b>", "Gänseblümchen", "x" * 200, "_a^{2", "%s {}"]


def count_classes(labels):
    return pd.Series(labels).value_counts().rename_axis("label").reset_index(name="pictures")


def make_shortcuts(warning=True):
    rows = [
        ("file size", 0.83, 0.8, 0.86, 0.5, 0.4, 1200, 2, warning),
        ("width", 0.5, 0.46, 0.54, 0.5, 0.0, 1200, 2, False),
    ]
    return pd.DataFrame(rows, columns=SHORTCUT_COLUMNS)


def draw_all(labels):
    index = make_index(labels)
    properties = derive_properties(index)
    return {
        "counts": draw_class_counts(count_classes(labels)),
        "sizes": draw_picture_sizes(properties),
        "spread": draw_class_spread(properties, index["label"]),
        "shortcuts": draw_shortcuts(make_shortcuts(), 0.2),
    }


def test_every_figure_has_titles_and_labels():
    for name, figure in draw_all(["cat", "dog"] * 20).items():
        for axes in figure.axes:
            assert axes.get_title(), name
            assert axes.get_xlabel(), name
        assert figure.axes[0].get_ylabel(), name


@pytest.mark.parametrize("class_count", [1, 43, 1000])
def test_any_number_of_classes_can_be_drawn(class_count):
    labels = [f"class {number % class_count:04d}" for number in range(2 * class_count + 1)]
    for figure in draw_all(labels).values():
        assert encode_figure(figure).startswith(b"<?xml")
        assert max(figure.get_size_inches()) <= 16


def test_any_name_of_a_class_can_be_drawn():
    for figure in draw_all([*STRANGE_NAMES, *STRANGE_NAMES, "other"]).values():
        encode_figure(figure)


@pytest.mark.parametrize(
    "columns", [["width"], ["width", "brightness", "bytes", "red"]], ids=["one", "of every kind"]
)
def test_constant_and_missing_properties_can_be_drawn(columns):
    for value in (8, None):
        values = pd.Series([value] * 5, dtype="Float64")
        index = make_index(["cat"] * 5).assign(**dict.fromkeys(columns, values))
        properties = derive_properties(index)
        encode_figure(draw_picture_sizes(properties))
        encode_figure(draw_class_spread(properties, index["label"]))


def test_few_classes_are_named_and_counted_the_largest_on_top():
    axes = draw_class_counts(count_classes(["dog", "cat", "cat"])).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["cat", "dog"]
    assert {text.get_text() for text in axes.texts} == {"2", "1"}
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


def test_many_classes_are_ranked_with_the_first_and_the_last_named():
    labels = [f"c{number}" for number in range(60)] + ["c7"]
    axes = draw_class_counts(count_classes(labels)).axes[0]
    assert "1 is c7, 60 is c" in axes.get_xlabel()


def test_a_warning_has_another_colour():
    def colours(shortcuts):
        lines = draw_shortcuts(shortcuts, 0.2).axes[0].containers
        return len({line.lines[0].get_color() for line in lines})

    assert colours(make_shortcuts(warning=True)) == 2
    assert colours(make_shortcuts(warning=False)) == 1


def test_shortcuts_that_could_not_be_measured_say_so():
    axes = draw_shortcuts(pd.DataFrame(columns=SHORTCUT_COLUMNS), 0.2).axes[0]
    assert "Not measured" in axes.texts[0].get_text()


def make_panel(name="cat.jpg", colour=(200, 30, 30)):
    return Panel((name,), np.full((16, 16, 3), colour, np.uint8))


@pytest.mark.parametrize("count", [0, 1, 6, 7, 24])
def test_a_sheet_of_any_length_can_be_drawn(count):
    png = encode_figure(draw_sheet([make_panel()] * count, "cats"), "png")
    assert Image.open(io.BytesIO(png)).width < 1000


def test_a_sheet_shows_every_picture_above_its_caption():
    figure = draw_sheet([make_panel("red.jpg"), make_panel("green.jpg", (0, 160, 0))], "two")
    (axes,) = figure.axes
    assert [image.get_array()[0, 0].tolist() for image in axes.images] == [
        [200, 30, 30],
        [0, 160, 0],
    ]
    assert [text.get_text() for text in axes.texts] == ["red.jpg", "green.jpg"]


def test_a_picture_that_cannot_be_shown_is_a_panel_with_its_reason():
    figure = draw_sheet([Panel(("gone.jpg",), None, "no longer in the source"), make_panel()], "")
    texts = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "no longer in" in texts
    assert "gone.jpg" in texts
    assert len(figure.axes[0].images) == 2


@pytest.mark.parametrize("name", STRANGE_NAMES)
def test_a_sheet_takes_any_name(name):
    encode_figure(draw_sheet([Panel((name,), None, name)], name))


def test_a_profile_stands_alone_and_is_the_same_every_time():
    index = make_index(["cat", "<script>alert(1)</script>"] * 10)
    index = index[["image_id", "label", "brightness"]]  # a kind of column each
    page = render_profile(index, "Index")
    assert page == render_profile(index, "Index")
    assert "<script>alert(1)" not in page
    assert 'src="http' not in page
    assert "brightness" in page


def test_names_of_a_profile_are_settled_wherever_they_stand():
    page = '<div id="report_00aa11bb"></div><use href="#deadbeef"/><b id="deadbeef">report_00aa11bb'
    settled = settle_names(page)
    assert settled.count("00000000") == 2
    assert settled.count("00000001") == 2
    assert "deadbeef" not in settled
