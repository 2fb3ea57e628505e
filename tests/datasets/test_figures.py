"""Figures and web pages as catalog entries."""

from __future__ import annotations

import base64
import io

import pytest
from matplotlib.figure import Figure
from PIL import Image

from graft.datasets import FigureDataset, FigureFolderDataset, HTMLDataset


def test_a_figure_is_loaded_as_the_bytes_of_its_png(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.png"))
    dataset.save(Figure(figsize=(2, 1), dpi=100))
    content = dataset.load()
    assert content == (tmp_path / "figure.png").read_bytes()
    picture = Image.open(io.BytesIO(content))
    assert (picture.format, picture.size) == ("PNG", (200, 100))


def test_kedro_viz_draws_a_figure_as_it_stands_in_a_page(tmp_path):
    dataset = FigureDataset(filepath=str(tmp_path / "figure.svg"))
    figure = Figure()
    figure.suptitle("犬と猫")
    dataset.save(figure)
    assert "犬と猫" in dataset.preview()
    # kedro-viz looks at the name in the annotation.
    assert "HTMLPreview" in str(FigureDataset.preview.__annotations__["return"])


@pytest.fixture
def page(tmp_path):
    return HTMLDataset(filepath=str(tmp_path / "page.html"))


def test_a_page_comes_back_as_it_was(page, tmp_path):
    page.save("<p>Grüße, 雛菊\n</p>")
    assert page.load() == "<p>Grüße, 雛菊\n</p>"
    assert (tmp_path / "page.html").read_bytes().decode("utf-8") == page.load()


def test_kedro_viz_recognises_the_preview_of_a_page(page):
    page.save("<p>report</p>")
    assert page.preview() == "<p>report</p>"
    # kedro-viz looks at the name in the annotation.
    assert "HTMLPreview" in str(HTMLDataset.preview.__annotations__["return"])


def test_a_page_exists_once_it_is_saved(page):
    assert not page.exists()
    page.save("")
    assert page.exists()
    assert "page.html" in str(page)


@pytest.fixture
def folder(tmp_path):
    return FigureFolderDataset(filepath=str(tmp_path / "sheets"))


def test_a_folder_of_figures_comes_back_in_the_order_of_its_names(folder):
    folder.save({"0001_dog.png": b"dog", "0000_cat.png": b"cat"})
    assert list(folder.load().items()) == [("0000_cat.png", b"cat"), ("0001_dog.png", b"dog")]


def test_kedro_viz_shows_the_first_figure_of_a_folder(folder):
    folder.save({"0001_dog.png": b"\x89PNG dog", "0000_cat.png": b"\x89PNG cat"})
    assert base64.b64encode(b"\x89PNG cat").decode() in folder.preview()
    # kedro-viz looks at the name in the annotation.
    assert "HTMLPreview" in str(FigureFolderDataset.preview.__annotations__["return"])


def test_a_folder_without_figures_is_an_empty_one(folder):
    folder.save({})
    assert folder.exists()
    assert folder.load() == {}
    assert folder.preview() == ""
