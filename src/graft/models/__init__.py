"""Keras: backbones, heads, training. Importing this package loads TensorFlow."""

from graft.quiet import import_tensorflow

import_tensorflow()
