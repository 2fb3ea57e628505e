"""What a user may do wrong: each mistake gives one line that says how to go on."""

from __future__ import annotations

import csv
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

UP_TO_SPLITS = ("--env=own_pictures", "--pipelines=ingestion,splitting", "--params")


def _make(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    folder.mkdir(exist_ok=True)
    return folder


def test_an_empty_folder(tmp_path: Path, run_kedro: Callable) -> None:
    outcome = run_kedro(*UP_TO_SPLITS, f"source={_make(tmp_path / 'empty', {})}")
    assert outcome.code == 1
    assert "holds no files; put pictures there" in outcome.error


def test_a_folder_that_does_not_exist(run_kedro: Callable) -> None:
    assert "/nowhere'; give one that exists" in run_kedro(*UP_TO_SPLITS, "source=nowhere").error


def test_a_folder_of_no_pictures(tmp_path: Path, run_kedro: Callable) -> None:
    folder = _make(tmp_path / "texts", {"a/one.txt": "one", "b/two.jpg": "two"})
    error = run_kedro(*UP_TO_SPLITS, f"source={folder}").error
    assert "none of the 2 files is a picture that can be used" in error
    assert "'a/one.txt' (not a picture" in error


def test_one_class_only(tmp_path: Path, write_picture: Callable, run_kedro: Callable) -> None:
    for number in range(5):
        write_picture(tmp_path / "one/rose" / f"{number}.png", (number, 0, 0))
    error = run_kedro(*UP_TO_SPLITS, f"source={tmp_path / 'one'}").error
    assert "at least 2 classes" in error
    assert error.endswith("got ['rose']")


def test_a_class_with_fewer_pictures_than_splits(
    flowers: Path, write_picture: Callable, run_kedro: Callable
) -> None:
    write_picture(flowers / "tulip/0.png", (1, 2, 3))
    write_picture(flowers / "tulip/1.png", (3, 2, 1))
    error = run_kedro(*UP_TO_SPLITS, f"source={flowers}").error
    assert "class 'tulip' is too small to split" in error
    assert "every class needs 3" in error


def test_names_with_carriage_returns_and_names_like_formulas(
    flowers: Path, write_picture: Callable, project: Path, run_kedro: Callable
) -> None:
    (flowers / "rose/Icon\r").touch()  # a Mac sets it into folders that have an icon
    (flowers / "fern/=HYPERLINK(A1).txt").touch()
    write_picture(flowers / "fern/x\ry.png", (9, 99, 9))
    (flowers / "fern/0.jpg").rename(flowers / "@fern.jpg")
    assert run_kedro(*UP_TO_SPLITS, f"source={flowers}").code == 0
    written = project / "data/02_intermediate/own_pictures"
    with (written / "quarantined_images.csv").open(newline="") as file:
        rows = list(csv.reader(file, strict=True))
    assert [row[0] for row in rows] == ["image_id", "fern/=HYPERLINK(A1).txt", "rose/Icon\r"]
    assert (written / "unlabelled_images.csv").read_text() == '"image_id"\n"\'@fern.jpg"\n'
    index = pd.read_parquet(written / "image_index.parquet").set_index("image_id")
    assert index.loc["fern/x\ry.png", "status"] == "ok"


def test_pictures_in_no_folder(
    tmp_path: Path, write_picture: Callable, run_kedro: Callable
) -> None:
    write_picture(tmp_path / "loose/0.png", (1, 2, 3))
    error = run_kedro(*UP_TO_SPLITS, f"source={tmp_path / 'loose'}").error
    assert error.endswith("got no labels at all")


def test_a_corrupt_archive(tmp_path: Path, run_kedro: Callable) -> None:
    (tmp_path / "pictures.zip").write_bytes(b"PK\x03\x04 and then nothing")
    assert (
        "is not a whole archive"
        in run_kedro(*UP_TO_SPLITS, f"source={tmp_path / 'pictures.zip'}").error
    )


@pytest.mark.parametrize("name", ["../rose/evil.png", "/rose/evil.png"])
def test_a_name_that_leaves_the_archive_is_quarantined(
    name: str, tmp_path: Path, flowers: Path, project: Path, run_kedro: Callable
) -> None:
    archive = tmp_path / "flowers.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(flowers, arcname=".")
        data = (flowers / "rose/0.png").read_bytes()
        member = tarfile.TarInfo(name)
        member.size = len(data)
        tar.addfile(member, io.BytesIO(data))
    outcome = run_kedro(*UP_TO_SPLITS, f"source={archive}")
    assert outcome.code == 0, outcome.err
    table = project / "data/02_intermediate/own_pictures/quarantined_images.csv"
    with table.open(newline="") as file:
        assert list(csv.reader(file))[1:] == [
            [name, "its name leaves the archive ('..' or an absolute path)"]
        ]


def test_an_archive_is_read_in_place(tmp_path: Path, flowers: Path, run_kedro: Callable) -> None:
    with zipfile.ZipFile(tmp_path / "flowers.zip", "w") as archive:
        for path in flowers.rglob("*.*"):
            archive.write(path, path.relative_to(tmp_path))
    before = sorted(tmp_path.iterdir())
    outcome = run_kedro(*UP_TO_SPLITS, f"source={tmp_path / 'flowers.zip'}")
    assert "Found        24 pictures in 2 classes (12 each)" in outcome.out
    assert sorted(tmp_path.iterdir()) == before


def test_names_that_are_not_ascii(
    tmp_path: Path, flowers: Path, project: Path, run_kedro: Callable
) -> None:
    (flowers / "rose").rename(flowers / "Röschen 日本")
    assert run_kedro(*UP_TO_SPLITS, f"source={flowers}").code == 0
    names = (project / "data/03_primary/own_pictures/class_names.json").read_text()
    assert "Röschen 日本" in names


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("wieghts=random", "did you mean 'weights'?"),
        ("head_training.epoch=3", "head_training: unknown name; did you mean 'epochs'?"),
        ("head_training.dropout=1.5", "head_training: dropout: Input should be less than 1"),
        ("head_training.class_weights=all", "'none', 'balanced' or 'sqrt'; got 'all'"),
        ("head_training.learning_rate=0", "learning_rate: Input should be greater than 0; got 0"),
        ("head_training.epochs=0", "epochs: Input should be greater than 0; got 0"),
        ("splitting.train=0.9", "must sum to 1"),
        ("image_size=0", "image_size: Input should be greater than 0; got 0"),
        ("source=flowers", "'source' has no meaning in this environment"),
        ("backbone.name=MobilNetV2", "did you mean MobileNetV2"),
        ("weights=imagenet", "there are no ImageNet weights of small_cnn"),
        ("weights=nowhere.h5", "an existing weights file; got 'nowhere.h5'"),
        ("image_size=4", "at least 8"),
        ("decoding.image_size=16", "backbone.image_size and decoding.image_size are one value"),
        ("ingestion.max_pixels=99", "are one value; give it once, with --params max_pixels=…"),
    ],
)
def test_a_wrong_parameter_fails_before_any_picture_is_read(
    parameters: str, message: str, project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro("--params", parameters)
    assert outcome.code == 1
    assert message in outcome.error
    assert "Found" not in outcome.out
    # Only the lock, and hashes of files that were looked at.
    assert not list((project / "data").glob("*/*/[!.]*"))


def test_an_environment_or_a_pipeline_that_does_not_exist(run_kedro: Callable) -> None:
    assert "--env takes base, caltech101, cats_vs_dogs" in run_kedro("--env=cats").error
    error = run_kedro("--pipelines=no_stage").error
    assert "--pipelines takes " in error
    assert "champion, compare_runs" in error


@pytest.mark.shared
def test_weights_of_another_network(shared: Path, run_kedro: Callable) -> None:
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    error = run_kedro("--params", f"backbone.name=ResNet50,image_size=32,weights={weights}").error
    assert "these are not the weights of ResNet50" in error


def test_an_output_that_was_cut_short_is_never_read(
    flowers: Path, project: Path, run_kedro: Callable
) -> None:
    assert run_kedro(*UP_TO_SPLITS, f"source={flowers}").code == 0
    index = project / "data/02_intermediate/own_pictures/image_index.parquet"
    index.write_bytes(index.read_bytes()[:-100])
    error = run_kedro("--env=own_pictures", "--pipelines=splitting").error
    assert "image_index.parquet was cut short or altered" in error
