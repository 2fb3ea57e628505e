"""Answers of people: lines that cannot be mistaken for others, and what holds of a picture."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graft.sources.label_answers import (
    HEADER,
    Answer,
    find_standing,
    format_answer,
    is_disputed,
    parse_answers,
    parse_line,
)
from graft.sources.labels_by_people import DISPUTED, join_reviews

TIME = "2026-11-30T08:15:00.000001Z"
# Whatever a picture, a class or a person may be called: line ends, quotes, commas, formulas, …
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


def make_answer(action="relabel", label="dog", name="Ada", image="a.png", settles=False, sha="1"):
    return Answer(image, sha, action, label if action == "relabel" else "", settles, name, TIME)


ANSWERS = st.builds(
    make_answer, st.sampled_from(["relabel", "keep", "drop", "broken"]), TEXT, TEXT, TEXT,
    st.booleans(),
)  # fmt: skip


@given(ANSWERS)
def test_an_answer_is_one_line_and_reads_as_it_was_given(answer: Answer) -> None:
    line = format_answer(answer)
    assert line.count(b"\n") == 1
    assert parse_line(line[:-1]) == answer


@given(st.lists(ANSWERS, max_size=4), st.data())
def test_of_any_beginning_of_a_file_the_whole_lines_count_and_no_other(answers, data) -> None:
    lines = [HEADER, *map(format_answer, answers)]
    whole = b"".join(lines)
    end = data.draw(st.integers(0, len(whole)))
    found, damaged = parse_answers(whole[:end])
    # A line may lack nothing but its end.
    ends = [len(b"".join(lines[: number + 1])) - 1 for number in range(len(lines))]
    assert found == [answer for answer, at in zip(answers, ends[1:], strict=True) if at <= end]
    assert len(damaged) <= 1


@pytest.mark.parametrize(
    "line",
    [
        b"a.png,1,relabel,,,Ada," + TIME.encode(),  # no class
        b"a.png,1,keep,dog,,Ada," + TIME.encode(),  # a class where none belongs
        b"a.png,1,maybe,,,Ada," + TIME.encode(),
        b"a.png,1,keep,,perhaps,Ada," + TIME.encode(),
        b"a.png,1,keep,,,Ada,2026-11-30",
        b"a.png,1,keep,,Ada," + TIME.encode(),
        b"\xff.png,1,keep,,,Ada," + TIME.encode(),
        b'"a.png,1,keep,,,Ada,' + TIME.encode(),
    ],
)
def test_what_is_no_answer_is_counted_with_its_line(line: bytes) -> None:
    good = format_answer(make_answer())
    assert parse_answers(HEADER + good + line + b"\n" + good) == ([make_answer()] * 2, [3])


def test_a_name_that_a_spreadsheet_would_run_is_marked_in_the_file() -> None:
    assert format_answer(make_answer(image="=1+1")).startswith(b"'=1+1,")


def stand(*answers: Answer) -> list[tuple[str, str]]:
    (lines,) = find_standing(answers).values()
    return [(line.name, line.new_label or line.action) for line in lines]


def test_the_last_answer_of_a_person_holds_and_an_undo_brings_back_the_one_before() -> None:
    first, second = make_answer(label="cat"), make_answer(label="dog")
    assert stand(first, second) == [("Ada", "dog")]
    assert stand(first, second, make_answer("take_back")) == [("Ada", "cat")]
    assert find_standing([first, make_answer("take_back")]) == {}
    # Of somebody else, or of nothing, nothing is taken back.
    assert stand(first, make_answer("take_back", name="Bob")) == [("Ada", "cat")]


def test_two_people_disagree_until_one_changes_or_somebody_settles() -> None:
    ada, bob = make_answer(label="cat"), make_answer(label="dog", name="Bob")
    (lines,) = find_standing([ada, bob]).values()
    assert is_disputed(lines)
    assert stand(ada, bob, make_answer(label="dog")) == [("Ada", "dog"), ("Bob", "dog")]
    settled = make_answer(label="owl", name="Eve", settles=True)
    assert stand(ada, bob, settled) == [("Eve", "owl")]
    # What was settled can be taken back, and then both stand again.
    assert len(stand(ada, bob, settled, make_answer("take_back", name="Eve"))) == 2
    # Who says something else afterwards disagrees anew.
    assert len(stand(ada, bob, settled, make_answer(label="cat"))) == 2


def test_a_broken_picture_and_one_of_no_class_are_both_left_out() -> None:
    (lines,) = find_standing([make_answer("broken"), make_answer("none_of_these", name="Bob")]
                             ).values()  # fmt: skip
    assert not is_disputed(lines)


def make_reviews(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """A filled list: image_id, action, new_label; every picture has the content 1."""
    table = pd.DataFrame(rows, columns=["image_id", "action", "new_label"], dtype="str")
    return table.assign(image_sha256="1", place=[f"row {n}" for n in range(2, len(table) + 2)])


def test_a_filled_list_is_one_more_person() -> None:
    reviews = make_reviews(
        ("a.png", "relabel", "cat"), ("b.png", "drop", "x"), ("c.png", "keep", "")
    )
    answers = [make_answer(label="dog"), make_answer("broken", image="b.png"),
               make_answer(label="owl", image="d.png")]  # fmt: skip
    found = join_reviews(reviews, answers).set_index("image_id")
    assert found["action"].to_dict() == {
        "a.png": DISPUTED, "b.png": "drop", "c.png": "keep", "d.png": "new_class",
    }  # fmt: skip
    assert found.loc["a.png", "place"] == "label_review.csv says cat; Ada says dog"
    assert found.loc["d.png", "new_label"] == "owl"


def test_answers_on_two_states_of_a_file_are_kept_apart() -> None:
    found = join_reviews(None, [make_answer(), make_answer("broken", sha="2")])
    assert found["image_sha256"].tolist() == ["1", "2"]
    assert found["action"].tolist() == ["new_class", "drop"]
