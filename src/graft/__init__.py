"""Graft: from a folder of pictures to a tested image classifier, by transfer learning."""

import os

# TensorFlow and Keras read these once, when they are first imported, wherever that is.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__version__ = "0.1.0"
