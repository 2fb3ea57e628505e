"""What is told of a run: gathered from its plan and its catalog, without MLflow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from graft import __version__
from graft.caching.manifest import find_commit
from graft.caching.runner import FreshCatalog
from graft.datasets.atomic import AtomicDataset

_MEASURED = ("metrics", "cross_validation")  # mappings whose numbers become metrics


@dataclass
class Record:
    """What is told of a run.

    Attributes:
        tags: Name to text.
        parameters: Name to value, of all stages before and in the selection.
        metrics: Name to figure, such as ``frozen/test/accuracy``.
        histories: Name to figures by epoch, such as ``head_history/loss``.
        files: Files and folders, each with the folder that it is told under.
    """

    tags: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    histories: dict[str, dict[int, float]] = field(default_factory=dict)
    files: list[tuple[Path, str]] = field(default_factory=list)


def describe_run(pipeline: Pipeline, catalog: DataCatalog) -> Record:
    """Gather what the outputs of a pipeline hold now, made in this run or before it."""
    record = Record(tags={"graft": __version__})
    commit = find_commit(Path(__file__).parent)
    if commit:
        record.tags |= {"mlflow.source.git.commit": commit["commit"], "dirty": str(commit["dirty"])}
    plan = catalog.plan if isinstance(catalog, FreshCatalog) else None
    if plan is not None:
        for verdict in plan.verdicts.values():
            record.parameters |= verdict.recipe["parameter"]
        record.tags["data"] = str(plan.find_content("raw_images"))
    for name in sorted(pipeline.all_outputs()):
        dataset = catalog.get(name)
        if isinstance(dataset, AtomicDataset) and dataset.filepath.exists():
            _add_output(record, name, dataset)
    return record


def _add_output(record: Record, name: str, dataset: AtomicDataset) -> None:
    layer = ((dataset.metadata or {}).get("kedro-viz") or {}).get("layer")
    if name in _MEASURED:
        record.metrics |= dict(_flatten(dataset.load(), "" if name == "metrics" else name))
        manifest = dataset.filepath.with_name("manifest.json")
        record.files += [(manifest, "reporting")] if manifest.exists() else []
    if name.endswith(("_history", ".history")):
        record.histories |= _read_history(name, dataset.load())
    if layer == "reporting" or name == "champion":
        is_folder = dataset.filepath.is_dir()
        record.files.append((dataset.filepath, name if is_folder else "reporting"))


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Numbers of nested mappings by path; what is called ``value`` by the path alone."""
    for name, value in values.items():
        path = "/".join(part for part in (prefix, "" if name == "value" else name) if part)
        if isinstance(value, Mapping):
            yield from _flatten(value, path)
        elif isinstance(value, (int, float)) and math.isfinite(value):
            yield path, float(value)


def _read_history(name: str, history: pd.DataFrame) -> dict[str, dict[int, float]]:
    epochs = history["epoch"].astype(int)
    return {
        f"{name}/{column}": dict(zip(epochs, history[column].astype(float), strict=True))
        for column in history.columns.drop("epoch")
    }
