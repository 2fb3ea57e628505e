"""The page of the exploration: verdict first, safe against any name, complete in itself."""

from __future__ import annotations

import base64
import dataclasses
import io

import pandas as pd
import pytest
from PIL import Image

from graft.analysis.shortcuts import SHORTCUT_COLUMNS
from graft.reporting.exploration import ExplorationContent, Finding, render_exploration
from helpers.pages import Page

SCRIPT = "<script>alert('1')</script>"


def make_png():
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "png")
    return buffer.getvalue()


FIGURES = [
    "class_counts", "picture_sizes", "class_spread", "shortcut_scores", "outlier_pictures",
    "conflict_pictures",
]  # fmt: skip


def make_content(name="cat", **changes):
    copies = {
        "image_id": [name], "label": [name], "cluster": [0], "kind": ["look alike"],
        "same_as": [name], "distance": [3],
    }  # fmt: skip
    medians = {"width": 300.0, "height": 200.0, "bytes": 12345.0, "brightness": 99.0}
    content = ExplorationContent(
        findings=[
            Finding("Shortcut", f"{name} names the class", "Mend it.", is_warning=True),
            Finding("Outliers", "unlike the rest: 1 of 1,200"),
        ],
        class_summary=pd.DataFrame(
            {"label": [name, "dog"], "pictures": [800, 400], "share": 0.5, "contrast": 50.0}
            | medians
        ),
        quarantined_count=2,
        duplicates=pd.DataFrame(copies),
        label_conflicts=pd.DataFrame(copies | {"other_label": [name]}),
        outliers=pd.DataFrame(
            {
                "image_id": [name],
                "label": [name],
                "property": ["width"],
                "value": [4000.0],
                "typical": [300.0],
                "score": [9.25],
            }
        ),
        outlier_threshold=5,
        shortcuts=pd.DataFrame(
            [(name, 0.83, 0.8, 0.86, 0.5, 0.4, 1200, 2, True)], columns=SHORTCUT_COLUMNS
        ),
        folds=5,
        confidence=0.99,
        figures=dict.fromkeys(FIGURES, make_png()),
        sheets=[(name, make_png()), ("dog", make_png())],
    )
    return dataclasses.replace(content, **changes)


NOTHING = {
    "findings": [Finding("Shortcuts", "none")],
    "duplicates": make_content().duplicates.head(0),
    "label_conflicts": make_content().label_conflicts.head(0),
    "outliers": make_content().outliers.head(0),
    "shortcuts": make_content().shortcuts.head(0),
    "quarantined_count": 0,
    "sheets": [],
}


def read_page(*arguments, **changes):
    return Page(render_exploration(make_content(*arguments, **changes)))


@pytest.fixture(scope="module", params=[{}, NOTHING], ids=["much found", "nothing found"])
def page(request):
    return read_page(**request.param)


def test_every_element_is_closed(page):
    assert page.open == []


def test_the_page_loads_nothing_from_outside(page):
    for picture in page.find("img"):
        content = base64.b64decode(picture["src"].partition(",")[2], validate=True)
        Image.open(io.BytesIO(content)).load()
    assert page.find("script") == page.find("link") == page.find("iframe") == []
    assert [link["href"] for link in page.find("a")] == ["profile.html"]


def test_every_picture_has_a_text_of_its_own(page):
    texts = [picture["alt"] for picture in page.find("img")]
    assert all(texts)
    assert len(set(texts)) == len(texts)


def test_the_verdict_comes_first_and_counts_the_warnings():
    text = read_page().text
    verdict = "In 1,200 pictures of 2 classes, 1 thing could fool a classifier"
    assert text.index(verdict) < text.index("Shortcut: cat names the class. Mend it.")
    assert text.index("Mend it.") < text.index("Outliers: unlike the rest: 1 of 1,200.")


def test_without_a_warning_the_verdict_says_so():
    assert "2 classes, nothing was found that would fool a classifier." in read_page(**NOTHING).text


def test_tables_show_what_was_measured():
    text = read_page().text
    assert "cat 83.0 % 80.0 % – 86.0 % 50.0 % 40.0 %" in text
    assert "dog 400 50.0 % 300 px 200 px 12.3 kB 99 50" in text
    assert "cat cat width 4000 300 +9.2" in text
    assert "1 × look alike." in text
    assert "2 files cannot be used" in text


def test_long_tables_are_cut_and_say_so():
    outliers = pd.concat([make_content().outliers] * 21)
    classes = pd.concat([make_content().class_summary] * 30)
    text = read_page(outliers=outliers, class_summary=classes).text
    assert "The first 20 of 21 outliers" in text
    assert "The first 50 of 60 classes" in text
    assert "The 2 largest classes of 60." in text


@pytest.mark.parametrize("name", [SCRIPT, '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "a & b"])
def test_names_are_text_and_nothing_else(name):
    page = read_page(name)
    assert page.find("script") == []
    assert len(page.find("img")) == 8
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert page.text.count(" ".join(name.split())) >= 10
