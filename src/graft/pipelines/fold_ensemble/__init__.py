"""Train a head a fold of train and let all of them answer: the candidate ``frozen_folds``."""

from graft.pipelines.fold_ensemble.pipeline import create_pipeline

__all__ = ["create_pipeline"]
