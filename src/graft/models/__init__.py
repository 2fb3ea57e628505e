"""Keras: backbones, heads, training. Importing this package loads TensorFlow."""

from graft.runtime import import_tensorflow

import_tensorflow()
