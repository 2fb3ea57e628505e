"""Find the pictures, check every one of them, set the broken ones apart."""

from graft.pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
