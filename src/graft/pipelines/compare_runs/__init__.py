"""Compare runs, on request: is this run really better than a previous one?"""

from graft.pipelines.compare_runs.pipeline import create_pipeline

__all__ = ["create_pipeline"]
