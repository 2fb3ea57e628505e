"""The look that all figures share."""

from __future__ import annotations

import unicodedata
import warnings
from functools import cache
from itertools import accumulate

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2f6f9f", "#d9822b", "#6b7280"


# Fonts with Chinese, Japanese and Korean letters, and with emoji, as systems bring them. Letters
# that Matplotlib's own font lacks are taken from the first of these that is there and has them.
_WIDE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Source Han Sans SC",
    "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Microsoft YaHei", "SimHei",
    "PingFang SC", "PingFang HK", "Heiti TC", "Hiragino Sans", "Hiragino Sans GB", "Yu Gothic",
    "MS Gothic", "IPAexGothic", "IPAGothic", "TakaoGothic", "Malgun Gothic", "NanumGothic",
    "Apple SD Gothic Neo", "Arial Unicode MS", "Noto Sans", "Noto Emoji", "Segoe UI Emoji",
    "Segoe UI Symbol", "Symbola",
)  # fmt: skip


@cache
def use_fonts_of_this_machine() -> None:
    """Let figures take letters from the fonts that are there; where none has one, say nothing.

    A box in a figure is seen; a warning for every letter in every figure buries the run.
    """
    there = {font.name for font in font_manager.fontManager.ttflist}
    found = [name for name in _WIDE_FONTS if name in there]
    matplotlib.rcParams["font.family"] = ["DejaVu Sans", *found]
    warnings.filterwarnings("ignore", message="Glyph .* missing from (current )?font")


def make_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of ``columns`` axes side by side; sizes in inches."""
    use_fonts_of_this_machine()
    figure = Figure(figsize=(width, height), layout="constrained", dpi=120)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(axes)


def draw_note(text: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure, (axes,) = make_figure(6, 1)
    axes.axis("off")
    axes.text(0, 0.5, text, va="center")
    return figure


def clean_axes(axes: Axes) -> None:
    """Leave only what carries information: no box, a faint horizontal grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e7eb")
    axes.set_axisbelow(True)


def write_name(name: object, length: int = 24) -> str:
    """A name from the data as a figure can show it.

    Args:
        name: Any name; control characters, which no SVG may hold, are replaced.
        length: Columns at most, see :func:`shorten`.
    """
    text = "".join("\ufffd" if _is_control(letter) else letter for letter in str(name))
    return escape_math(shorten(text, length))


def _is_control(letter: str) -> bool:
    return unicodedata.category(letter) == "Cc" or letter in "\ufffe\uffff"


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in ("W", "F")


def shorten(text: str, length: int = 24) -> str:
    """Cut a long name in its middle, where names differ least.

    Args:
        text: The name.
        length: Columns at most; a wide letter, Chinese say, takes two.
    """
    if _count_columns(text) <= length:
        return text
    head = (length - 1) // 2
    return f"{_take(text, head)}…{_take(text[::-1], length - 1 - head)[::-1]}"


def _count_columns(text: str) -> int:
    return sum(1 + _is_wide(letter) for letter in text)


def _take(text: str, columns: int) -> str:
    """The first letters that fit into so many columns."""
    widths = accumulate(1 + _is_wide(letter) for letter in text)
    return "".join(letter for letter, end in zip(text, widths, strict=True) if end <= columns)


def escape_math(text: str) -> str:
    """Keep Matplotlib from reading dollar signs in names as formulas."""
    return text.replace("$", r"\$")
