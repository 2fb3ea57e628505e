"""What Kedro is told of freshness: a catalog in which what is stale is missing, and runners."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner, ThreadRunner
from kedro.runner.task import Task

from graft.caching.plan import Plan
from graft.fingerprints import list_libraries


class FreshCatalog(DataCatalog):
    """Kedro's catalog, which follows a plan from the moment that a run has one."""

    plan: Plan | None = None

    def follow(self, plan: Plan | None) -> None:
        """From now on, what is stale by this plan does not exist, and what is saved is recorded."""
        self.plan = plan

    def exists(self, ds_name: str) -> bool:
        fresh = self.plan.is_fresh(ds_name) if self.plan else None
        return super().exists(ds_name) if fresh is None else fresh

    def load(self, ds_name: str, version: str | None = None) -> Any:
        if self.plan:
            self.plan.note_input(ds_name)
        return super().load(ds_name, version)

    def save(self, ds_name: str, data: Any) -> None:
        super().save(ds_name, data)
        if self.plan:
            self.plan.record(ds_name)


# Seeds, settings and names of layers are one for the whole process in these libraries.
_PROCESS_WIDE = {"keras", "matplotlib", "tensorflow"}


class PlanRunner(SequentialRunner):
    """Lets Kedro select nodes and the hooks print the plan, and stops there."""

    def run(self, pipeline: Pipeline, catalog: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Run nothing."""
        return {}


class TurnTakingRunner(ThreadRunner):
    """Kedro's ``ThreadRunner``, in which nodes that would disturb each other take turns.

    While one node seeds TensorFlow, another would draw from its seeds, or save a network under
    other names. So of the nodes whose code reaches such a library, one is at work at a time,
    from loading its inputs to saving its outputs; all others run beside it.
    """

    def _get_executor(self, max_workers: int) -> Executor:
        return _TurnTakingExecutor(max_workers)


class _TurnTakingExecutor(ThreadPoolExecutor):
    def __init__(self, max_workers: int) -> None:
        super().__init__(max_workers)
        self._turn = threading.Lock()

    def submit(self, task: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        if isinstance(task, Task) and needs_its_turn(task.node):
            return super().submit(self._wait_and_do, task)
        return super().submit(task, *args, **options)

    def _wait_and_do(self, task: Task) -> Node:
        with self._turn:
            return task()


def needs_its_turn(node: Node) -> bool:
    """Whether the code of a node reaches a library with state of the whole process."""
    function = node.func
    while isinstance(function, partial):
        function = function.func
    return bool(_PROCESS_WIDE & list_libraries(function.__module__).keys())


def is_plan_only(run_params: dict[str, Any]) -> bool:
    """Whether a run, by Kedro's description of it, only shows its plan."""
    return PlanRunner.__name__ in str(run_params.get("runner"))
