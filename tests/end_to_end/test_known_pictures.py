"""Whole runs one after another: what is done again, and what is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from graft.models import inference
from graft.pipelines.champion import nodes as champion
from graft.pipelines.champion import pipeline as champion_pipeline
from graft.pipelines.decoding import nodes as decoding
from graft.pipelines.ingestion import reading as facts

SMALL = (
    "backbone.name=small_cnn,weights=printed_letters,image_size=32,head_training.epochs=3,"
    "head_training.patience=3,fine_tuning.recipe=custom,fine_tuning.views=0,"
    "fine_tuning.epochs=2,fine_tuning.patience=2,"
    "evaluation.bootstrap_draws=50,explanation.gallery_size=4,explanation.close_hits=2,"
    "explanation.pairs=2,explanation.pair_examples=2,evaluation.random_split_draws=2,"
    "selection.checked_pictures=8"
)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Pictures that were decoded, and that passed frozen layers, the whole backbone or a part."""
    done = {"decoded": 0, "passed": 0}
    compile_forward = inference.compile_forward

    def count_items(map_isolated: Callable) -> Callable:
        def count(items: Any) -> Any:
            for item in items:
                done["decoded"] += 1
                yield item

        return lambda function, items, *rest, **named: map_isolated(
            function, count(items), *rest, **named
        )

    def count_rows(model: Any, batch_size: int) -> Callable:
        forward = compile_forward(model, batch_size)
        is_backbone = model.output_shape[-1] > 2  # a classifier and its tail give two numbers

        def run(batch: Any) -> Any:
            done["passed"] += len(batch) * is_backbone
            return forward(batch)

        return run

    monkeypatch.setattr(inference, "compile_forward", count_rows)
    for stage in (facts, decoding):
        monkeypatch.setattr(stage, "map_isolated", count_items(stage.map_isolated))
    return done


@pytest.fixture
def run_again(
    flowers: Path, run_kedro: Callable, work: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> Callable:
    """Runs the project on the flowers; what was done then, and the log.

    A champion that was trained anew looks at pictures of train and dev once more, to know what is
    like them; its own weights are new, so these passes are of no known work and are not counted.
    """
    measure = champion.measure_familiarity

    @wraps(measure)
    def measure_uncounted(*inputs: Any) -> Any:
        before = work["passed"]
        try:
            return measure(*inputs)
        finally:
            work["passed"] = before

    monkeypatch.setattr(champion_pipeline, "measure_familiarity", measure_uncounted)

    def run(parameters: str = SMALL) -> tuple[int, int, str]:
        work.update(decoded=0, passed=0)
        outcome = run_kedro("--env=own_pictures", "--params", f"source={flowers},{parameters}")
        assert outcome.code == 0, outcome.err
        return work["decoded"], work["passed"], outcome.out

    return run


@pytest.mark.slow
def test_of_a_new_picture_alone_there_is_work_and_of_one_that_is_gone_no_trace(
    run_again: Callable, flowers: Path, project: Path, write_picture: Callable
) -> None:
    decoded, passed, _ = run_again()
    assert decoded == 48  # to check it, and for the network
    # For features; train and dev up to the boundary; all that is measured up to there.
    assert passed == 24 + 19 + 24

    write_picture(flowers / "rose" / "private.png", (240, 20, 90))
    decoded, passed, log = run_again()
    assert decoded == 2
    assert passed in (2, 3)  # a picture of test is not trained on
    assert "Pictures     1 new, 0 removed, 24 as before; 1 decoded" in log
    metrics = json.loads((project / "data/08_reporting/own_pictures/metrics.json").read_text())
    splits = pd.read_parquet(project / "data/03_primary/own_pictures/splits.parquet")
    assert len(splits) == 25
    (test,) = [figures["test"] for figures in metrics.values() if "test" in figures]
    assert test["n"] == (splits["split"] == "test").sum()

    (flowers / "rose/private.png").unlink()
    assert run_again()[:2] == (0, 0)
    tables = [*project.glob("data/0*/own_pictures/**/*.parquet")]
    names = {path.name for path in tables}
    assert names >= {"checked_images.parquet", "splits.parquet", "predictions.parquet"}
    for path in tables:
        table = pd.read_parquet(path)
        # Nothing looks alike.
        assert len(table) >= 5 or path.name == "image_links.parquet"
        # What a champion has seen is known by its content alone.
        assert "image_id" in table or path.name == "champion_pictures.parquet"
        assert "rose/private.png" not in table.get("image_id", pd.Series()).tolist()
    for path in project.glob("data/**/*"):
        if path.is_file():
            assert b"private.png" not in path.read_bytes(), path


@pytest.mark.slow
def test_renaming_and_relabelling_cost_no_decode_and_no_forward_pass(
    run_again: Callable, flowers: Path
) -> None:
    run_again()
    (flowers / "rose/3.png").rename(flowers / "rose/other.png")
    (flowers / "rose/4.png").rename(flowers / "fern/was a rose.png")
    decoded, passed, log = run_again()
    assert (decoded, passed) == (0, 0)
    assert "Pictures     0 new, 0 removed, 2 renamed, 22 as before; 0 decoded" in log


@pytest.mark.slow
def test_a_parameter_of_the_head_costs_no_decode_and_no_forward_pass(run_again: Callable) -> None:
    run_again()
    assert run_again(SMALL.replace("head_training.epochs=3", "head_training.epochs=4"))[:2] == (
        0,
        0,
    )
