"""Weights of pictures: from a column of the user's table to every training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

STAGES = "ingestion,splitting,decoding,feature_extraction,head_training,fine_tuning,from_scratch"
HISTORIES = ("frozen", "fine_tuned", "from_scratch")


def add_environment(project: Path, table: Path) -> None:
    folder = project / "conf/weighted"
    folder.mkdir()
    source = {
        "type": "graft.datasets.LabelTableDataset",
        "filepath": str(table),
        "file_column": "file",
        "label_column": "label",
        "weight_column": "trust",
        "metadata": {"kedro-viz": {"layer": "raw"}},
    }
    (folder / "catalog_ingestion.yml").write_text(yaml.safe_dump({"raw_images": source}))
    (folder / "globals.yml").write_text("dataset: weighted\n")
    brief = {"epochs": 1, "patience": 1}
    parameters = {
        "head_training": brief,
        "fine_tuning": {**brief, "recipe": "custom", "views": 1},
        "from_scratch": {**brief, "network": "gtsrb_simple"},
    }
    (folder / "parameters.yml").write_text(yaml.safe_dump(parameters))


@pytest.mark.slow
def test_a_column_of_the_table_weighs_the_pictures_of_every_training(
    project: Path, flowers: Path, run_kedro: Callable
) -> None:
    names = sorted(path.relative_to(flowers).as_posix() for path in flowers.glob("*/*"))
    labels = pd.DataFrame({"file": names, "label": [name.split("/")[0] for name in names]})
    table = flowers / "labels.csv"
    add_environment(project, table)
    weighed = ",".join(f"{stage}.sample_weights=weight" for stage in
                       ("head_training", "fine_tuning", "from_scratch"))  # fmt: skip

    def train(weights: object, *arguments: str) -> dict[str, bytes]:
        labels.assign(trust=weights).to_csv(table, index=False)
        outcome = run_kedro("--env=weighted", f"--pipelines={STAGES}", *arguments)
        assert outcome.code == 0, outcome.err
        folder = project / "data/06_models/weighted"
        return {name: (folder / f"{name}/history.csv").read_bytes() for name in HISTORIES}

    plain = train(1)
    assert train(1, "--params", weighed) == plain
    uneven = np.linspace(0, 2, len(names)).round(3)
    other = train(uneven, "--params", weighed)
    assert all(other[name] != plain[name] for name in HISTORIES)
    splits = pd.read_parquet(project / "data/03_primary/weighted/splits.parquet")
    assert splits.set_index("image_id")["weight"].to_dict() == dict(zip(names, uneven, strict=True))


def test_weights_that_no_source_gives_are_refused_in_one_line(
    flowers: Path, run_kedro: Callable
) -> None:
    parameters = f"source={flowers},backbone.name=small_cnn,weights=printed_letters,image_size=8"
    outcome = run_kedro(
        "--env=own_pictures",
        "--pipelines=ingestion,splitting,decoding,feature_extraction,head_training",
        "--params",
        f"{parameters},head_training.sample_weights=weight",
    )
    assert outcome.code == 1
    assert "head_training.sample_weights: the source gives no picture a value" in outcome.error
