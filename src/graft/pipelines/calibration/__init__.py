"""Choose a temperature and thresholds on dev, and show what they do on test."""

from graft.pipelines.calibration.pipeline import create_pipeline

__all__ = ["create_pipeline"]
