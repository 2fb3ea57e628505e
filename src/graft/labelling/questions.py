"""What people are asked: pictures without a label, or labels that look wrong."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from graft.errors import GraftError
from graft.images.checking import OK
from graft.sources.label_answers import Picture


@dataclass(frozen=True)
class Question:
    """One picture to be answered for.

    Attributes:
        row: Its row in ``image_index``.
        image_id: Its name.
        image_sha256: Its file, as it was checked.
        label: What it is called now; empty without a label.
        suggestion: The class that it may be; empty if nobody has an idea.
        reason: Why it is asked about; may be empty.
    """

    row: int
    image_id: str
    image_sha256: str
    label: str = ""
    suggestion: str = ""
    reason: str = ""

    @property
    def picture(self) -> Picture:
        """Its name and its content."""
        return self.image_id, self.image_sha256


def ask_for_labels(
    image_index: pd.DataFrame, unlabelled_pictures: pd.DataFrame, label_next: pd.DataFrame | None
) -> list[Question]:
    """The pictures without a label: first those that ``label_next`` has ranked, then the others.

    Args:
        image_index: Of the ingestion stage.
        unlabelled_pictures: Of :func:`graft.pipelines.unlabelled.select_unlabelled`.
        label_next: Of the stage of that name, maybe of another day; None before its first run.
    """
    wanted = unlabelled_pictures[["image_id", "sha256"]].rename(columns={"sha256": "image_sha256"})
    if label_next is not None:
        ranked = label_next.loc[label_next["rank"].notna(), _RANKED]
        wanted = wanted.merge(ranked, on=["image_id", "image_sha256"], how="left")
        wanted = wanted.sort_values("rank", kind="stable", na_position="last")
    return _list_questions(image_index, wanted)


def ask_about_labels(image_index: pd.DataFrame, label_issues: pd.DataFrame) -> list[Question]:
    """The labels that look wrong, the most doubtful first, with the class that is likelier.

    Args:
        image_index: Of the ingestion stage.
        label_issues: Of the stage of that name.

    Raises:
        GraftError: If none is open.
    """
    wanted = label_issues[label_issues["rank"].notna()].sort_values("rank")
    wanted = wanted.assign(reason="doubt " + wanted["doubt"].map("{:.2f}".format))
    questions = _list_questions(image_index, wanted.drop(columns="label"))
    if not questions:
        raise GraftError(
            "no label is open to doubt: all of label_issues.csv are decided, or of pictures that "
            "have changed; `kedro run` makes a new list; got "
            f"{len(label_issues):,} rows"
        )
    return questions


def ask_again(image_index: pd.DataFrame, pictures: list[Picture]) -> list[Question]:
    """Questions about pictures that people answered differently, as far as they are there."""
    wanted = pd.DataFrame(pictures, columns=["image_id", "image_sha256"])
    return _list_questions(image_index, wanted)


_RANKED = ["image_id", "image_sha256", "rank", "new_label", "reason"]


def _list_questions(image_index: pd.DataFrame, wanted: pd.DataFrame) -> list[Question]:
    """Questions in the order of ``wanted``, about pictures that can be used."""
    rows = pd.DataFrame(
        {
            "image_id": image_index["image_id"].to_numpy(),
            "image_sha256": image_index["sha256"].to_numpy(),
            "label": image_index["label"].to_numpy(),
            "row": range(len(image_index)),
        }
    )[(image_index["status"] == OK).to_numpy()]
    found = wanted.merge(rows, on=["image_id", "image_sha256"])
    for column in ("label", "new_label", "reason"):
        given = found[column] if column in found else pd.Series("", index=found.index)
        found[column] = given.astype(object).where(given.notna(), "")
    columns = ["row", "image_id", "image_sha256", "label", "new_label", "reason"]
    return [Question(*cells) for cells in found[columns].itertuples(index=False)]
