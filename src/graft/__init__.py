"""Graft: from a folder of pictures to a tested image classifier, by transfer learning."""

from graft.runtime import prepare_tensorflow

__version__ = "0.1.0"

prepare_tensorflow()
