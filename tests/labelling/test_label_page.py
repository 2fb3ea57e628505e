"""The page as people use it, in Chromium: by keys alone, by eye, by ear, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from graft.labelling.looks import Beside
from graft.sources.label_answers import parse_answers
from helpers.browser import CHROMIUM, Page, browse
from helpers.labelling import serve_page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
STATUS = "document.getElementById('status').textContent"
ODD = "犬<img src=x onerror=document.title='hacked'>"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browse(tmp_path_factory.mktemp("profile")) as page:
        yield page


def read(path: Path) -> list[str]:
    answers, _ = parse_answers(path.read_bytes() if path.exists() else b"")
    return [f"{one.name} {one.image_id} {one.new_label or one.action}" for one in answers]


def wait_for_picture(page: Page, name: str) -> None:
    page.wait_for(f"{STATUS}.includes('Next: {name}') && isSeen && !busy")


def test_by_keys_alone_pictures_get_classes_old_and_new(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "label_answers.csv"
    with serve_page(path, suggestions={"9.png": "cat"}) as address:
        page.open(address)
        wait_for_picture(page, "9.png")
        for key, following in (
            ("Enter", "4.png"), ("2", "5.png"), ("n", "6.png"), ("b", "7.png"), ("s", "8.png"),
            ("u", "6.png"), ("b", "8.png"),
        ):  # fmt: skip
            page.press(key)
            wait_for_picture(page, following)
        page.press("/")
        for letter in ODD:
            page.call("Input.insertText", text=letter)
        page.press("Enter")
        page.wait_for("document.getElementById('new').open")
        assert page.evaluate("document.activeElement.textContent") == "Yes, a new class"
        page.press("Enter")
        wait_for_picture(page, "10.png")
        # The field keeps the focus, for whoever types names; a digit there is a digit.
        page.press("1")
        assert page.evaluate("document.activeElement.id + document.activeElement.value") == "class1"
        assert read(path) == [
            "Ada 9.png cat", "Ada 4.png 犬", "Ada 5.png none_of_these", "Ada 6.png broken",
            "Ada 6.png take_back", "Ada 6.png broken", f"Ada 8.png {ODD}",
        ]  # fmt: skip
        assert page.evaluate("document.title") == "What is in the pictures? – Graft"
        keys = "[...document.querySelectorAll('#classes li')].map(one => one.textContent)"
        assert page.evaluate(keys) == ["1cat", "2犬", f"3{ODD}"]
        assert page.faults == []


def test_keys_can_be_turned_off_and_buttons_do_the_same(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "label_answers.csv"
    with serve_page(path) as address:
        page.open(f"{address}?name=Bob")
        wait_for_picture(page, "4.png")
        page.evaluate("document.getElementById('keys').click(); document.activeElement.blur()")
        page.press("1")
        page.evaluate("document.querySelector('#classes li:nth-child(2) button').focus()")
        page.press("Enter")
        wait_for_picture(page, "5.png")
        assert read(path) == ["Bob 4.png 犬"]


def test_what_is_seen_is_said_too_and_fits_a_phone(page: Page, tmp_path: Path) -> None:
    suggestions = {f"{number}.png": "cat" for number in range(4, 10)}
    hint = "Another 50 labels would gain about 0.6 points."
    with serve_page(tmp_path / "a.csv", suggestions=suggestions, hint=hint) as address:
        page.open(address)
        wait_for_picture(page, "4.png")
        assert page.evaluate(f"{STATUS}") == "Next: 4.png, maybe cat."
        assert page.evaluate("document.getElementById('status').getAttribute('aria-live')")
        assert page.evaluate("document.getElementById('picture').alt") == "The picture 4.png"
        # Chromium's own tree for screen readers: nothing to be used is without a name.
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
        controls = [
            node for node in nodes
            if node.get("role", {}).get("value") in {"button", "textbox", "combobox", "checkbox"}
        ]  # fmt: skip
        assert len(controls) > 9
        assert all(node["name"]["value"].strip() for node in controls)
        for view in ("one", "grid", "disputed"):
            page.evaluate(f"document.querySelector('[data-view={view}]').click()")
            page.wait_for("!busy")
            for width in (1200, 390):
                page.photograph(tmp_path / f"{view}_{width}.png", width, 800, "dark")
                assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert hint in page.evaluate("document.body.innerText")
        assert page.faults == []


def test_a_grid_is_accepted_at_once_without_those_that_were_taken_out(page, tmp_path) -> None:
    path = tmp_path / "label_answers.csv"
    suggestions = {"9.png": "cat", "5.png": "犬", "7.png": "cat", "8.png": "cat"}
    with serve_page(path, suggestions=suggestions) as address:
        page.open(address)
        wait_for_picture(page, "9.png")
        page.evaluate("document.querySelector('[data-view=grid]').click()")
        page.wait_for("document.querySelectorAll('#tiles img').length == 3 && !busy")
        page.evaluate("document.querySelector('#tiles li:nth-child(2) input').click()")
        button = "document.getElementById('accept').textContent"
        assert page.evaluate(button) == "Accept 2 as cat"
        page.evaluate("document.activeElement.blur()")
        page.press("Enter")
        page.wait_for(f"{button} == 'Accept 1 as 犬' && !busy")
        assert read(path) == ["Ada 9.png cat", "Ada 8.png cat"]


def test_people_who_disagree_see_both_answers_and_settle_them(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "label_answers.csv"
    with serve_page(path, count=5) as address:
        page.open(address)
        wait_for_picture(page, "4.png")
        page.press("1")
        page.wait_for("document.getElementById('count').textContent == '1 of 1'")
        # Bob had the same picture on his screen, and answers a moment later.
        one = "{row: 4, action: 'relabel', new_label: '犬'}"
        page.evaluate(f"post('answer', {{name: 'Bob', answers: [{one}]}})")
        page.evaluate("document.querySelector('[data-view=disputed]').click()")
        page.wait_for("document.querySelectorAll('#disputes .told li').length == 2 && !busy")
        told = "[...document.querySelectorAll('#disputes .told li')].map(one => one.textContent)"
        assert page.evaluate(told) == ["Ada: cat", "Bob: 犬"]
        page.evaluate("document.querySelector('#disputes .choices button:nth-child(2)').click()")
        page.wait_for(f"{STATUS}.includes('Nobody disagrees.') && !busy")
        # Somebody who knows better than both says so.
        page.press("u")
        page.wait_for("document.querySelectorAll('#disputes .told li').length == 2 && !busy")
        page.evaluate("document.querySelector('#disputes input').focus()")
        page.call("Input.insertText", text="owl")
        page.press("Tab")
        page.press("Enter")
        page.wait_for("document.getElementById('new').open")
        page.press("Enter")
        page.wait_for(f"{STATUS}.includes('settled as owl. Nobody disagrees.')")
        assert read(path) == [
            "Ada 4.png cat", "Bob 4.png 犬", "Ada 4.png 犬", "Ada 4.png take_back", "Ada 4.png owl",
        ]  # fmt: skip


def test_a_doubtful_label_is_judged_beside_its_neighbours_and_heat_map(page, tmp_path) -> None:
    path = tmp_path / "label_answers.csv"
    heat = np.zeros((4, 4), np.uint8)
    heat[0, 3] = 255
    beside = Beside(
        lambda _: [{"row": 1, "label": "犬", "similarity": 0.91}], {"2.png": (heat, "犬")}
    )
    issues = {"2.png": "犬", "0.png": "犬", "1.png": "cat"}
    with serve_page(path, issues=issues, beside=beside) as address:
        page.open(address)
        wait_for_picture(page, "2.png")
        caption = "document.querySelector('#beside figcaption').textContent"
        page.wait_for(f"{caption}.includes('top right')")
        assert "犬 0.91 alike" in page.evaluate("document.getElementById('beside').innerText")
        for key, following in (("k", "0.png"), ("r", "1.png")):
            page.press(key)
            wait_for_picture(page, following)
        page.wait_for(f"{caption} == 'The report has no heat map of this picture.'")
        page.press("d")
        page.wait_for("document.getElementById('count').textContent == '3 of 3'")
        assert read(path) == ["Ada 2.png keep", "Ada 0.png 犬", "Ada 1.png drop"]
        assert page.faults == []


def test_a_server_that_is_gone_is_told_and_the_picture_stays(page: Page, tmp_path: Path) -> None:
    with serve_page(tmp_path / "label_answers.csv") as address:
        page.open(address)
        wait_for_picture(page, "4.png")
    page.press("1")
    told = page.wait_for("document.getElementById('error').textContent")
    assert told.startswith("kedro label does not answer: what was confirmed is kept.")
    assert page.evaluate("document.getElementById('file').textContent") == "4.png"
