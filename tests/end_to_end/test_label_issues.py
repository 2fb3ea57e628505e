"""From wrong labels to right ones: the list, a person's reviews, the next run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

# What it takes to say which labels look wrong, of the head alone.
TO_THE_LIST = (
    "--pipelines=ingestion,splitting,decoding,feature_extraction,head_training,selection,"
    "label_issues"
)
HEAD_ALONE = "fine_tuning.recipe=custom,fine_tuning.unfreeze=none"


def read_list(project: Path, dataset: str) -> pd.DataFrame:
    path = project / f"data/08_reporting/{dataset}/label_issues.csv"
    return pd.read_csv(path, dtype={"label": "str", "new_label": "str", "action": "str"})


def give_reviews(project: Path, dataset: str, filled: pd.DataFrame) -> None:
    folder = project / "data/01_raw" / dataset
    folder.mkdir(parents=True, exist_ok=True)
    filled.to_csv(folder / "label_review.csv", index=False)


def read_labels(project: Path, dataset: str) -> pd.Series:
    splits = pd.read_parquet(project / f"data/03_primary/{dataset}/splits.parquet")
    return splits.set_index("image_id")["label"]


def test_the_next_run_follows_the_verdicts_and_no_run_after_it_forgets_them(
    run_kedro: Callable, finished_project: Path
) -> None:
    project, arguments = finished_project, ("--env=test", TO_THE_LIST, "--params", HEAD_ALONE)
    assert run_kedro(*arguments).code == 0
    filled = read_list(project, "test")
    filled.loc[:2, "action"] = ["relabel", "drop", "keep"]
    give_reviews(project, "test", filled)
    plan = run_kedro(*arguments, "--plan").out
    assert "ingestion           stale  label_review changed" in plan

    outcome = run_kedro(*arguments)
    assert "Reviews      1 kept, 1 relabelled, 1 dropped" in outcome.out
    labels = read_labels(project, "test")
    assert labels[filled.loc[0, "image_id"]] == filled.loc[0, "new_label"]
    assert filled.loc[1, "image_id"] not in labels
    quarantined = pd.read_csv(project / "data/02_intermediate/test/quarantined_images.csv")
    assert quarantined["image_id"].tolist() == [filled.loc[1, "image_id"]]
    now = read_list(project, "test")
    open_ = now[now["rank"].notna()]
    assert set(filled["image_id"][:3]).isdisjoint(open_["image_id"])

    give_reviews(project, "test", now)  # the next list over the filled one
    run_kedro(*arguments)
    assert read_labels(project, "test").equals(labels)
    assert "nothing to do" in run_kedro(*arguments).out


def test_a_mistake_in_the_verdicts_is_one_line_with_file_and_row(
    run_kedro: Callable, project: Path
) -> None:
    give_reviews(
        project,
        "test",
        pd.DataFrame(
            {"image_id": ["0"], "image_sha256": ["0"], "action": ["?"], "new_label": [""]}
        ),
    )
    outcome = run_kedro("--env=test", "--pipelines=ingestion")
    assert outcome.code == 1
    assert (
        "row 2 of 'label_review.csv': an action is keep, relabel, new_class, drop" in outcome.error
    )


def test_verdicts_among_the_pictures_are_no_picture(
    run_kedro: Callable, project: Path, flowers: Path
) -> None:
    arguments = ("--env=own_pictures", "--pipelines=ingestion", "--params", f"source={flowers}")
    run_kedro(*arguments)
    (flowers / "label_review.csv").write_text("image_id,image_sha256,action,new_label\n")
    assert "nothing to do" in run_kedro(*arguments).out


@pytest.mark.slow
@pytest.mark.shared
def test_flipped_labels_of_real_pictures_are_found_and_mended(
    run_kedro: Callable, project: Path, shared: Path, tmp_path: Path
) -> None:
    """What is found among real pictures.

    `make test` asks it of made ones (tests/pipelines/label_issues, tests/analysis), and the way
    from a list to the next run above.
    """
    truth, flips = copy_with_flips(shared / "data/cats_vs_dogs", tmp_path / "pictures", 400)
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    parameters = f"source={tmp_path / 'pictures'},weights={weights},image_size=96,{HEAD_ALONE}"
    arguments = ("--env=cats_vs_dogs", "--params", parameters)
    outcome = run_kedro(TO_THE_LIST, *arguments)
    assert outcome.code == 0, outcome.err
    issues = read_list(project, "cats_vs_dogs")
    first = issues.head(round(0.15 * len(issues)))
    found = first["image_id"].isin(flips)
    assert found.sum() >= 0.8 * len(flips)
    counts = project / "data/08_reporting/cats_vs_dogs/label_issues_counts.json"
    for part in json.loads(counts.read_text())["parts"]:
        if part["action"] == "about":
            of = issues[(issues["split"] == "train") == (part["part"] == "train")]
            assert 0.5 <= part["estimated"] / of["image_id"].isin(flips).sum() <= 2
        assert part["action"] != "at_most"

    issues.loc[first.index[found], "action"] = "relabel"
    give_reviews(project, "cats_vs_dogs", issues)
    assert run_kedro("--pipelines=ingestion,splitting", *arguments).code == 0
    labels = read_labels(project, "cats_vs_dogs")
    mended = first.loc[found, "image_id"]
    assert labels[mended].tolist() == [truth[name] for name in mended]
    untouched = [name for name in labels.index if name not in flips]
    assert labels[untouched].tolist() == [truth[name] for name in untouched]


def copy_with_flips(source: Path, target: Path, count: int) -> tuple[dict[str, str], set[str]]:
    """Pictures, a tenth of them under a name of the other class; true labels, wrong names."""
    target.mkdir()
    names = [f"{label}.{number}.jpg" for number in range(count // 2) for label in ("cat", "dog")]
    names = [name for name in names if (source / name).exists()]
    wrong = set(np.random.default_rng(0).choice(names, len(names) // 10, replace=False).tolist())
    truth, flips = {}, set()
    for name in names:
        label, number, suffix = name.split(".")
        other = {"cat": "dog", "dog": "cat"}[label]
        new = f"{other}.{number}000.{suffix}" if name in wrong else name
        os.link(source / name, target / new)
        truth[new] = label
        flips |= {new} if name in wrong else set()
    return truth, flips
