"""One table of what people have decided: a filled list, and the answers of the page beside it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from graft.sources.file_names import ANSWERS_FILE, REVIEW_FILE
from graft.sources.label_answers import Answer, find_standing, is_disputed
from graft.sources.label_review import NEW_CLASS, RELABEL

# In the place of an action: people have answered differently.
DISPUTED = "disputed"
COLUMNS = ["place", "image_id", "image_sha256", "action", "new_label"]


def read_as_answers(reviews: pd.DataFrame | None) -> list[Answer]:
    """The rows of a filled list as the answers of one more person, called like the file."""
    if reviews is None:
        return []
    cells = reviews[["image_id", "image_sha256", "action", "new_label"]].itertuples(index=False)
    return [
        Answer(
            image_id, sha256, action, label.strip() if action in (RELABEL, NEW_CLASS) else "",
            settles=False, name=REVIEW_FILE, time="",
        )
        for image_id, sha256, action, label in cells
    ]  # fmt: skip


def join_reviews(reviews: pd.DataFrame | None, answers: Sequence[Answer]) -> pd.DataFrame:
    """What holds of each picture that anybody has decided about.

    Args:
        reviews: Of :func:`~graft.sources.label_review.read_label_review`; None without a list.
        answers: Of the page, in the order in which they were given.

    Returns:
        The columns of ``reviews``, a row a picture and content; ``action`` is ``disputed`` where
        answers differ, with who said what as ``place``.
    """
    if not answers and reviews is not None:
        return reviews
    places = (
        {} if reviews is None else dict(zip(reviews["image_id"], reviews["place"], strict=True))
    )
    standing = find_standing([*read_as_answers(reviews), *answers])
    rows = []
    for (image_id, sha256), lines in standing.items():
        place, action, label = places.get(image_id, ANSWERS_FILE), *_decide(lines)
        if is_disputed(lines):
            place, action, label = "; ".join(map(describe, lines)), DISPUTED, ""
        rows.append((place, image_id, sha256, action, label))
    return pd.DataFrame(rows, columns=COLUMNS, dtype="str")


def _decide(lines: list[Answer]) -> tuple[str, str]:
    """Action and label of answers that agree; whoever is on the page may make a class."""
    if all(line.name == REVIEW_FILE for line in lines):
        return lines[0].action, lines[0].new_label
    action, label = lines[-1].decision
    return (NEW_CLASS if action == RELABEL else action), label


def describe(answer: Answer) -> str:
    """Who said what, for a person."""
    said = answer.new_label or answer.action.replace("_", " ")
    return f"{answer.name} says {said}"
