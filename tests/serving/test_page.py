"""The page as a person uses it, in Debian's Chromium: by dialog, drop and paste, and bare."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.browser import CHROMIUM, Page, browse
from helpers.exports import make_export, write_export
from helpers.services import serve

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]
NAMES = ["Käse", "犬<img src=x onerror=document.title='hacked'>"]
ANSWERS = "[...document.querySelectorAll('.card .answer')].map(one => one.textContent)"
# What a person drags or copies, made inside the page.
HAND_OVER = """(() => {
  const bytes = Uint8Array.from(atob("%s"), letter => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "<b>dropped</b>.png", { type: "image/png" }));
  const options = { bubbles: true, cancelable: true };
  document.body.dispatchEvent("%s" === "drop"
    ? new DragEvent("drop", { ...options, dataTransfer: data })
    : new ClipboardEvent("paste", { ...options, clipboardData: data }));
})()"""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pictures")
    colours = {"red": (200, 20, 20), "green": (20, 200, 20), "blue": (20, 20, 200)}
    for name, colour in colours.items():
        Image.fromarray(np.full((30, 40, 3), colour, np.uint8)).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return {name: folder / f"{name}.png" for name in (*colours, "broken")}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, str]]:
    profile = tmp_path_factory.mktemp("profile")
    files = make_export(NAMES, is_familiar=True, explains=True)
    folder = write_export(tmp_path_factory.mktemp("model") / "onnx", files)
    with serve(folder, pictures=4) as address, browse(profile) as page:
        yield page, address


def read_answers(page: Page, count: int) -> list[str]:
    page.wait_for(f"{ANSWERS}.length === {count}")
    return page.evaluate(ANSWERS)


def test_pictures_are_chosen_dropped_and_pasted(page, pictures, tmp_path) -> None:
    page, address = page
    page.open(address)
    page.choose("#pictures", [*pictures.values()])
    expected = [NAMES[1], NAMES[0], "unlike anything in training", "cannot be used"]
    assert read_answers(page, 4) == expected
    assert page.evaluate("document.querySelectorAll('.card img').length") == 3
    assert page.evaluate("document.querySelectorAll('progress').length") == 6
    assert page.evaluate("document.querySelector('#status').textContent") == "4 pictures looked at."
    for width in (1000, 390):
        for scheme in ("light", "dark"):
            page.photograph(tmp_path / f"{width}_{scheme}.png", width, 900, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    content = base64.b64encode(pictures["green"].read_bytes()).decode()
    for way in ("drop", "paste"):
        page.open(address)
        page.evaluate(HAND_OVER % (content, way))
        assert read_answers(page, 1) == [NAMES[0]]
        shown = "document.querySelector('.card h2').textContent"
        assert page.evaluate(shown) == "<b>dropped</b>.png"
    assert page.evaluate("document.title") == "colours – Graft"
    # Neither a script that failed nor anything that the policy had to stop.
    assert page.faults == []


def test_a_person_who_asks_why_sees_and_hears_it(page, tmp_path) -> None:
    page, address = page
    half = np.full((30, 40, 3), (20, 20, 20), np.uint8)
    half[:, 20:] = (230, 20, 20)
    Image.fromarray(half).save(tmp_path / "half.png")
    page.open(address)
    page.choose("#pictures", [tmp_path / "half.png"])
    assert read_answers(page, 1) == ["unlike anything in training"]
    page.evaluate("document.querySelector('.explain').focus()")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                  windowsVirtualKeyCode=13)  # fmt: skip
    page.wait_for("document.querySelectorAll('.nearest img').length === 2")
    told = page.evaluate("document.querySelector('.heat figcaption').textContent")
    assert told == f"The brighter, the more speaks for {NAMES[1]}; most at the top right."
    names = page.evaluate("[...document.querySelectorAll('.nearest bdi')].map(n => n.textContent)")
    assert names == [NAMES[1]] * 2
    # What is heard: the section has the focus and a name, and so has the heat map.
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Explanation"
    assert page.evaluate("document.querySelector('canvas').getAttribute('aria-label')")
    pixel = "[...canvas.getContext('2d').getImageData(canvas.width * %s, 9, 1, 1).data]"
    dark, bright = (
        page.evaluate(f"(canvas => {pixel % share})(document.querySelector('.heat canvas'))")
        for share in (0.1, 0.9)
    )
    assert bright[1] > dark[1] + 50
    sizes = "[...document.querySelectorAll('.nearest img')].map(i => i.naturalWidth)"
    page.wait_for(f"{sizes}.every(width => width === 30)")
    for width in (1000, 390):
        for scheme in ("light", "dark"):
            page.photograph(tmp_path / f"{width}_{scheme}.png", width, 900, scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.title") == "colours – Graft"
    assert page.faults == []


def test_too_many_pictures_are_told_before_they_are_sent(page, pictures) -> None:
    page, address = page
    page.open(address)
    page.choose("#pictures", [pictures["red"]] * 5)
    error = "document.querySelector('#error').textContent"
    assert page.wait_for(error) == "At most 4 pictures at once."


def test_it_works_by_keyboard_and_without_javascript(page, pictures) -> None:
    page, address = page
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.call("Page.navigate", url=address)
        page.choose("#pictures", [pictures["red"], pictures["broken"]])
        page.use("button", "DOM.focus")
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                      windowsVirtualKeyCode=13)  # fmt: skip
        until = time.monotonic() + 30
        html = ""
        while "cannot be used" not in html and time.monotonic() < until:
            time.sleep(0.2)
            html = page.use("html", "DOM.getOuterHTML")["outerHTML"]
        assert "犬&lt;img src=x" in html
        assert "cannot be used" in html
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
