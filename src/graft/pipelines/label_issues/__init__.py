"""List the labels that look wrong, for a person to decide."""

from graft.pipelines.label_issues.pipeline import create_pipeline

__all__ = ["create_pipeline"]
