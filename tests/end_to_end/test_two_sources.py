"""Pictures of two sources: the figures that count come from the one that the model is meant for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import yaml


def add_environment(project: Path, pictures: Path) -> None:
    """An environment of its own: label and source stand in the file names."""
    folder = project / "conf/two_sources"
    folder.mkdir()
    source = {
        "type": "graft.datasets.LabelledFileNamesDataset",
        "filepath": str(pictures),
        "pattern": r"(?P<label>[a-z]+)_(?P<source>[a-z]+)_\d+\.png",
        "metadata": {"kedro-viz": {"layer": "raw"}},
    }
    (folder / "catalog_ingestion.yml").write_text(yaml.safe_dump({"raw_images": source}))
    (folder / "globals.yml").write_text("dataset: two_sources\n")
    (folder / "parameters_splitting.yml").write_text(
        "splitting: {target_source: phone, train_dev: 0.2}\n"
    )
    (folder / "parameters_head_training.yml").write_text(
        "head_training: {epochs: 3, patience: 2}\n"
    )
    (folder / "parameters_fine_tuning.yml").write_text(
        "fine_tuning: {recipe: custom, unfreeze: none}\n"
    )


def test_dev_and_test_are_of_the_target_source_and_train_dev_is_measured_too(
    project: Path, tmp_path: Path, write_picture: Callable, run_kedro: Callable
) -> None:
    pictures = tmp_path / "pictures"
    for number in range(30):
        for label, red in (("fern", 20), ("rose", 220)):
            for source, blue in (("phone", 0), ("web", 120)):
                colour = (red + number % 7, 40 + number, blue + number // 2)
                write_picture(pictures / f"{label}_{source}_{number}.png", colour, size=8)
    add_environment(project, pictures)
    outcome = run_kedro("--env=two_sources")
    assert outcome.code == 0, outcome.err
    assert "train 77 · train_dev 19 · dev 12 · test 12 (by class" in outcome.out
    splits = pd.read_parquet(project / "data/03_primary/two_sources/splits.parquet")
    held_out = splits[splits["split"].isin(["dev", "test"])]
    assert set(held_out["source"]) == {"phone"}
    assert set(splits.loc[splits["split"] == "train_dev", "source"]) == {"phone", "web"}
    report = project / "data/08_reporting/two_sources"
    models = json.loads((report / "metrics.json").read_text())
    (metrics,) = [figures for figures in models.values() if "test" in figures]
    assert {name: metrics[name]["n"] for name in metrics} == {
        name: int((splits["split"] == name).sum()) for name in ("train_dev", "dev", "test")
    }
    assert "train_dev (" in (report / "report.html").read_text()
