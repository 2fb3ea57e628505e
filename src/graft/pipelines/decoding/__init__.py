"""Decode every picture once, upright, in RGB and at the size that the network sees."""

from graft.pipelines.decoding.pipeline import create_pipeline

__all__ = ["create_pipeline"]
