"""The folder in which workers leave what they made until the stage has stored it."""

from __future__ import annotations

from typing import Any, NoReturn

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node

from graft.compute.shards import ShardStore
from graft.compute.spreading import end_workers
from graft.datasets.atomic import LocalDataset, WorkSaver


class RowShardsDataset(LocalDataset[NoReturn, ShardStore], WorkSaver):
    """A folder of shards, by which a run that was killed makes none of them again.

    It is an input of a stage that spreads its rows: what is loaded is a handle, there from the
    start. Its content makes no difference to the outputs; once these are saved it is removed.

    Args:
        filepath: The folder, on storage that all workers see.
        metadata: Ignored by Kedro; kedro-viz reads it.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._is_forgotten = False

    def forget(self) -> None:
        """Find nothing from now on: everything is to be made again."""
        self._is_forgotten = True

    def load(self) -> ShardStore:
        store = ShardStore(self._filepath)
        if self._is_forgotten:
            store.clear()
        return store

    def save(self, data: NoReturn) -> None:
        raise DatasetError(f"'{self._filepath}' is written by the workers of a stage")

    def _exists(self) -> bool:
        return True


class WorkersHook:
    """Removes what workers left for a stage, once it is stored, and ends them after the run."""

    def __init__(self) -> None:
        self._catalog = DataCatalog()

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog) -> None:
        """Learn where workers leave what they make."""
        self._catalog = catalog

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Remove the shards of a node whose last output is stored."""
        if dataset_name != node.outputs[-1]:
            return
        for name in node.inputs:
            dataset = self._catalog.get(name)
            if isinstance(dataset, RowShardsDataset):
                dataset.load().clear()

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Let the workers go."""
        end_workers()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Let the workers go."""
        end_workers()
