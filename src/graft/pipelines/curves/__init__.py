"""Curves of the classes, of the trainings and of the number of training pictures."""

from graft.pipelines.curves.pipeline import create_pipeline

__all__ = ["create_pipeline"]
