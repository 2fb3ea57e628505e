"""Names of classes and files that break other programs come through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

CLASSES = [
    "$5", "nan", "NA", "None", "accuracy", "macro avg", "=1+1", "it's", 'so "called"', "a, b",
    "x" * 90, "007", "1e3", "true", "-1", "%s", "{x}", "${x}", "日本 犬", "🐈", "ünï", "&amp; <b>",
]  # fmt: skip
FILES = ["a\nb.png", "'quoted'.png", "100 %.png", "-leading.png"]


def draw(path: Path, number: int) -> None:
    pixels = np.random.default_rng(number).integers(0, 256, (4, 4, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for number, name in enumerate(CLASSES):
        for part, file in enumerate(FILES):
            draw(tmp_path / "pictures" / name / file, 10 * number + part)
    return tmp_path / "pictures"


def read_names(project: Path) -> list[str]:
    return json.loads((project / "data/03_primary/own_pictures/class_names.json").read_text())


def test_odd_names_are_classes_like_others_and_files_too(
    pictures: Path, project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro(
        "--env=own_pictures", "--pipelines=ingestion,splitting", "--params", f"source={pictures}"
    )
    assert outcome.code == 0, outcome.err
    assert f"88 pictures in {len(CLASSES)} classes (4 each)" in outcome.out
    assert "Quarantined  none" in outcome.out
    assert read_names(project) == sorted(CLASSES)
    splits = pd.read_parquet(project / "data/03_primary/own_pictures/splits.parquet")
    assert {*splits["image_id"]} == {f"{name}/{file}" for name in CLASSES for file in FILES}


@pytest.mark.slow
def test_odd_names_come_through_a_whole_run(
    pictures: Path, project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro(
        "--env=own_pictures",
        "--params",
        f"source={pictures},backbone.name=small_cnn,weights=printed_letters,image_size=32,"
        "head_training.epochs=2,head_training.patience=2,fine_tuning.recipe=head,"
        "evaluation.bootstrap_draws=20",
    )
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    assert "Glyph" not in outcome.out
    table = pd.read_csv(
        project / "data/08_reporting/own_pictures/class_metrics.csv", keep_default_na=False
    )
    assert len({*table["class"]}) == len(CLASSES)
    report = (project / "data/08_reporting/own_pictures/report.html").read_text()
    assert "日本 犬" in report
    assert "<b>" not in report.partition("&amp;amp;")[2][:20]
