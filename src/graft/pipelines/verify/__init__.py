"""Whether the champion still gives the metrics that were saved with it."""

from graft.pipelines.verify.pipeline import create_pipeline

__all__ = ["create_pipeline"]
