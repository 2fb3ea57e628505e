"""Public sets as people have them: divided, and typed as a new user types it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

SMALL = (
    "backbone.name=small_cnn,weights=printed_letters,image_size=32,head_training.epochs=3,"
    "head_training.patience=3,evaluation.bootstrap_draws=50,fine_tuning.recipe=custom,"
    "fine_tuning.unfreeze=none"
)
# Two classes of Caltech 101 stand for the ants and bees of the well-known tutorial.
STANDS_FOR = {"ants": "butterfly", "bees": "dolphin"}


def copy_classes(shared: Path, folder: Path, train: int = 36, val: int = 12) -> Path:
    """``train/ants``, ``val/ants``, …: the first pictures for train, the next for val."""
    for name, stands_for in STANDS_FOR.items():
        pictures = sorted((shared / "data/caltech101/101_ObjectCategories" / stands_for).iterdir())
        for split, part in (("train", pictures[:train]), ("val", pictures[train : train + val])):
            (folder / split / name).mkdir(parents=True)
            for picture in part:
                shutil.copy(picture, folder / split / name)
    return folder


@pytest.fixture
def ants_and_bees(shared: Path, tmp_path: Path) -> Path:
    return copy_classes(shared, tmp_path / "hymenoptera_data")


def read_splits(project: Path, dataset: str = "own_pictures") -> pd.DataFrame:
    table = pd.read_parquet(project / f"data/03_primary/{dataset}/splits.parquet")
    return table.set_index("image_id")


@pytest.mark.shared
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_ants_and_bees_need_nothing_but_their_source(
    ants_and_bees: Path, packed: bool, project: Path, run_kedro: Callable
) -> None:
    source = ants_and_bees
    if packed:
        parent, name = ants_and_bees.parent, ants_and_bees.name
        source = Path(shutil.make_archive(str(parent / "packed"), "zip", parent, name))
    outcome = run_kedro(
        "--env=own_pictures", "--pipelines=ingestion,splitting", "--params", f"source={source}"
    )
    assert outcome.code == 0, outcome.err
    assert "pictures in 2 classes" in outcome.out
    assert "Given        train 72, dev 24 (val); test dealt from train by cluster" in outcome.out
    splits = read_splits(project)
    prefix = "hymenoptera_data/" if packed else ""
    is_val = splits.index.str.startswith(f"{prefix}val/")
    assert {*splits.loc[is_val, "split"]} == {"dev"}
    assert {*splits.loc[~is_val, "split"]} == {"train", "test"}
    assert {*splits["label"]} == {"ants", "bees"}


@pytest.mark.shared
def test_a_leak_planted_across_given_splits_is_found_and_reported(
    ants_and_bees: Path, project: Path, run_kedro: Callable
) -> None:
    leaking = sorted((ants_and_bees / "val/bees").iterdir())[:2]
    for picture in leaking:
        shutil.copy(picture, ants_and_bees / "train/bees" / f"again_{picture.name}")
    outcome = run_kedro("--env=own_pictures", "--params", f"source={ants_and_bees},{SMALL}")
    assert outcome.code == 0, outcome.err
    assert "Leaks        2 pictures belong together with ones of another given split" in outcome.out
    assert "dropped from train" in outcome.out
    splits = read_splits(project)
    assert not splits.index.str.contains("again_").any()
    check = json.loads((project / "data/03_primary/own_pictures/split_check.json").read_text())
    assert {leak["image_id"] for leak in check["given"]["leaking"]} == {
        f"train/bees/again_{picture.name}" for picture in leaking
    }
    report = (project / "data/08_reporting/own_pictures/report.html").read_text()
    assert "The pictures came divided, and that was kept: 74 of train, 24 of dev (val)" in report
    assert "2 pictures of train or dev were copies, look-alikes or of a group" in report
    assert "all figures here are without them" in report


@pytest.mark.slow
@pytest.mark.shared
def test_leaks_that_are_kept_are_counted_beside_the_figure_without_them(
    shared: Path, tmp_path: Path, project: Path, run_kedro: Callable
) -> None:
    folder = copy_classes(shared, tmp_path / "set", train=30, val=12)
    (folder / "val").rename(folder / "test")
    picture = sorted((folder / "test/ants").iterdir())[0]
    shutil.copy(picture, folder / "train/ants/again.jpg")
    outcome = run_kedro(
        "--env=own_pictures",
        "--params",
        f"source={folder},{SMALL},splitting.given_leaks=keep",
    )
    assert outcome.code == 0, outcome.err
    report = (project / "data/08_reporting/own_pictures/report.html").read_text()
    assert "They were kept, so the figures of dev and test may flatter." in report
    assert "On the 23 pictures of test that none of them belongs to, accuracy is" in report


@pytest.fixture
def official(shared: Path, tmp_path: Path) -> Path:
    """Two classes laid out as GTSRB is published: the last track of each is the official test."""
    training = shared / "data/gtsrb/Final_Training/Images"
    folder = tmp_path / "GTSRB"
    (folder / "Final_Test/Images").mkdir(parents=True)
    rows = []
    for name in ("00000", "00014"):
        copied = folder / "Final_Training/Images" / name
        shutil.copytree(training / name, copied)
        table = pd.read_csv(copied / f"GT-{name}.csv", sep=";")
        is_last = table["Filename"].str[:5] == table["Filename"].str[:5].max()
        for row in table[is_last].to_dict("records"):
            number = f"{len(rows):05d}.ppm"
            shutil.move(copied / row["Filename"], folder / "Final_Test/Images" / number)
            rows.append({**row, "Filename": number})
        table[~is_last].to_csv(copied / f"GT-{name}.csv", sep=";", index=False)
    pd.DataFrame(rows).to_csv(folder / "GT-final_test.csv", sep=";", index=False)
    return folder


@pytest.mark.shared
def test_the_official_traffic_signs_stand_beside_their_training_folders(
    official: Path, project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro(
        "--env=gtsrb_official", "--pipelines=ingestion,splitting",
        "--params", f"source={official},splitting.given_leaks=keep",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    splits = read_splits(project, "gtsrb_official")
    is_test = splits.index.str.startswith("test/")
    assert is_test.sum() == len(list((official / "Final_Test/Images").iterdir()))
    assert {*splits.loc[is_test, "split"]} == {"test"}
    assert {*splits.loc[~is_test, "split"]} == {"train", "dev"}
    assert splits.loc[~is_test].groupby("group")["split"].nunique().max() == 1
    assert splits.loc[is_test, "group"].isna().all()
    assert "; dev dealt from train by cluster" in outcome.out


@pytest.mark.slow
@pytest.mark.shared
def test_the_official_protocol_reaches_its_report(
    official: Path, project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro(
        "--env=gtsrb_official", "--params",
        f"source={official},splitting.given_leaks=keep,{SMALL}",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    metrics = json.loads((project / "data/08_reporting/gtsrb_official/metrics.json").read_text())
    official_test = len(list((official / "Final_Test/Images").iterdir()))
    assert {found["test"]["n"] for found in metrics.values() if "test" in found} == {official_test}
    report = (project / "data/08_reporting/gtsrb_official/report.html").read_text()
    assert "The pictures came divided, and that was kept" in report
