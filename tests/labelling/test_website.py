"""What the page may ask of the server, and who may ask: by its routes, without a browser."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from graft.labelling.looks import Beside
from graft.sources.label_answers import parse_answers
from helpers.labelling import TOKEN, make_page

ADDRESS = f"http://127.0.0.1:8400/{TOKEN}/"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "label_answers.csv"


def open_client(path: Path, **options: object) -> TestClient:
    return TestClient(make_page(path, **options), base_url=ADDRESS)


def show(client: TestClient, name: str = "Ada", **more: object) -> dict:
    return client.post("show", json={"name": name, **more}).json()


def give(client: TestClient, row: int, label: str = "cat", name: str = "Ada", **more: object):
    action = more.pop("action", "relabel")
    one = {"row": row, "action": action, "new_label": label if action == "relabel" else ""}
    return client.post("answer", json={"name": name, "answers": [one], **more})


def read(path: Path) -> list[tuple[str, str, str]]:
    answers, damaged = parse_answers(path.read_bytes())
    assert damaged == []
    return [(one.name, one.image_id, one.new_label or one.action) for one in answers]


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("http://127.0.0.1:8400/", {}),
        ("http://127.0.0.1:8400/another-word/", {}),
        ("http://127.0.0.1:8400/static/label.js", {}),
        (f"http://127.0.0.1:8400/{TOKEN}x/", {}),
        (ADDRESS, {"host": "graft.example.com"}),
        (ADDRESS, {"host": "127.0.0.1.example.com:8400"}),
        (ADDRESS, {"host": ""}),
        (ADDRESS, {"origin": "http://example.com"}),
        (ADDRESS, {"origin": "http://127.0.0.1:9000"}),
    ],
)
def test_without_the_secret_address_and_from_elsewhere_nothing_is_shown(path, address, headers):
    client = open_client(path)
    for told in (client.get(address, headers=headers), client.post(address, headers=headers)):
        assert told.status_code == 403
        assert [*told.json()] == ["error"]
        assert TOKEN not in told.text
    assert not path.exists()


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "localhost:9000", "localhost"])
def test_this_machine_by_its_own_name_is_let_in(path, host) -> None:
    told = open_client(path).get("", headers={"host": host, "origin": f"http://{host}"})
    assert told.status_code == 200
    assert "default-src 'none'" in told.headers["content-security-policy"]
    assert told.headers["referrer-policy"] == "no-referrer"
    assert "unsafe" not in told.headers["content-security-policy"]


def test_ranked_pictures_come_first_with_their_suggestions_then_the_others(path) -> None:
    client = open_client(path, suggestions={"9.png": "犬", "5.png": "cat"})
    state = show(client)
    (question,) = state["questions"]
    assert (question["name"], question["suggestion"], question["reason"]) == (
        "9.png",
        "犬",
        "doubtful",
    )
    assert state["upcoming"] == [5, 4, 6]
    assert (state["done"], state["total"], state["classes"]) == (0, 8, ["cat", "犬"])
    assert state["groups"] == {"cat": 1, "犬": 1}


def test_an_answer_is_in_the_file_when_the_next_picture_comes(path) -> None:
    client = open_client(path)
    state = give(client, 4, "犬").json()
    assert read(path) == [("Ada", "4.png", "犬")]
    assert state["questions"][0]["name"] == "5.png"
    assert state["done"] == 1
    # Another start goes on where this one was.
    assert show(open_client(path))["questions"][0]["name"] == "5.png"


def test_skipping_writes_nothing_and_the_picture_comes_again_last(path) -> None:
    client = open_client(path, count=6)
    state = client.post("skip", json={"name": "Ada", "rows": [4]}).json()
    assert state["questions"][0]["row"] == 5
    assert give(client, 5).json()["questions"][0]["row"] == 4
    assert read(path) == [("Ada", "5.png", "cat")]


def test_undo_goes_back_step_by_step_and_takes_what_was_given_together(path) -> None:
    client = open_client(path, suggestions={"6.png": "cat", "7.png": "cat", "8.png": "cat"})
    give(client, 4, "犬")
    both = [{"row": row, "action": "relabel", "new_label": "cat"} for row in (6, 7)]
    sent = {"name": "Ada", "view": "grid", "answers": both, "left_out": [8]}
    assert client.post("answer", json=sent).json()["questions"] == []
    taken = [client.post("undo", json={"name": "Ada"}).json()["taken_back"] for _ in range(3)]
    assert [sorted(names) for names in taken] == [["6.png", "7.png"], ["4.png"], []]
    assert show(client)["done"] == 0
    # Undoing is writing too.
    assert len(read(path)) == 6


def test_somebody_else_cannot_take_back_my_answer(path) -> None:
    client = open_client(path)
    give(client, 4)
    assert client.post("undo", json={"name": "Bob"}).json()["taken_back"] == []
    assert show(client)["done"] == 1


@pytest.mark.parametrize(
    ("row", "label", "more", "status", "told"),
    [
        (4, "owl", {}, 409, "no picture has the class 'owl' yet; say that it is new"),
        (4, "", {}, 422, "relabel, and it alone, gives a class"),
        (4, "a\u202eb", {"is_new": True}, 422, "letters that can be seen"),
        (4, "", {"action": "keep"}, 422, "'4.png' has no label that could be kept"),
        (4, "", {"action": "take_back"}, 422, "an answer is one of keep, relabel"),
        (0, "cat", {}, 409, "nobody was asked about picture 0"),
        (4, "cat", {"name": " "}, 422, "a name has 1 to 60 letters"),
        (4, "cat", {"name": "label_review.csv"}, 422, "a name has 1 to 60 letters"),
        ("x", "cat", {}, 422, "answers.0.row: Input should be a valid integer"),
        (4, "c" * 501, {"is_new": True}, 422, "answers.0.new_label: String should have at most"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line_and_not_written(
    path, row, label, more, status, told
) -> None:
    client = open_client(path)
    answer = give(client, row, label, **more)
    assert answer.status_code == status
    assert told in answer.json()["error"]
    assert not path.exists()


def test_a_class_that_is_meant_to_be_new_is_one_for_everybody(path) -> None:
    client = open_client(path)
    assert give(client, 4, " éule ", is_new=True).json()["classes"] == ["cat", "犬", "éule"]
    # The same letters typed on a Mac, as two characters.
    assert give(client, 5, "e\u0301ule", name="Bob").status_code == 200
    assert [label for _, _, label in read(path)] == ["éule"] * 2


def test_two_people_are_asked_about_different_pictures(path) -> None:
    client = open_client(path)
    assert show(client)["questions"][0]["row"] == 4
    assert show(client, "Bob")["questions"][0]["row"] == 5
    give(client, 4)
    assert show(client)["questions"][0]["row"] == 6


def test_the_last_picture_is_asked_about_even_if_it_is_on_another_screen(path) -> None:
    client = open_client(path, count=5)
    assert [show(client, name)["questions"][0]["row"] for name in ("Ada", "Bob")] == [4, 4]


def test_different_answers_are_both_kept_listed_and_settled_in_sight_of_them(path) -> None:
    ada, bob = open_client(path), open_client(path)  # as two processes
    give(ada, 4, "cat")
    give(bob, 4, "犬", name="Bob")
    assert read(path) == [("Ada", "4.png", "cat"), ("Bob", "4.png", "犬")]
    state = show(ada, view="disputed")
    assert state["disputed"] == 1
    told = [one["told"] for one in state["questions"][0]["answers"]]
    assert told == ["Ada: cat", "Bob: 犬"]
    early = give(ada, 4, "犬", settles=True, seen=told[:1])
    assert early.status_code == 409
    assert "somebody has answered this picture meanwhile" in early.json()["error"]
    state = give(ada, 4, "犬", settles=True, seen=told, view="disputed").json()
    assert (state["disputed"], state["questions"]) == (0, [])
    assert len(read(path)) == 3


def test_how_often_the_suggestion_was_right_is_told_with_its_interval(path) -> None:
    names = {f"{number}.png": "cat" for number in range(4, 9)}
    client = open_client(path, suggestions=names)
    assert show(client)["estimate"] == ""
    for row, label in ((4, "cat"), (5, "cat"), (6, "犬")):
        give(client, row, label)
    give(client, 7, action="none_of_these")
    give(client, 8, action="broken")  # says nothing about it
    told = give(client, 9, "cat").json()["estimate"]  # had no suggestion
    # Wilson's interval of 2 of 4.
    assert told == "By your answers the suggestion is right on 2 of 4 pictures (50 %, 15 to 85)."


def test_doubtful_labels_are_kept_relabelled_or_dropped(path) -> None:
    client = open_client(path, issues={"2.png": "犬", "0.png": "犬", "1.png": "cat"})
    state = show(client)
    assert (state["questions"][0]["label"], state["questions"][0]["suggestion"]) == ("cat", "犬")
    assert state["questions"][0]["reason"] == "doubt 0.75"
    give(client, 2, action="keep")
    give(client, 0, "犬")
    state = give(client, 1, action="drop").json()
    assert [said for _, _, said in read(path)] == ["keep", "犬", "drop"]
    assert state["estimate"].startswith("By your answers the label is right on 1 of 2 pictures")


def test_beside_a_doubtful_label_stand_its_neighbours_and_its_heat_map(path) -> None:
    heat = {"2.png": (np.array([[0, 255]], np.uint8), "cat")}
    nearest = [{"row": 0, "label": "cat", "similarity": 0.9}]
    client = open_client(path, issues={"2.png": "犬"}, beside=Beside(lambda _: nearest, heat))
    assert client.post("beside/2").json() == {
        "nearest": nearest, "heat": [[0, 1]], "heat_class": "cat",
    }  # fmt: skip
    assert client.post("beside/0").json()["heat"] is None
    assert client.post("beside/99").status_code == 404


def test_a_picture_is_shown_as_jpeg_and_no_larger_than_asked(path) -> None:
    client = open_client(path)
    for size, shown in (("large", (90, 80)), ("small", (90, 80))):
        told = client.get(f"picture/{size}/3")
        assert told.headers["content-type"] == "image/jpeg"
        picture = Image.open(io.BytesIO(told.content))
        assert picture.size == shown
        assert abs(picture.getpixel((5, 5))[0] - 15) < 3
    assert client.get("picture/large/12").status_code == 404
    assert client.get("picture/large/-1").status_code == 404


def test_lines_that_are_no_answers_are_told(path) -> None:
    client = open_client(path)
    give(client, 4)
    with path.open("ab") as file:
        file.write(b"5.png,1,rela")  # a kill
    assert give(client, 6).json()["damaged"] == 1
    assert show(client)["done"] == 2
