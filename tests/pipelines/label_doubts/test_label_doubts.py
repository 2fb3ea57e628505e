"""The stage of doubtful labels: a list for a person, which remembers what was decided."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureBlock, FeatureShardsDataset, FeatureTable
from graft.errors import GraftError
from graft.pipelines.label_doubts.nodes import COLUMNS, describe_label_doubts, find_label_doubts
from graft.pipelines.label_doubts.parameters import LabelDoubtsParameters
from graft.reporting.report import render_page
from graft.sources.label_review import read_label_verdicts

CLASSES = ["dark", "light"]
PARAMETERS = LabelDoubtsParameters(
    folds=3, shown=2, verdicts_file="data/01_raw/tiny/label_verdicts.csv", seed=0
)
VERDICT_COLUMNS = ["image_id", "image_sha256", "label", "verdict", "new_label"]
NO_VERDICTS = pd.DataFrame(columns=VERDICT_COLUMNS, dtype="str")


@pytest.fixture
def flipped(splits: pd.DataFrame) -> pd.DataFrame:
    """The splits with one picture of test and one of train under the wrong label."""
    rows = splits["image_id"].isin(["03.png", "14.png"])
    return splits.assign(
        label=splits["label"].where(~rows, splits["label"].map({"light": "dark", "dark": "light"})),
        label_index=splits["label_index"].where(~rows, 1 - splits["label_index"]),
    )


def find(features: FeatureTable, splits: pd.DataFrame, verdicts: pd.DataFrame = NO_VERDICTS):
    return find_label_doubts(features, splits, CLASSES, verdicts, PARAMETERS)


def test_wrong_labels_of_any_split_lead_the_list_with_the_right_suggestion(
    features: FeatureTable, flipped: pd.DataFrame
) -> None:
    doubts, counts = find(features, flipped)
    assert doubts.columns.tolist() == COLUMNS
    assert doubts["rank"].tolist() == [*range(1, 19)]
    assert {*doubts["image_id"].head(2)} == {"03.png", "14.png"}
    first = doubts.set_index("image_id").loc["03.png"]
    assert (first["label"], first["suggested_label"], first["new_label"]) == (
        "light",
        "dark",
        "dark",
    )
    assert first["probability_of_suggested"] > 0.5 > first["probability_of_label"]
    assert doubts["verdict"].isna().all()
    assert doubts["doubt"].is_monotonic_decreasing
    assert counts == {"judged": 18, "unjudged": 0, "decided": 0, "estimated": 2}


def test_what_a_person_has_decided_leaves_the_ranks_and_stays_in_the_file(
    features: FeatureTable, flipped: pd.DataFrame, tmp_path
) -> None:
    decided = pd.DataFrame(
        [
            ["03.png", "sha-3", "light", "keep", None],
            ["gone.png", "sha-9", "dark", "drop", None],
            ["14.png", "sha-14", "dark", "relabel", "light"],
        ],
        columns=VERDICT_COLUMNS,
        dtype="str",
    )
    doubts, counts = find(features, flipped, decided)
    assert counts["decided"] == 3
    assert doubts["rank"].notna().sum() == 16
    assert {"03.png", "14.png"}.isdisjoint(doubts.loc[doubts["rank"].notna(), "image_id"])
    # The new list may be copied over the filled one: nothing that was decided is lost.
    doubts.to_csv(tmp_path / "label_verdicts.csv", index=False)
    again = read_label_verdicts(tmp_path / "label_verdicts.csv")
    assert again["image_id"].tolist() == decided["image_id"].tolist()
    assert again["verdict"].tolist() == ["keep", "drop", "relabel"]


def test_a_feature_that_is_no_number_is_refused_with_its_picture(
    splits: pd.DataFrame, tmp_path
) -> None:
    vectors = np.ones((len(splits), 2), np.float32)
    vectors[4, 1] = np.nan
    keys = pd.DataFrame(
        {"image_id": splits["image_id"], "image_sha256": splits["sha256"], "view": np.int16(0)}
    )
    dataset = FeatureShardsDataset(filepath=str(tmp_path / "broken"))
    dataset.save([FeatureBlock(keys, vectors)])
    with pytest.raises(GraftError, match=r"finite number.*got another for '04.png'$"):
        find(dataset.load(), splits)


def test_one_picture_a_class_makes_an_empty_list(features: FeatureTable, splits) -> None:
    lonely = splits.assign(cluster=splits["label_index"])
    doubts, counts = find(features, lonely)
    assert len(doubts) == 0
    assert counts == {"judged": 0, "unjudged": 18, "decided": 0, "estimated": 0}
    assert "too few pictures" in render(describe(doubts, counts, lonely))


def describe(doubts: pd.DataFrame, counts: dict, splits: pd.DataFrame) -> dict:
    images = np.arange(len(splits) * 12, dtype=np.uint8).reshape(-1, 2, 2, 3)
    return describe_label_doubts(doubts, counts, images, splits, PARAMETERS)


def render(section: dict) -> str:
    content = SimpleNamespace(sections={"label_doubts": section}, figures={})
    return render_page("label_doubts.html", content=content)


def test_the_section_shows_the_first_doubts_and_says_what_to_do(
    features: FeatureTable, flipped: pd.DataFrame
) -> None:
    doubts, counts = find(features, flipped)
    section = describe(doubts, counts, flipped)
    assert [picture["image_id"] for picture in section["first"]] == doubts["image_id"].tolist()[:2]
    page = render(section)
    assert page.startswith('<h2 id="label_doubts">')
    assert page.count("data:image/png;base64,") == 2
    assert "About <b>2</b> of 18 labels look wrong" in page
    assert PARAMETERS.verdicts_file in page


def test_names_from_the_data_are_escaped(features: FeatureTable, flipped: pd.DataFrame) -> None:
    doubts, counts = find(features, flipped)
    section = describe(doubts, counts, flipped)
    section["first"][0] |= {"label": "<b>bold</b>", "image_id": '"><script>'}
    page = render(section)
    assert "<b>bold" not in page
    assert "<script" not in page


def test_without_the_stage_the_partial_is_empty() -> None:
    content = SimpleNamespace(sections={}, figures={})
    assert not render_page("label_doubts.html", content=content).strip()
