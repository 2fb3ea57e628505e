"""Cross-validate a network for a table of numbers, beside a linear model."""

from graft.pipelines.tabular.pipeline import create_pipeline

__all__ = ["create_pipeline"]
