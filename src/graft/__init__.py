"""Graft: from a folder of pictures to a tested image classifier, by transfer learning."""

import os
import sys

# Locks, limits of memory and time, and how an output is moved into place are those of Unix.
if sys.platform == "win32":
    raise ImportError("Graft runs on Linux and macOS; on Windows, install it in WSL")

# TensorFlow and Keras read these once, when they are first imported or take a device, wherever
# that is. A limit of memory cannot be set once a device is taken, and the first stage that loads
# a network takes it: so a GPU's memory is taken as it is needed, from the beginning.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

__version__ = "0.1.0"
