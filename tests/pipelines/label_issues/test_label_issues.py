"""The stage of doubtful labels: a list for a person, which remembers what was decided."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from graft.datasets.features import FeatureBlock, FeatureShardsDataset, FeatureTable
from graft.errors import GraftError
from graft.pipelines.candidates import STAGES
from graft.pipelines.label_issues.nodes import COLUMNS, describe_label_issues, find_label_issues
from graft.pipelines.label_issues.parameters import LabelDoubtsParameters
from graft.reporting.report import render_page
from graft.sources.label_review import read_label_review

CLASSES = ["dark", "light"]
PARAMETERS = LabelDoubtsParameters(
    folds=3,
    confidence=0.95,
    shown=2,
    review_file="data/01_raw/tiny/label_review.csv",
    seed=0,
)
VERDICT_COLUMNS = ["image_id", "image_sha256", "label", "action", "new_label"]
NO_VERDICTS = pd.DataFrame(columns=VERDICT_COLUMNS, dtype="str")


@pytest.fixture
def flipped(splits: pd.DataFrame) -> pd.DataFrame:
    """The splits with one picture of test and one of train under the wrong label."""
    rows = splits["image_id"].isin(["03.png", "14.png"])
    return splits.assign(
        label=splits["label"].where(~rows, splits["label"].map({"light": "dark", "dark": "light"})),
        label_index=splits["label_index"].where(~rows, 1 - splits["label_index"]),
    )


def predict(splits: pd.DataFrame, model: str = "frozen") -> pd.DataFrame:
    """What a champion says that knows the eighteen pictures: all light ones have even names."""
    held_out = splits[splits["split"] != "train"]
    light = np.where(held_out["image_id"].str[:2].astype(int) % 2 == 0, 0.95, 0.05)
    table = held_out[["image_id", "split", "label"]].assign(model=model)
    return table.assign(probability_dark=1 - light, probability_light=light)


def find(
    features: FeatureTable,
    splits: pd.DataFrame,
    reviews: pd.DataFrame = NO_VERDICTS,
    chosen: pd.DataFrame | None = None,
):
    chosen = predict(splits) if chosen is None else chosen
    return find_label_issues(features, chosen, splits, CLASSES, reviews, PARAMETERS)


def test_wrong_labels_of_any_split_lead_the_list_with_the_right_suggestion(
    features: FeatureTable, flipped: pd.DataFrame
) -> None:
    issues, counts = find(features, flipped)
    assert issues.columns.tolist() == COLUMNS
    assert issues["rank"].tolist() == [*range(1, 19)]
    assert {*issues["image_id"].head(2)} == {"03.png", "14.png"}
    first = issues.set_index("image_id").loc["03.png"]
    assert (first["label"], first["suggested_label"], first["new_label"]) == (
        "light",
        "dark",
        "dark",
    )
    assert first["probability_of_suggested"] > 0.5 > first["probability_of_label"]
    assert issues["action"].isna().all()
    assert issues["doubt"].is_monotonic_decreasing
    assert (counts["judged"], counts["unjudged"], counts["decided"]) == (18, 0, 0)
    # Eight and ten pictures are too few for a number.
    assert [part["action"] for part in counts["parts"]] == ["withheld", "withheld"]
    assert [part["pictures"] for part in counts["parts"]] == [8, 10]


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
    issues, counts = find(features, flipped, decided)
    assert counts["decided"] == 3
    assert issues["rank"].notna().sum() == 16
    assert {"03.png", "14.png"}.isdisjoint(issues.loc[issues["rank"].notna(), "image_id"])
    # The new list may be copied over the filled one: nothing that was decided is lost.
    issues.to_csv(tmp_path / "label_review.csv", index=False)
    again = read_label_review(tmp_path / "label_review.csv")
    assert again["image_id"].tolist() == decided["image_id"].tolist()
    assert again["action"].tolist() == ["keep", "drop", "relabel"]


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


def test_classes_that_nobody_has_learnt_make_an_empty_list(features: FeatureTable, splits) -> None:
    is_light = splits["split"] == "train"
    lonely = splits.assign(
        label=np.where(is_light, "light", "dark"),
        label_index=is_light.astype(np.int32),
        cluster=is_light.astype(int),
    )
    issues, counts = find(features, lonely)
    assert len(issues) == 0
    assert (counts["judged"], counts["unjudged"]) == (0, 18)
    assert [part["sentence"] for part in counts["parts"]] == ["", ""]
    assert "too few pictures" in render(describe(issues, counts, lonely))


class World:
    """Pictures with a known number of wrong labels, features good or bad, and a champion."""

    def __init__(self, tmp_path, features: float, champion: float, flips: float, model: str):
        """How far classes lie apart in the features; the champion's margin; share of flips."""
        count, classes = 1200, 4
        random = np.random.default_rng(3)
        truth = np.arange(count) % classes
        wrong = random.random(count) < flips
        labels = np.where(wrong, (truth + random.integers(1, classes, count)) % classes, truth)
        self.names = [f"class {number}" for number in range(classes)]
        self.splits = pd.DataFrame(
            {
                "image_id": [f"{number:04d}.png" for number in range(count)],
                "sha256": "0",
                "label": np.array(self.names)[labels],
                "label_index": labels.astype(np.int32),
                "cluster": np.arange(count),
                "split": np.array(["train", "train", "dev", "test"])[np.arange(count) // 4 % 4],
            }
        )
        vectors = random.normal(size=(count, 16)).astype(np.float32)
        vectors[np.arange(count), truth] += features
        keys = self.splits[["image_id"]].assign(image_sha256="0", view=np.int16(0))
        dataset = FeatureShardsDataset(filepath=str(tmp_path / f"world{features}{flips}"))
        dataset.save([FeatureBlock(keys, vectors)])
        self.features = dataset.load()
        evidence = random.normal(size=(count, classes))
        evidence[np.arange(count), truth] += champion
        powers = np.exp(champion * evidence)
        held_out = (self.splits["split"] != "train").to_numpy()
        given = (powers / powers.sum(axis=1, keepdims=True))[held_out]
        table = self.splits.loc[held_out, ["image_id", "split", "label"]].assign(model=model)
        self.chosen = table.assign(
            **{f"probability_{name}": given[:, place] for place, name in enumerate(self.names)}
        )
        self.wrong = {
            "held_out": int((wrong & held_out).sum()),
            "train": int((wrong & ~held_out).sum()),
        }

    def judge(self) -> tuple[pd.DataFrame, dict]:
        """The list and its parts by name."""
        issues, counts = find_label_issues(
            self.features, self.chosen, self.splits, self.names, NO_VERDICTS, PARAMETERS
        )
        return issues, {part["part"]: part for part in counts["parts"]}


KNOWS, GUESSES = 6.0, 0.3


@pytest.mark.parametrize(
    "flips", [0.0, pytest.param(0.02, marks=pytest.mark.slow), 0.1,
              pytest.param(0.25, marks=pytest.mark.slow)],
)  # fmt: skip
@pytest.mark.parametrize("champion", [KNOWS, 2.5, GUESSES])
@pytest.mark.parametrize("features", [KNOWS, 2.5, GUESSES])
def test_the_number_of_wrong_labels_is_near_the_truth_or_not_told(
    tmp_path, features, champion, flips
) -> None:
    """In `make test` of no wrong label and of a tenth, whoever is good at what."""
    world = World(tmp_path, features, champion, flips, "fine_tuned")
    for name, part in world.judge()[1].items():
        if part["action"] == "about":
            assert world.wrong[name] / 2 <= part["estimated"] <= 2 * world.wrong[name]
        elif part["action"] == "at_most":
            assert world.wrong[name] <= part["high"] <= 0.02 * part["pictures"]


@pytest.mark.parametrize("model", [*STAGES, "my_own"])
def test_where_champion_and_features_are_good_all_labels_are_judged(tmp_path, model) -> None:
    issues, parts = World(tmp_path, KNOWS, KNOWS, 0.1, model).judge()
    assert [part["action"] for part in parts.values()] == ["about", "about"]
    assert [part["judge"] for part in parts.values()] == [model, "features"]
    assert len(issues) == 1200


def test_bad_features_do_not_judge_beside_a_good_champion(tmp_path) -> None:
    issues, parts = World(tmp_path, GUESSES, KNOWS, 0.1, "fine_tuned").judge()
    assert parts["held_out"]["action"] == "about"
    assert parts["train"]["action"] == "withheld"
    assert parts["train"]["sentence"].startswith(
        "Labels of train cannot be judged: the fine-tuned classifier has learnt them, and a simple "
        "classifier on the frozen features is wrong on "
    )
    assert set(issues["split"]) == {"dev", "test"}


def test_a_champion_that_guesses_gives_a_list_and_no_number(tmp_path) -> None:
    issues, parts = World(tmp_path, GUESSES, GUESSES, 0.0, "frozen").judge()
    assert parts["held_out"]["estimated"] is None
    assert "cannot be judged" in parts["held_out"]["sentence"]
    assert "its own mistakes" in parts["held_out"]["sentence"]
    assert {"dev", "test"} <= set(issues["split"])


def test_the_terminal_says_what_can_be_judged_and_what_not(tmp_path, caplog) -> None:
    with caplog.at_level("INFO"):
        _, parts = World(tmp_path, GUESSES, KNOWS, 0.1, "fine_tuned").judge()
    lines = [record.getMessage() for record in caplog.records]
    told = " ".join(line[12:].strip() for line in lines if line.startswith(("Labels ", " " * 12)))
    for part in parts.values():
        assert part["sentence"] in told
    assert max(map(len, lines)) <= 80


def describe(issues: pd.DataFrame, counts: dict, splits: pd.DataFrame) -> dict:
    images = np.arange(len(splits) * 12, dtype=np.uint8).reshape(-1, 2, 2, 3)
    return describe_label_issues(issues, counts, images, splits, PARAMETERS)


def render(section: dict) -> str:
    content = SimpleNamespace(sections={"label_issues": section}, figures={})
    return render_page("label_issues.html", content=content)


def test_the_section_shows_the_first_doubts_and_says_what_to_do(
    features: FeatureTable, flipped: pd.DataFrame
) -> None:
    issues, counts = find(features, flipped)
    section = describe(issues, counts, flipped)
    assert [picture["image_id"] for picture in section["first"]] == issues["image_id"].tolist()[:2]
    page = render(section)
    assert page.startswith('<h2 id="label_issues">')
    assert page.count("data:image/png;base64,") == 2
    for part in counts["parts"]:
        assert part["sentence"] in page
    assert PARAMETERS.review_file in page


def test_names_from_the_data_are_escaped(features: FeatureTable, flipped: pd.DataFrame) -> None:
    issues, counts = find(features, flipped)
    section = describe(issues, counts, flipped)
    section["first"][0] |= {"label": "<b>bold</b>", "image_id": '"><script>'}
    page = render(section)
    assert "<b>bold" not in page
    assert "<script" not in page


def test_without_the_stage_the_partial_is_empty() -> None:
    content = SimpleNamespace(sections={}, figures={})
    assert not render_page("label_issues.html", content=content).strip()
