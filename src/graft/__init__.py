"""Graft: from a folder of pictures to a tested image classifier, by transfer learning."""

import sys

from graft.runtime import prepare_backend

# Locks, limits of memory and time, and how an output is moved into place are those of Unix.
if sys.platform == "win32":
    raise ImportError("Graft runs on Linux and macOS; on Windows, install it in WSL")

__version__ = "0.1.0"

prepare_backend()
