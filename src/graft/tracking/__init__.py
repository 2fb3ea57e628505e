"""Tracking with MLflow: ``kedro run --track`` leaves a record of the run, nothing else does.

The record is written by MLflow's client once the run is done, from what the plan and the catalog
know: also of outputs that were fresh, and without a part in how they are made. docs/tracking.md
says why kedro-mlflow, which tracks every command while it runs, is not what does it.
"""

from graft.tracking.records import TRACKS, TrackingHook

__all__ = ["TRACKS", "TrackingHook"]
