"""``kedro label`` as a command: what it needs, what it says, and 200 labels through five kills."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from graft.errors import GraftError
from graft.label_command import order_classes
from graft.labelling.opening import listen
from graft.sources.label_answers import parse_answers
from helpers.browser import CHROMIUM, Page, browse
from helpers.killing import make_env

LABELS = 200
# After so many labels the process is killed.
KILLS = (25, 60, 85, 130, 170)
COUNT = "document.getElementById('count').textContent"
ERROR = "document.getElementById('error').textContent"


def test_without_a_list_of_pictures_it_says_what_to_run(flowers: Path, run_kedro: Callable) -> None:
    given = ("--env=own_pictures", "--params", f"source={flowers}")
    told = run_kedro(*given, command="label").error
    assert f"`kedro run --pipelines=ingestion --env=own_pictures --params source={flowers}`" in told
    assert told.endswith("run that first; got no image_index")


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(GraftError, match=f"^port {port} is taken; choose another with --port"):
            listen(port)


def test_keys_go_to_the_most_frequent_of_many_classes_and_to_all_of_few() -> None:
    assert order_classes(pd.Series(["b", "a", "b"])) == ["a", "b"]
    many = pd.Series([*"abcdefghijk", "k", "k", None])
    assert order_classes(many) == [*"abcdefghk", "i", "j"]


class LabelProcess:
    """``kedro label`` in a process of its own, and the address of its page."""

    def __init__(self, project: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "kedro", "label", "--port=0", "--name=Ada", *arguments]
        self.process = subprocess.Popen(
            command, cwd=project, stdout=subprocess.PIPE, text=True, env=make_env()
        )
        assert self.process.stdout
        ready = next(line for line in self.process.stdout if line.startswith("Ready"))
        self.address = ready.split()[1]


def type_label(page: Page) -> bool:
    """Type what the picture is called; whether the page has confirmed it."""
    page.wait_for("shownRow !== null && isSeen && !busy")
    name, before = (page.evaluate(what) for what in ("state.questions[0].name", COUNT))
    page.call("Input.insertText", text=name_class(name))
    page.press("Enter")
    page.wait_for(f"({COUNT} !== '{before}' && !busy) || {ERROR} !== ''")
    return page.evaluate(ERROR) == ""


def name_class(image_id: str) -> str:
    return "rose" if int(image_id.removesuffix(".png")) % 2 else "fern"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")
def test_of_200_labels_typed_through_five_kills_none_is_lost(
    project: Path, flowers: Path, write_picture: Callable, run_kedro: Callable, tmp_path: Path
) -> None:
    for number in range(LABELS):
        write_picture(flowers / f"{number}.png", (number, 255 - number, number // 2), size=8)
    given = ("--env=own_pictures", "--params", f"source={flowers},near_duplicate_radius=null")
    assert f"and {LABELS} without a label" in run_kedro("--pipelines=ingestion", *given).out
    file = project / "data/01_raw/own_pictures/label_answers.csv"
    kills, confirmed, chance = [*KILLS], 0, random.Random(0)
    with browse(tmp_path / "profile") as page:
        while confirmed < LABELS:
            running = LabelProcess(project, *given)
            page.open(running.address)
            page.wait_for("state !== null")
            # What was on the disk before the kill, confirmed or not, is not asked again.
            assert page.evaluate("state.done") - confirmed in (0, 1)
            confirmed = page.evaluate("state.done")
            page.evaluate("document.getElementById('class').focus()")
            is_alive = True
            while is_alive and confirmed < LABELS:
                if kills and confirmed >= kills[0]:
                    # At a random moment of the answers that come now.
                    threading.Timer(chance.uniform(0, 0.3), running.process.kill).start()
                    kills.pop(0)
                is_alive = type_label(page)
                confirmed += is_alive
    assert not kills
    running.process.send_signal(signal.SIGINT)
    told, _ = running.process.communicate(timeout=30)
    assert running.process.returncode == 0
    assert f"{LABELS} in all; `kedro run --env=own_pictures" in " ".join(told.split())
    answers, damaged = parse_answers(file.read_bytes())
    assert (len(answers), damaged) == (LABELS, [])
    assert {one.image_id: one.new_label for one in answers} == {
        f"{number}.png": name_class(f"{number}.png") for number in range(LABELS)
    }
    assert f"Reviews      {LABELS} relabelled" in run_kedro("--pipelines=ingestion", *given).out
