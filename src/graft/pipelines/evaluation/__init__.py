"""Measure the classifier on pictures it has never seen, and write the report."""

from graft.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
