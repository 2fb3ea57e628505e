"""A tiny pipeline over the real caching classes: its own package, catalog and folder."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kedro.io import MemoryDataset
from kedro.runner import SequentialRunner

from graft import fingerprints
from graft.caching import CachingHook, FreshCatalog, recipes

CODE = {
    "__init__": '"""A package."""\n',
    "sums": "def add(a, b):\n    return a + b + 0\n",
    "nodes": '''
from {package}.sums import add
from graft.sources.source import ImageSource


def count(raw_images: ImageSource, scale: int) -> dict:
    """Count bytes."""
    return {{i: len(raw_images.read(i)) * scale for i in raw_images.records["image_id"]}}


def total(sizes: dict, bias: int) -> tuple[int, list]:
    return add(sum(sizes.values()), bias), sorted(sizes)


def report(sum_: int, names: list) -> str:
    return f"{{len(names)}} {{sum_}}"
''',
    "pipeline": """
from kedro.pipeline import Node, Pipeline
from {package}.nodes import count, report, total


def create_pipeline():
    return Pipeline([
        Node(count, ["raw_images", "params:scale"], "sizes", name="count"),
        Node(total, ["sizes", "params:bias"], ["sum", "names"], name="total"),
        Node(report, ["sum", "names"], "report", name="report"),
    ])
""",
}
OUTPUTS = ("sizes", "sum", "names", "report")


def forget_code() -> None:
    """Read all code again, as a new process would; what a text says is kept (conftest.py)."""
    for module in (fingerprints, recipes):
        for value in vars(module).values():
            if value is not fingerprints.describe_text:
                getattr(value, "cache_clear", int)()


class TinyProject:
    """Pictures, code, parameters and outputs in one folder; every run is as in a new process."""

    def __init__(self, folder: Path, package: str) -> None:
        self.folder, self.package = folder, package
        self.pictures = folder / "pictures"
        self.parameters = {"scale": 2, "bias": 1}
        (folder / package).mkdir(parents=True)
        for name, text in CODE.items():
            self.write_code(name, text)
        for label in ("cat", "dog"):
            (self.pictures / label).mkdir(parents=True)
            (self.pictures / label / "0.png").write_bytes(label.encode())

    def write_code(self, name: str, text: str) -> None:
        """Write a module of the package."""
        (self.folder / self.package / f"{name}.py").write_text(text.format(package=self.package))

    def file(self, name: str, data: str = "data") -> Path:
        """Where an output lies."""
        return self.folder / data / f"{name}.json"

    def import_pipeline(self) -> Any:
        """The pipeline of the code as it is now."""
        for name in [name for name in sys.modules if name.partition(".")[0] == self.package]:
            del sys.modules[name]
        forget_code()
        importlib.invalidate_caches()
        sys.path.insert(0, str(self.folder))
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        try:
            return importlib.import_module(f"{self.package}.pipeline").create_pipeline()
        finally:
            sys.path.remove(str(self.folder))
            sys.dont_write_bytecode = before

    def make_catalog(self, data: str) -> FreshCatalog:
        """The catalog, outputs below a folder of this name."""
        catalog = FreshCatalog.from_config(
            {
                "raw_images": {
                    "type": "graft.datasets.ClassFoldersDataset",
                    "filepath": str(self.pictures),
                },
                "previous_sum": {
                    "type": "graft.datasets.PreviousDataset",
                    "filepath": str(self.file("sum", data)),
                    "dataset": {"type": "json.JSONDataset"},
                    "only_saves_work": True,
                },
                **{
                    name: {
                        "type": "graft.datasets.AtomicDataset",
                        "filepath": str(self.file(name, data)),
                        "dataset": {"type": "json.JSONDataset"},
                    }
                    for name in OUTPUTS
                },
            }
        )
        for name, value in self.parameters.items():
            catalog[f"params:{name}"] = MemoryDataset(value)
        return catalog

    def run(
        self,
        data: str = "data",
        force: bool = False,
        runner: Any = None,
        during: Callable[[str], None] | None = None,
        **selection: Any,
    ) -> list[str]:
        """Run what is stale; the names of the outputs that were made, in order.

        ``during`` is called with the name of each output before it is saved.
        """
        pipeline, ran = self.import_pipeline(), []
        selected = pipeline.filter(**selection) if selection else pipeline
        catalog = self.make_catalog(data)
        hook = CachingHook(lambda selected, _: selected + pipeline)
        context = SimpleNamespace(
            project_path=self.folder / "project" / data, _runtime_params={}, config_loader={}
        )
        hook.after_context_created(context)
        run_params = {"only_missing_outputs": not force, "runner": "SequentialRunner"}
        hook.before_pipeline_run(run_params, selected, catalog)
        save = catalog.save

        def note_and_save(name: str, value: Any) -> None:
            if during:
                during(name)
            ran.append(name)
            save(name, value)

        catalog.save = note_and_save
        try:
            (runner or SequentialRunner()).run(selected, catalog, only_missing_outputs=not force)
            hook.after_pipeline_run(catalog)
        except BaseException:
            hook.on_pipeline_error(catalog)
            raise
        return ran

    def read(self, data: str = "data") -> dict[str, Any]:
        """What the outputs hold."""
        return {name: json.loads(self.file(name, data).read_text()) for name in OUTPUTS}
