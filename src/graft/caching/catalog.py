"""The catalog that lets ``--only-missing-outputs`` see a stale output as missing."""

from __future__ import annotations

from typing import Any

from kedro.io import DataCatalog

from graft.caching.plan import Plan


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
