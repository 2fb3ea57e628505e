"""Divide the pictures into train, dev and test, so that nothing leaks between them."""

from graft.pipelines.splitting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
