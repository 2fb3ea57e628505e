"""Figures in pages: names are text in any writing, drawings do not disturb each other."""

from __future__ import annotations

import io
import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import load_sample_image

from graft.reporting.contact_sheets import Panel, draw_sheet
from graft.reporting.embedding import embed_figure, encode_figure
from graft.reporting.error_figures import draw_confusion
from graft.reporting.style import shorten
from helpers.pages import Page

NAMES = ["日本 犬", "🐈", "кошка", "مرحبا", "<script>alert(1)</script>", "$5", 'a "id=" b', "a & b"]


def draw(names: list[str] = NAMES) -> Figure:
    counts = np.eye(len(names), dtype=int)
    return draw_confusion(pd.DataFrame(counts, index=names, columns=names))


def embed(names: list[str] = NAMES) -> Page:
    return Page(embed_figure(encode_figure(draw(names)), "Who is taken for whom"))


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_figure_is_text_that_a_browser_writes_in_its_own_fonts(name: str) -> None:
    page = embed([name, "other"])
    assert page.text.count(shorten(name)) == 2
    assert page.find("script") == []
    assert "font-family" not in str(page.elements)


@pytest.mark.parametrize("name", ["a\x07b", "a\uffffb", "a\nb"])
def test_a_letter_that_no_svg_may_hold_is_replaced(name: str) -> None:
    assert embed([name, "other"]).text.count("a\ufffdb") == 2


def test_a_figure_has_a_text_in_its_place() -> None:
    drawing = Page(embed_figure(encode_figure(draw()), 'a "quoted" <text>')).find("svg")[0]
    assert (drawing["role"], drawing["aria-label"]) == ("img", 'a "quoted" <text>')


def test_the_same_figure_is_the_same_bytes() -> None:
    assert encode_figure(draw()) == encode_figure(draw())


def test_its_parts_stand_where_matplotlib_puts_them() -> None:
    plain, metadata = io.BytesIO(), {"Date": None, "Creator": None}
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "graft"}):
        draw().savefig(plain, format="svg", metadata=metadata)
    assert encode_figure(draw()) == plain.getvalue()


def test_no_id_of_a_drawing_is_one_of_another_on_the_page() -> None:
    first, second = (embed([name, "other"]) for name in ("cat", "dog"))
    ids = [
        {attributes["id"] for _, attributes in page.elements if "id" in attributes}
        for page in (first, second)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]
    for page, own in zip((first, second), ids, strict=True):
        used = re.findall(r"(?:url\(|'xlink:href': ')#([\w-]+)", str(page.elements))
        assert {*used} == own


def test_the_style_of_a_drawing_is_not_that_of_the_page() -> None:
    assert embed().find("style") == []


def test_a_png_is_a_picture_of_the_page() -> None:
    png = encode_figure(draw(), "png")
    (picture,) = Page(embed_figure(png, "Confusions")).find("img")
    assert picture["src"].startswith("data:image/png;base64,")
    assert picture["alt"] == "Confusions"


def test_photographs_are_a_fraction_of_the_size() -> None:
    photograph = load_sample_image("china.jpg")[:256, :256]
    content = encode_figure(draw_sheet([Panel(("日本 犬",), photograph)] * 3, "猫"))
    sheet, exact = (embed_figure(content, "Sheet", photographs=small) for small in (True, False))
    assert "data:image/jpeg" in sheet
    assert len(sheet) < len(exact) / 2
    assert "日本 犬" in Page(sheet).text
