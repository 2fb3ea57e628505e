"""Prediction as a person types it: a folder in, a table of answers out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from helpers.digits import write_digits

RUN = ("--pipelines=prediction", "--env=test")


def test_a_folder_is_predicted_and_a_layer_led_out(
    finished_project: Path, run_kedro: Callable, tmp_path: Path
) -> None:
    pictures = tmp_path / "new pictures"
    write_digits(pictures, range(1700, 1712))
    (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    outcome = run_kedro(*RUN, "--params", f"prediction.source={pictures}")
    assert outcome.code == 0, outcome.err
    assert "Predicted    13 pictures by the champion" in outcome.out
    output = finished_project / "data/07_model_output/test"
    listed = pd.read_csv(output / "predicted_pictures.csv", dtype={"class_1": "str"})
    table = pd.read_parquet(output / "predicted_pictures.parquet")
    assert listed["file"].tolist() == table["file"].tolist()
    (bad,) = listed.loc[listed["class_1"].isna(), "file"]
    assert bad == "broken.png"
    truth = load_digits().target[1700:1712].astype(str)
    good = listed[listed["class_1"].notna()]
    assert (good["class_1"].to_numpy() == truth).mean() > 0.7
    fresh = run_kedro(*RUN, "--params", f"prediction.source={pictures}")
    assert "nothing to do" in fresh.out

    asked = f"prediction.source={pictures},prediction.layer=features"
    outcome = run_kedro(*RUN, "--params", asked)
    assert outcome.code == 0, outcome.err
    assert np.load(output / "layer_features.npy", allow_pickle=False).shape == (12, 384)
    asked = f"prediction.source={pictures},prediction.layer=block9"
    outcome = run_kedro(*RUN, "--params", asked)
    assert "block1_conv1" in outcome.error
    assert outcome.error.endswith("got 'block9'")


@pytest.mark.parametrize("name", ["export", "champion"])
def test_a_pipeline_after_a_whole_run_finds_the_champion_fresh(
    name: str, finished_project: Path, run_kedro: Callable
) -> None:
    outcome = run_kedro("--env=test", f"--pipelines={name}", "--plan")
    assert outcome.code == 0, outcome.err
    assert "champion is stale" not in outcome.out + outcome.err
    assert "parameter" not in outcome.out


def test_without_pictures_or_champion_one_line_says_what_to_do(
    project: Path, run_kedro: Callable, tmp_path: Path
) -> None:
    write_digits(tmp_path / "some", range(2))
    outcome = run_kedro(*RUN, "--params", f"prediction.source={tmp_path / 'some'}")
    assert "there is no champion yet" in outcome.error
    outcome = run_kedro(*RUN, "--params", f"prediction.source={tmp_path / 'absent'}")
    assert outcome.code == 1
    assert "no folder or archive of pictures at" in outcome.error
