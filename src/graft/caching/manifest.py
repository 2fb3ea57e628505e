"""The manifest: one JSON file that says what a run was made of and what came of it."""

from __future__ import annotations

import platform
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from graft import __version__
from graft.caching.plan import Plan, name_stage
from graft.caching.runner import FreshCatalog, is_plan_only
from graft.datasets.atomic import AtomicDataset

_WEIGHTS = {"backbone", "head", "champion"}
# What is told in whole, of the outputs of a run that are there.
_TOLD = ("metrics", "warm_start_outcome")


class ManifestHook:
    """Writes ``manifest.json`` beside the metrics after every run that made something.

    Its times are the only thing that differs between two runs of the same commit, pictures and
    parameters on one machine: every other output is the same to the byte.
    """

    def __init__(self) -> None:
        self._started: dict[str, float] = {}
        self._seconds: dict[str, float] = {}

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Start the clock of a node."""
        self._started[node.name] = time.perf_counter()

    @hook_impl
    def after_node_run(self, node: Node) -> None:
        """Stop it. Outputs that are streams are computed while they are saved, after this."""
        self._note(node)

    @hook_impl
    def after_dataset_saved(self, node: Node) -> None:
        """Count the saving too."""
        self._note(node)

    @hook_impl
    def after_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Write the manifest, unless nothing was made."""
        seconds, self._seconds, self._started = self._seconds, {}, {}
        if not isinstance(catalog, FreshCatalog) or is_plan_only(run_params):
            return
        metrics = catalog.get("metrics") if "metrics" in pipeline.all_outputs() else None
        if catalog.plan is None or not isinstance(metrics, AtomicDataset):
            return
        place = AtomicDataset(
            filepath=metrics.filepath.with_name("manifest.json"),
            dataset={"type": "json.JSONDataset", "save_args": {"indent": 1, "ensure_ascii": False}},
        )
        previous = place.load() if place.exists() else {}
        if previous and not seconds:
            return
        stages = dict(previous.get("seconds", {}))
        fresh: dict[str, float] = {}
        for node in pipeline.nodes:
            if node.name in seconds:
                stage = name_stage(node)
                fresh[stage] = round(fresh.get(stage, 0.0) + seconds[node.name], 3)
        manifest = describe_run(catalog.plan, catalog, find_commit(Path(__file__).parent))
        found = {name: catalog[name].load() for name in _TOLD if name in pipeline.all_outputs()}
        place.save({**manifest, **found, "seconds": {**stages, **fresh}})

    def _note(self, node: Node) -> None:
        if node.name in self._started:
            self._seconds[node.name] = time.perf_counter() - self._started[node.name]


def describe_run(
    plan: Plan, catalog: DataCatalog, commit: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the outputs of a plan were made of.

    Returns:
        ``graft``, ``python``, ``platform``, ``git``, ``libraries``, ``parameters``, ``seeds``,
        ``data`` (hash of names and contents of the pictures), ``split``, ``weights`` and
        ``outputs`` (SHA-256 by name).
    """
    parameters: dict[str, Any] = {}
    libraries: dict[str, str] = {}
    for verdict in plan.verdicts.values():
        parameters |= verdict.recipe["parameter"]
        libraries |= verdict.recipe["library"]
    contents = plan.describe_outputs()
    weights = [n for n in contents if n in _WEIGHTS or n.endswith(".classifier")]
    return {
        "graft": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git": commit,
        "libraries": dict(sorted(libraries.items())),
        "parameters": dict(sorted(parameters.items())),
        "seeds": {
            name: value
            for name, value in sorted(parameters.items())
            if name.rpartition(".")[2] == "seed"
        },
        "data": plan.find_content("raw_images"),
        "split": contents.get("splits"),
        "weights": {name: contents[name] for name in weights},
        "outputs": contents,
    }


def find_commit(folder: Path) -> dict[str, Any] | None:
    """The commit of a checkout, and whether its files differ from it; None outside of git.

    Outside is also what is installed into a folder within someone else's checkout.
    """
    commands = (
        ["ls-files", "--error-unmatch", "."],
        ["rev-parse", "HEAD"],
        ["status", "--porcelain"],
    )
    try:
        _, commit, changes = (
            subprocess.run(
                ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
            ).stdout.strip()
            for arguments in commands
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}
