"""Put all that was found on one page."""

from graft.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
