"""Importing TensorFlow without its noise."""

from __future__ import annotations

import os
import sys
import tempfile


def import_tensorflow() -> None:
    """Import TensorFlow and Keras, holding back what the import writes to standard error.

    TensorFlow's C++ core writes its notes to file descriptor 2 while it is imported, whatever
    ``TF_CPP_MIN_LOG_LEVEL`` says. They are shown only if the import fails.
    """
    if "keras" in sys.modules:
        return
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import keras  # noqa: F401 - imports TensorFlow, its backend
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
