"""A runner that runs nothing: ``kedro run --plan``."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner


class PlanRunner(SequentialRunner):
    """Lets Kedro select nodes and the hooks print the plan, and stops there."""

    def run(self, pipeline: Pipeline, catalog: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """Run nothing."""
        return {}


def is_plan_only(run_params: dict[str, Any]) -> bool:
    """Whether a run, by Kedro's description of it, only shows its plan."""
    return PlanRunner.__name__ in str(run_params.get("runner"))
