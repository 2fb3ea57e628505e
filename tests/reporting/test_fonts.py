"""Names of classes in any writing: letters of the machine's fonts, and no warnings without one."""

from __future__ import annotations

import io
import warnings
from types import SimpleNamespace

import matplotlib
import pytest

from graft.reporting import style


@pytest.fixture(autouse=True)
def _anew(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "font.family", ["DejaVu Sans"])
    style.use_fonts_of_this_machine.cache_clear()
    yield
    style.use_fonts_of_this_machine.cache_clear()


def draw(text):
    figure, (axes,) = style.make_figure(3, 2)
    axes.set_title(text)
    figure.savefig(io.BytesIO())


@pytest.mark.parametrize("text", ["犬と猫", "狗", "🐈", "кошка", "ünï"])
def test_no_name_of_a_class_makes_a_figure_warn(text):
    with warnings.catch_warnings(record=True) as caught:
        style.use_fonts_of_this_machine()
        draw(text)
    assert [str(warning.message) for warning in caught] == []


def test_fonts_that_the_machine_has_come_after_matplotlibs_own(monkeypatch):
    there = [SimpleNamespace(name=name) for name in ("SimHei", "Comic Sans", "Noto Sans CJK JP")]
    monkeypatch.setattr(style.font_manager.fontManager, "ttflist", there)
    style.use_fonts_of_this_machine()
    assert matplotlib.rcParams["font.family"] == ["DejaVu Sans", "Noto Sans CJK JP", "SimHei"]
