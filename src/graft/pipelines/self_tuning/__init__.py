"""Fine-tune on pictures without a label as well: the candidate ``self_tuned``."""

from graft.pipelines.self_tuning.pipeline import create_pipeline

__all__ = ["create_pipeline"]
