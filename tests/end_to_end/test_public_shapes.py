"""A public set of each shape runs to its report, as a new user types it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.shared]

SMALL = (
    "backbone.name=small_cnn,weights=printed_letters,image_size=32,head_training.epochs=3,"
    "head_training.patience=3,evaluation.bootstrap_draws=50,fine_tuning.recipe=head"
)
COUNT = 24
# Beside `raw_images` of a table nothing has to be said: docs/pictures.md.
ENTRY = """
raw_images:
  type: graft.datasets.LabelTableDataset
  filepath: ${runtime_params:source, ${globals:source}}
  file_column: path
  label_column: class
"""


def copy_pictures(shared: Path, place: Callable[[str, str, str], Path]) -> None:
    """Copy some butterflies and dolphins to where ``place(split, label, name)`` says."""
    for label in ("butterfly", "dolphin"):
        pictures = sorted((shared / "data/caltech101/101_ObjectCategories" / label).iterdir())
        for number, picture in enumerate(pictures[: 2 * COUNT]):
            split = "train" if number % 4 else "val"
            target = place(split, label, picture.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(picture, target)


def make_folders_with_splits(shared: Path, folder: Path) -> None:
    copy_pictures(shared, lambda split, label, name: folder / split / label / name)


def make_table_of_paths_and_splits(shared: Path, folder: Path) -> None:
    make_folders_with_splits(shared, folder / "pictures")
    rows = [
        f"{path.relative_to(folder).as_posix()},{path.parent.name},{path.parts[-3]}"
        for path in sorted(folder.rglob("*.jpg"))
    ]
    (folder / "labels.csv").write_text("\n".join(["path,class,split", *rows]))


def make_flat_folder_with_table(shared: Path, folder: Path) -> None:
    copy_pictures(shared, lambda _, label, name: folder / f"{label}_{name}")
    rows = [f"{path.name},{path.name.partition('_')[0]}" for path in sorted(folder.glob("*.jpg"))]
    (folder / "labels.csv").write_text("\n".join(["path,class", *rows]))


SHAPES = {
    "folders with splits": (make_folders_with_splits, ""),
    "table of paths and splits": (make_table_of_paths_and_splits, "  split_column: split\n"),
    "flat folder with a table": (make_flat_folder_with_table, ""),
}


@pytest.mark.parametrize("packed", ["", "zip", "gztar"], ids=["folder", "zip", "tar.gz"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_public_set_reaches_its_report(
    shape: str, packed: str, shared: Path, tmp_path: Path, project: Path, run_kedro: Callable
) -> None:
    make, columns = SHAPES[shape]
    source = tmp_path / "animals"
    source.mkdir()
    make(shared, source)
    if packed:
        source = Path(shutil.make_archive(str(tmp_path / "packed"), packed, source))
    environment = "own_pictures"
    if make is not make_folders_with_splits:
        environment = "mine"
        (project / "conf/mine").mkdir()
        (project / "conf/mine/globals.yml").write_text("dataset: mine\nsource: data/01_raw\n")
        (project / "conf/mine/catalog.yml").write_text(ENTRY + columns)
    outcome = run_kedro(f"--env={environment}", "--params", f"source={source},{SMALL}")
    assert outcome.code == 0, outcome.err
    assert f"{4 * COUNT} pictures in 2 classes" in outcome.out
    given = f"Given        train {3 * COUNT}, dev {COUNT} (val)"
    assert (given in outcome.out) == (make is not make_flat_folder_with_table)
    assert (project / f"data/08_reporting/{environment}/report.html").exists()
