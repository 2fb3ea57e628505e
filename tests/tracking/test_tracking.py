"""Tracking: on request, of what there is, in a store beside the project; nothing without MLflow."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from kedro.pipeline import Node, Pipeline

from graft import cli, settings
from graft.caching import FreshCatalog
from graft.errors import GraftError
from graft.tracking.records import Record, describe_run, log_record, open_store

needs_mlflow = pytest.mark.skipif(
    not find_spec("mlflow"), reason="MLflow is not installed (extra: mlflow)"
)
METRICS = {"frozen": {"test": {"n": 4, "accuracy": {"value": 0.75, "low": 0.5, "high": 1.0}}}}


@pytest.fixture
def catalog(tmp_path: Path) -> FreshCatalog:
    """Outputs of every kind that is told of, and one that is not."""

    def entry(name: str, layer: str, type_: str) -> dict:
        return {
            "type": "graft.datasets.AtomicDataset",
            "filepath": str(tmp_path / "data" / name),
            "dataset": type_,
            "metadata": {"kedro-viz": {"layer": layer}},
        }

    made = FreshCatalog.from_config(
        {
            "metrics": entry("metrics.json", "reporting", "json.JSONDataset"),
            "head_history": entry("head_history.csv", "models", "pandas.CSVDataset"),
            "report": entry("report.html", "reporting", "graft.datasets.HTMLDataset"),
            "champion": entry("champion", "models", "graft.datasets.FigureFolderDataset"),
            "splits": entry("splits.parquet", "primary", "pandas.ParquetDataset"),
            "wrong_pictures": entry("wrong.html", "reporting", "graft.datasets.HTMLDataset"),
        }
    )
    history = pd.DataFrame({"epoch": [1, 2], "loss": [0.5, 0.25]})
    made.save("metrics", METRICS)
    made["head_history"].save(history)
    made.save("report", "<p>report</p>")
    made.save("champion", {"model.png": b"model", "card.png": b"card"})
    made.save("splits", history)
    (tmp_path / "data/manifest.json").write_text("{}")
    return made


@pytest.fixture
def pipeline() -> Pipeline:
    names = ["metrics", "head_history", "report", "champion", "splits", "wrong_pictures"]
    return Pipeline([Node(lambda: None, None, names, name="make")])


def test_numbers_epochs_reports_and_the_champion_are_told(catalog, pipeline) -> None:
    record = describe_run(pipeline, catalog)
    assert record.metrics == {
        "frozen/test/n": 4,
        "frozen/test/accuracy": 0.75,
        "frozen/test/accuracy/low": 0.5,
        "frozen/test/accuracy/high": 1.0,
    }
    assert record.histories["head_history/loss"] == {1: 0.5, 2: 0.25}
    # An output that was never made, and pictures and splits, are left out.
    assert sorted((path.name, folder) for path, folder in record.files) == [
        ("champion", "champion"),
        ("manifest.json", "reporting"),
        ("metrics.json", "reporting"),
        ("report.html", "reporting"),
    ]


def test_without_mlflow_there_is_no_hook_and_the_flag_is_refused_in_one_line(monkeypatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("importlib.util.find_spec", lambda name: None)
        without = [type(hook).__name__ for hook in importlib.reload(settings).HOOKS]
    everything = [type(hook).__name__ for hook in importlib.reload(settings).HOOKS]
    assert "TrackingHook" not in without
    assert everything in (without, ["TrackingHook", *without])
    monkeypatch.setattr(cli, "find_spec", lambda name: None)
    with pytest.raises(GraftError, match=r"pip install .*'.\[mlflow\]'.*got no module 'mlflow'$"):
        cli.run_what_is_stale(force=False, plan=False, wait=False, track=True)


@needs_mlflow
def test_a_record_comes_back_from_the_store(tmp_path: Path, catalog, pipeline, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    record = describe_run(pipeline, catalog)
    record.parameters = {f"stage.{number}": number for number in range(150)} | {"long": "x" * 9000}
    client, experiment = open_store(tmp_path, "digits")
    run = client.get_run(log_record(client, experiment, "__default__", 1000, record))
    assert run.info.status == "FINISHED"
    assert run.info.start_time == 1000
    assert len(run.data.params) == 151
    assert run.data.metrics["frozen/test/accuracy"] == 0.75
    losses = client.get_metric_history(run.info.run_id, "head_history/loss")
    assert [(point.step, point.value) for point in losses] == [(1, 0.5), (2, 0.25)]
    stored = tmp_path / "mlruns/digits" / run.info.run_id / "artifacts"
    assert json.loads((stored / "reporting/metrics.json").read_text()) == METRICS
    assert (stored / "champion/model.png").read_bytes() == b"model"
    assert open_store(tmp_path, "digits")[1] == experiment


@needs_mlflow
def test_a_store_that_cannot_be_used_is_told_in_one_line(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://store")
    with pytest.raises(
        GraftError, match=r"^the store 'nonsense:.*mend MLFLOW_TRACKING_URI, or run "
    ):
        open_store(tmp_path, "digits")


@needs_mlflow
def test_a_file_that_cannot_be_sent_marks_the_run_as_failed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    client, experiment = open_store(tmp_path, "digits")
    with pytest.raises(GraftError, match=r"its results are safe, but MLflow did not take"):
        log_record(client, experiment, "x", 0, Record(files=[(tmp_path / "gone", "reporting")]))
    assert [run.info.status for run in client.search_runs([experiment])] == ["FAILED"]


@needs_mlflow
def test_the_flag_records_a_run_and_its_parameters_and_a_plan_leaves_nothing(
    run_kedro: Callable, project: Path, monkeypatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    arguments = ("--env=test", "--pipelines=ingestion,splitting", "--track")
    plan = run_kedro(*arguments, "--plan")
    assert plan.code == 0, plan.err
    assert not (project / "mlflow.db").exists()
    outcome = run_kedro(*arguments)
    assert outcome.code == 0, outcome.err
    assert "Tracked      in MLflow" in outcome.out
    client, experiment = open_store(project, "test")
    (run,) = client.search_runs([experiment])
    assert run.info.run_name == "ingestion,splitting"
    assert run.data.params["splitting.train"] == "0.6"
    assert run.data.tags["env"] == "test"
    assert len(run.data.tags["data"]) == 64
