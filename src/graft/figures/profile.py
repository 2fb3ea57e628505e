"""An interactive profile of a table, by skrub."""

from __future__ import annotations

import re

import matplotlib as mpl
import pandas as pd


def render_profile(table: pd.DataFrame, title: str) -> str:
    """A self-contained HTML page about every column, its values and its associations.

    Args:
        table: What to describe.
        title: Heading of the page.

    Returns:
        HTML, the same for the same table: skrub's random names and dates are replaced.
    """
    from skrub import TableReport

    with mpl.rc_context({"svg.hashsalt": "graft"}):
        page = TableReport(table, title=title, verbose=0).html()
    return settle_names(page)


def settle_names(page: str) -> str:
    """Number the random names of a skrub page in their order, and take the dates out.

    Examples:
        >>> settle_names('<p id="report_0a1b2c3d"><b id="deadbeef"><i for="deadbeef">')
        '<p id="report_00000000"><b id="00000001"><i for="00000001">'
    """
    page = re.sub(r"<dc:date>[^<]*</dc:date>", "", page)
    names = dict.fromkeys(re.findall(r'id="(?:report_)?([0-9a-f]{8})["-]', page))
    numbers = {name: f"{number:08x}" for number, name in enumerate(names)}
    known = re.compile(r"(?<![0-9a-zA-Z])(" + "|".join(numbers) + r")(?![0-9a-zA-Z])")
    return known.sub(lambda match: numbers[match[1]], page) if numbers else page
